"""Messages and descriptors arrive together and in order, however the bytes are cut; what is no message ends it all."""

import asyncio
import json
import os
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ends.programs import PATIENCE
from tidegate.channel import Channel

MESSAGES = st.lists(
    st.tuples(st.dictionaries(st.sampled_from("abc"), st.text(max_size=50)), st.integers(0, 3)), max_size=8
)


class End:
    """One end of a channel, and what came."""

    def __init__(self, connection: socket.socket) -> None:
        self.took: list[tuple[dict[str, Any], list[int]]] = []
        self.lost = asyncio.Event()
        self.came = asyncio.Event()
        self.channel = Channel(connection, self._take, self.lost.set)

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        self.took.append((message, descriptors))
        self.came.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.took) < count:
                self.came.clear()
                await self.came.wait()


def pair() -> tuple[End, End]:
    ours, theirs = socket.socketpair()
    return End(ours), End(theirs)


@given(MESSAGES)
async def test_messages_and_their_descriptors_arrive_together_and_in_order(
    messages: list[tuple[dict[str, str], int]],
) -> None:
    near, far = pair()
    given: list[int] = []
    for message, count in messages:
        made = [os.memfd_create("test") for _ in range(count)]
        given += made
        near.channel.send(message, *made)
    for descriptor in given:
        os.close(descriptor)
    await far.until(len(messages))
    for (sent, count), (took, descriptors) in zip(messages, far.took, strict=True):
        assert took == sent | {"fds": count}
        assert len(descriptors) == count
        for descriptor in descriptors:
            assert not os.get_inheritable(descriptor)
            os.close(descriptor)
    near.channel.close()
    async with asyncio.timeout(PATIENCE):
        await far.lost.wait()
    assert not near.lost.is_set()


async def test_more_than_the_socket_takes_at_once_waits_for_its_turn() -> None:
    near, far = pair()
    descriptor = os.memfd_create("test")
    for number in range(300):
        near.channel.send({"n": number, "text": "x" * 10_000}, *([descriptor] if number == 299 else []))
    os.close(descriptor)
    await far.until(300)
    assert [message["n"] for message, _ in far.took] == list(range(300))
    os.close(far.took[-1][1][0])
    near.channel.close()
    far.channel.close()


@pytest.mark.parametrize(
    "line",
    [b"\n", b"nothing\n", b"[]\n", b"{}\n", b'{"fds":1}\n', b'{"fds":-1}\n', b'{"fds":"0"}\n', b"[" * 100_000 + b"\n"],
)
async def test_what_is_no_message_ends_the_channel(line: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        end = End(theirs)
        ours.sendall(line)
        async with asyncio.timeout(PATIENCE):
            await end.lost.wait()
        assert not end.took
        assert ours.recv(1) == b""


async def test_a_line_without_end_ends_the_channel() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(0)
        end = End(theirs)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE):
            while not end.lost.is_set():
                try:
                    await loop.sock_sendall(ours, b"x" * 1024 * 1024)
                except OSError:
                    break
            await end.lost.wait()


async def test_descriptors_that_nobody_took_are_closed() -> None:
    ours, theirs = socket.socketpair()
    end = End(theirs)
    heard, said = os.pipe()
    with ours:
        socket.send_fds(ours, [b'{"fds":0}'], [said])
        os.close(said)
        ours.sendall(b"\n" + json.dumps({"fds": 0}).encode() + b"\n")
        await end.until(2)
        end.channel.close()
        with os.fdopen(heard, "rb") as pipe:
            assert pipe.read() == b""
