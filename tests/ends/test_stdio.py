"""Standard input and output as a pipe, whatever they are: pipes, sockets, files, terminals."""

import asyncio
import os
import pty
import socket
import sys
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ends.programs import PATIENCE, receive
from tidegate.ends.pipe import Overlong, PipeError
from tidegate.ends.stdio import StdioEnd

# Answers each line with itself, until its input ends; says things where it must not.
WRAPPED = """
import asyncio, os, sys
from tidegate.ends.pipe import PipeError
from tidegate.ends.stdio import StdioEnd

async def main():
    end = StdioEnd()
    await end.start()
    print("a stray print")
    os.system("echo a stray child; cat")
    try:
        while True:
            await end.send(await end.receive())
    except PipeError:
        await end.close()
    print("after the end")

if os.environ["LOOP"] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""

Sides = tuple[int, int, int, int]
"""Our standard input and output, then the client's ends of them: to write to, and to read from."""


def pipes(_: ExitStack) -> Sides:
    ours_in, theirs_in = os.pipe()
    theirs_out, ours_out = os.pipe()
    return ours_in, ours_out, theirs_in, theirs_out


def socket_pairs(_: ExitStack) -> Sides:
    """As a client in Node makes them: one socket for each direction."""
    (ours_in, theirs_in), (ours_out, theirs_out) = socket.socketpair(), socket.socketpair()
    return ours_in.detach(), ours_out.detach(), theirs_in.detach(), theirs_out.detach()


def one_socket(_: ExitStack) -> Sides:
    """As inetd makes it: one socket for both."""
    ours, theirs = socket.socketpair()
    return os.dup(ours.fileno()), ours.detach(), os.dup(theirs.fileno()), theirs.detach()


def one_tcp_socket(stack: ExitStack) -> Sides:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    theirs = socket.create_connection(listener.getsockname())
    ours, _ = listener.accept()
    return os.dup(ours.fileno()), ours.detach(), os.dup(theirs.fileno()), theirs.detach()


def terminals(_: ExitStack) -> Sides:
    (theirs_in, ours_in), (theirs_out, ours_out) = pty.openpty(), pty.openpty()
    for descriptor in (ours_in, ours_out):
        tty.setraw(descriptor)
    return ours_in, ours_out, theirs_in, theirs_out


KINDS = [pipes, socket_pairs, one_socket, one_tcp_socket, terminals]


class Rig:
    """A StdioEnd between descriptors of its own, and its client's ends of them."""

    def __init__(self, make: Callable[[ExitStack], Sides], stack: ExitStack) -> None:
        self.stdin, self.stdout, self.to, self.from_ = make(stack)
        self.stderr, self.said = [*reversed(os.pipe())]
        self.open = {self.stdin, self.stdout, self.to, self.from_, self.stderr, self.said}
        self.end = StdioEnd(100_000, stdin=self.stdin, stdout=self.stdout, stderr=self.stderr)

    def close(self, descriptor: int) -> None:
        if descriptor in self.open:
            self.open.remove(descriptor)
            os.close(descriptor)

    async def write(self, data: bytes) -> None:
        """Write as a client does, in a thread, as it may have to wait."""
        while data:
            data = data[await asyncio.to_thread(os.write, self.to, data[:10_000]) :]

    async def line(self) -> bytes:
        """The next line the client gets."""
        found = b""
        async with asyncio.timeout(PATIENCE):
            while not found.endswith(b"\n"):
                found += await asyncio.to_thread(os.read, self.from_, 65536)
        return found


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with ExitStack() as stack:
        made = Rig(request.param, stack)
        yield made
        for descriptor in tuple(made.open):
            made.close(descriptor)


async def ended(end: StdioEnd) -> str:
    with pytest.raises(PipeError) as error:
        await receive(end)
    return str(error.value)


async def test_messages_cross_both_ways(rig: Rig) -> None:
    await rig.end.start()
    await rig.write(b'{"a":1}\n\r\n{"b":2}\r\n')
    assert await receive(rig.end) == {"a": 1}
    assert await receive(rig.end) == {"b": 2}
    await rig.end.send(b'{"c":3}')
    assert await rig.line() == b'{"c":3}\n'
    await rig.end.close()


async def test_what_is_large_crosses_both_ways(rig: Rig) -> None:
    text = b'"' + b"x" * 99_000 + b'"'
    await rig.end.start()
    writing = asyncio.create_task(rig.write(text + b"\n"))
    async with asyncio.timeout(PATIENCE):
        assert await rig.end.receive() == text
        await writing
        reading = asyncio.create_task(rig.line())
        await rig.end.send(text)
        assert await reading == text + b"\n"
    await rig.end.close()


async def test_a_line_over_the_limit_is_dropped_once_and_the_next_one_is_received(rig: Rig) -> None:
    await rig.end.start()
    writing = asyncio.create_task(rig.write(b"x" * 300_000 + b"\n[1]\n"))
    with pytest.raises(Overlong):
        await receive(rig.end)
    assert await receive(rig.end) == [1]
    await writing
    await rig.end.close()


async def test_what_others_print_goes_to_standard_error_and_what_they_read_is_nothing(rig: Rig) -> None:
    await rig.end.start()
    os.write(rig.stdout, b"a stray print\n")
    assert os.read(rig.said, 100) == b"a stray print\n"
    await rig.write(b"[1]\n")
    assert os.read(rig.stdin, 100) == b""
    assert await receive(rig.end) == [1]
    await rig.end.close()
    os.write(rig.stdout, b"after the end\n")
    assert await rig.line() == b"after the end\n"


@pytest.mark.parametrize("rig", [pipes, socket_pairs], indirect=True)
async def test_a_client_that_ends_its_input_still_gets_its_answers(rig: Rig) -> None:
    await rig.end.start()
    await rig.write(b"[1]\n[2]")
    rig.close(rig.to)
    assert [await receive(rig.end), await receive(rig.end)] == [[1], [2]]
    assert await ended(rig.end) == "Standard input has ended."
    await rig.end.send(b"[3]")
    await rig.end.close()
    assert await rig.line() == b"[3]\n"


async def test_a_client_that_ends_its_half_of_one_socket_still_gets_its_answers() -> None:
    with ExitStack() as stack:
        rig = Rig(one_socket, stack)
        await rig.end.start()
        await rig.write(b"[1]\n")
        with socket.socket(fileno=os.dup(rig.to)) as theirs:
            theirs.shutdown(socket.SHUT_WR)
        assert await receive(rig.end) == [1]
        assert await ended(rig.end) == "Standard input has ended."
        await rig.end.send(b"[3]")
        assert await rig.line() == b"[3]\n"
        await rig.end.close()
        for descriptor in tuple(rig.open):
            rig.close(descriptor)


@pytest.mark.parametrize("rig", [pipes, socket_pairs, one_socket], indirect=True)
async def test_a_client_that_is_gone_is_noticed_when_sending(rig: Rig) -> None:
    await rig.end.start()
    rig.close(rig.to)
    rig.close(rig.from_)

    async def send() -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                await rig.end.send(b"{}")
                await asyncio.sleep(0)

    with pytest.raises(PipeError):
        await send()
    await rig.end.close()


@pytest.mark.parametrize("rig", [pipes, socket_pairs, one_socket], indirect=True)
async def test_a_client_that_doesnt_read_makes_the_sender_wait_and_the_close_ends_that(rig: Rig) -> None:
    await rig.end.start()

    async def send() -> None:
        while True:
            await rig.end.send(b'"' + b"x" * 65_000 + b'"')

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await send()
    sending = asyncio.create_task(send())
    await asyncio.sleep(0)
    closing = asyncio.create_task(rig.end.close())
    with pytest.raises(PipeError, match="closed"):
        async with asyncio.timeout(PATIENCE):
            await sending
    closing.cancel()  # it waits for the client to read what was sent before
    await asyncio.wait([closing])


async def test_a_file_in_and_a_file_out_are_read_and_written_whole(tmp_path: Path) -> None:
    source, sink = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"[1]\n[2]\n[3]")
    with source.open("rb") as stdin, sink.open("wb") as stdout, (tmp_path / "err").open("wb") as stderr:
        end = StdioEnd(stdin=stdin.fileno(), stdout=stdout.fileno(), stderr=stderr.fileno())
        await end.start()
        for number in (1, 2, 3):
            assert await receive(end) == [number]
        assert await ended(end) == "Standard input has ended."
        for _ in range(1000):
            await end.send(b"x" * 1000)
        await end.close()
    assert sink.read_bytes() == (b"x" * 1000 + b"\n") * 1000


async def test_descriptors_that_are_closed_are_told_in_one_sentence() -> None:
    heard, sayer = os.pipe()
    os.close(sayer)
    end = StdioEnd(stdin=heard, stdout=sayer)
    with pytest.raises(PipeError, match=r"^Standard input and output can't be used: "):
        await end.start()
    os.close(heard)


async def test_a_blocking_descriptor_is_blocking_again_after_the_end(rig: Rig) -> None:
    await rig.end.start()
    await rig.end.close()
    assert os.get_blocking(rig.stdin)
    assert os.get_blocking(rig.stdout)


async def test_closing_twice_or_without_a_start_is_harmless(rig: Rig) -> None:
    await rig.end.close()
    await rig.end.start()
    await rig.end.close()
    await rig.end.close()


async def test_a_program_that_prints_what_it_shouldnt_keeps_its_protocol_clean() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WRAPPED),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"LOOP": type(asyncio.get_running_loop()).__module__.partition(".")[0]},
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate(b'{"a":1}\n{"b":2}\n')
    assert out == b'{"a":1}\n{"b":2}\nafter the end\n'
    assert sorted(err.splitlines()) == [b"a stray child", b"a stray print"]
    assert process.returncode == 0
