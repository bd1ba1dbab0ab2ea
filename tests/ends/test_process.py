"""A local process as a pipe: real processes, well-behaved and not."""

# long: all that one pipe promises, with the programs it is shown by

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from ends.programs import (
    COMET,
    DAEMON,
    DEAF,
    ECHO,
    FLOOD,
    PATIENCE,
    STUBBORN,
    gone,
    marked,
    python,
    receive,
    until,
)
from tidegate.ends.buffers import QUEUED
from tidegate.ends.launcher import keeper
from tidegate.ends.pipe import Overlong, PipeError
from tidegate.ends.process import ProcessPipe

QUICK = 2.0  # seconds in which what must be quick is done, on a busy machine too


@asynccontextmanager
async def running(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    max_bytes: int = 4 * 1024 * 1024,
    grace: float = 2.0,
) -> AsyncIterator[ProcessPipe]:
    pipe = ProcessPipe(command, env, cwd, max_bytes, grace)
    try:
        async with asyncio.timeout(PATIENCE):
            await pipe.start()
        yield pipe
    finally:
        async with asyncio.timeout(PATIENCE):
            await pipe.close()


async def failure(pipe: ProcessPipe) -> str:
    """How a pipe ends, after all that it still has to say."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await pipe.receive()
            except PipeError as error:
                return str(error)


async def sending(pipe: ProcessPipe) -> None:
    """Send until that fails."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await pipe.send(b"{}")
            await asyncio.sleep(0)


async def test_what_is_sent_comes_back_whole_and_in_order() -> None:
    texts = [b"{}", b'{"a":1}', b'"' + b"x" * 100_000 + b'"', '"é☃𝄞"'.encode(), b"[]"]
    async with running(python(ECHO)) as pipe:
        for text in texts:
            await pipe.send(text)
        async with asyncio.timeout(PATIENCE):
            assert [await pipe.receive() for _ in texts] == texts


async def test_a_line_of_four_megabytes_crosses_both_ways() -> None:
    text = b'"' + b"x" * (4 * 1024 * 1024 - 2) + b'"'
    async with running(python(ECHO)) as pipe:
        await pipe.send(text)
        async with asyncio.timeout(PATIENCE):
            assert await pipe.receive() == text


async def test_thousands_of_messages_are_in_flight_both_ways_at_once() -> None:
    count = 20_000
    async with running(python(ECHO)) as pipe, asyncio.timeout(PATIENCE):

        async def send() -> None:
            for number in range(count):
                await pipe.send(b'{"id":%d,"method":"tools/call","params":{"name":"echo"}}' % number)

        sending = asyncio.create_task(send())
        for number in range(count):
            assert (await pipe.receive()).startswith(b'{"id":%d,' % number)
        await sending


async def test_a_message_written_byte_by_byte_is_one_message() -> None:
    slow = "import os\nfor byte in b'{\"a\": [1, 2]}\\r\\n\\n \\n[3]\\n': os.write(1, bytes([byte]))"
    async with running(python(slow)) as pipe:
        assert await receive(pipe) == {"a": [1, 2]}
        assert await receive(pipe) == [3]


async def test_a_last_line_without_its_end_is_received() -> None:
    async with running(python("print('[1]'); print('[2]', end='')")) as pipe:
        assert [await receive(pipe), await receive(pipe)] == [[1], [2]]
        assert await failure(pipe) == f"{Path(sys.executable).name} ended with exit code 0."


async def test_what_isnt_json_is_passed_on_for_the_parser_to_refuse() -> None:
    async with running(python("print('Listening on stdio...'); print('{}')")) as pipe, asyncio.timeout(PATIENCE):
        assert await pipe.receive() == b"Listening on stdio..."
        assert await pipe.receive() == b"{}"


async def test_a_line_over_the_limit_is_dropped_once_and_the_next_one_is_received() -> None:
    long = "import os; os.write(1, b'[1]\\n' + b'x' * 3_000_000 + b'\\n[2]\\n')"
    async with running(python(long), max_bytes=100_000) as pipe:
        assert await receive(pipe) == [1]
        with pytest.raises(Overlong) as overlong:
            await receive(pipe)
        assert overlong.value.size > 100_000
        assert await receive(pipe) == [2]


async def test_an_endless_line_is_reported_before_it_ends() -> None:
    async with running(python("import os\nwhile True: os.write(1, b'x' * 65536)"), max_bytes=100_000) as pipe:
        with pytest.raises(Overlong):
            await receive(pipe)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["no-such-program-here"], "no-such-program-here can't be started: no such program."),
        (["/etc/passwd"], "passwd can't be started: it can't be executed (permission denied)."),
        (["/"], "/ can't be started: it can't be executed (permission denied)."),
        (["true", "x" * 3_000_000], "true can't be started: its arguments and environment are too long."),
    ],
)
async def test_what_cant_be_started_is_told_in_one_sentence(command: list[str], sentence: str) -> None:
    pipe = ProcessPipe(command)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(PipeError) as error:
            await pipe.start()
        await pipe.close()
    assert str(error.value) == sentence


async def test_a_program_that_is_none_is_told_in_one_sentence(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF nothing of the kind")
    program.chmod(0o755)
    pipe = ProcessPipe([str(program)])
    with pytest.raises(PipeError, match=r"^program can't be started: it is not a program this system can run\.$"):
        await pipe.start()


async def test_a_working_folder_that_isnt_there_is_told_in_one_sentence(tmp_path: Path) -> None:
    pipe = ProcessPipe(["true"], cwd=tmp_path / "nowhere")
    with pytest.raises(
        PipeError, match=r"^true can't be started: its working folder .*nowhere can't be entered: No such"
    ):
        await pipe.start()


@pytest.mark.parametrize(
    ("program", "ending"),
    [
        ("import sys; sys.exit(3)", "ended with exit code 3."),
        ("pass", "ended with exit code 0."),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV."),
    ],
)
async def test_an_end_by_itself_is_told_with_its_code(program: str, ending: str) -> None:
    async with running(python(program)) as pipe:
        assert await failure(pipe) == f"{Path(sys.executable).name} {ending}"
        with pytest.raises(PipeError, match="ended"):
            await pipe.send(b"{}")


async def test_an_end_in_the_middle_of_a_call_is_told_after_what_came_before_it() -> None:
    dying = "import sys, os\nprint('[1]', flush=True); sys.stdin.readline(); os._exit(7)"
    async with running(python(dying)) as pipe:
        assert await receive(pipe) == [1]
        await pipe.send(b'{"id":1}')
        assert (await failure(pipe)).endswith("ended with exit code 7.")


async def test_the_last_words_of_a_process_are_received_however_slowly_they_are_taken() -> None:
    many = f"import os\nfor number in range({QUEUED // 50}): os.write(1, b'[%7d, \"{'x' * 50}\"]\\n' % number)"
    async with running(python(many)) as pipe:
        assert pipe.pid is not None
        await gone([psutil.Process(pipe.pid)], within=1)  # it waits for us, as its pipe is full
        for number in range(QUEUED // 50):
            assert (await receive(pipe))[0] == number
        assert (await failure(pipe)).endswith("ended with exit code 0.")


async def test_output_held_open_by_a_descendant_doesnt_hide_the_end() -> None:
    leaving = "import os, time\nif os.fork() == 0:\n    time.sleep(60)\nprint('[1]', flush=True)\nos._exit(5)"
    async with running(python(leaving)) as pipe:
        assert await receive(pipe) == [1]
        assert (await failure(pipe)).endswith("ended with exit code 5.")


async def test_a_process_that_closes_its_output_has_ended_for_us() -> None:
    async with running(python("import os, time\nos.close(1)\nos.close(2)\ntime.sleep(60)"), grace=0.1) as pipe:
        assert (await failure(pipe)).endswith("closed its output.")


async def test_a_process_that_closes_its_input_cant_be_sent_to() -> None:
    async with running(
        python("import os, time\nos.close(0)\nprint('[1]', flush=True)\ntime.sleep(60)"), grace=0.1
    ) as pipe:
        assert await receive(pipe) == [1]
        with pytest.raises(PipeError, match=r"closed its input\."):
            await sending(pipe)


async def test_the_environment_is_the_safe_one_and_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not for servers")
    monkeypatch.setenv("LC_TIME", "C")
    show = "import os, json\nprint(json.dumps(dict(os.environ)), flush=True)"
    async with running([sys.executable, "-S", "-c", show], env={"GIVEN": "1", "HOME": "/given"}) as pipe:
        shown = await receive(pipe)
    assert shown["GIVEN"] == "1"
    assert shown["HOME"] == "/given"
    assert shown["LC_TIME"] == "C"
    assert set(shown) <= {
        *(
            "GIVEN",
            "HOME",
            "LOGNAME",
            "PATH",
            "SHELL",
            "TERM",
            "USER",
            "LANG",
            "TMPDIR",
            "LC_TIME",
            "LC_CTYPE",
            "LC_ALL",
        )
    }


async def test_a_process_has_its_own_session_and_nothing_of_ours_open() -> None:
    show = (
        "import os, json\nfds = sorted(os.listdir('/proc/self/fd'))\n"
        "print(json.dumps([os.getsid(0), os.getpgid(0), os.getpid(), fds]))"
    )
    async with running(python(show)) as first, running(python(show)) as second:
        for pipe in (first, second):
            session, group, pid, descriptors = await receive(pipe)
            assert session == group == pid == pipe.pid
            assert descriptors == ["0", "1", "2", "3"]  # 3 is the listing's own


async def test_a_process_has_the_usual_signal_handling() -> None:
    show = (
        "import json\nprint(json.dumps([l for l in open('/proc/self/status') if l.startswith(('SigBlk', 'SigIgn'))]))"
    )
    async with running(
        [sys.executable, "-c", f"import signal\nsignal.signal(signal.SIGPIPE, signal.SIG_DFL)\n{show}"]
    ) as pipe:
        blocked, ignored = await receive(pipe)
    assert int(blocked.split()[1], 16) == 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        assert not int(ignored.split()[1], 16) >> (number - 1) & 1, number


async def test_standard_error_is_drained_and_its_end_kept() -> None:
    loud = (
        "import sys\nfor number in range(50_000): print('noise', number, file=sys.stderr)\n"
        "print('[1]', flush=True)\nsys.stdin.read()"
    )
    async with running(python(loud)) as pipe:
        assert await receive(pipe) == [1]
        await until(lambda: pipe.stderr_tail().endswith("noise 49999"))
        assert len(pipe.stderr_tail()) <= 16 * 1024


async def test_a_flood_that_nobody_takes_is_held_back_and_ended_quickly() -> None:
    pipe = ProcessPipe(python(FLOOD))
    await pipe.start()
    async with asyncio.timeout(PATIENCE):
        assert await pipe.receive() == b'{"flood":true}'
    await until(lambda: pipe._inbox.paused)
    assert pipe._inbox._held < 16 * QUEUED
    assert pipe.pid is not None
    process = psutil.Process(pipe.pid)
    begun = time.monotonic()
    await pipe.close()
    # It doesn't read its input, so it doesn't end with it; SIGTERM ends it.
    assert time.monotonic() - begun < 2 * QUICK
    assert not await gone([process])


async def test_a_sender_waits_for_a_process_that_doesnt_read_and_hears_of_the_close() -> None:
    async with running(python(DEAF), grace=0.1) as pipe:
        await receive(pipe)
        sent = 0

        async def send() -> None:
            nonlocal sent
            while True:
                await pipe.send(b'"' + b"x" * 65_534 + b'"')
                sent += 1

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await send()
        assert sent * 65_536 < 4 * QUEUED
        sending = asyncio.create_task(send())
        await asyncio.sleep(0)
        await pipe.close()
        with pytest.raises(PipeError, match="was closed"):
            await sending


async def test_a_polite_process_ends_with_its_input() -> None:
    pipe = ProcessPipe(python(ECHO))
    await pipe.start()
    assert pipe.pid is not None
    process = psutil.Process(pipe.pid)
    begun = time.monotonic()
    await pipe.close()
    assert time.monotonic() - begun < QUICK
    assert not process.is_running()
    with pytest.raises(PipeError, match="was closed"):
        await pipe.receive()
    with pytest.raises(PipeError, match="was closed"):
        await pipe.send(b"{}")


@pytest.mark.parametrize("program", [DEAF, STUBBORN])
async def test_an_impolite_process_is_ended_by_force(program: str) -> None:
    pipe = ProcessPipe(python(program), grace=0.2)
    await pipe.start()
    process = psutil.Process((await receive(pipe))["pid"])
    async with asyncio.timeout(PATIENCE):
        await pipe.close()
    assert not process.is_running()


@pytest.mark.requirement("no-orphans")
async def test_a_daemon_that_left_its_session_is_ended_with_its_pipe_and_others_stay() -> None:
    async with running(python(DAEMON)) as other:
        spared = psutil.Process((await receive(other))["pid"])
        pipe = ProcessPipe(python(DAEMON))
        await pipe.start()
        daemon = psutil.Process((await receive(pipe))["pid"])
        async with asyncio.timeout(PATIENCE):
            await pipe.close()
        assert not daemon.is_running()
        assert spared.is_running()
        await other.send(b"[2]")
        assert await receive(other) == [2]
    assert not spared.is_running()


@pytest.mark.requirement("no-orphans")
async def test_a_process_that_keeps_fleeing_into_its_own_children_is_caught() -> None:
    mark = f"comet-{os.getpid()}-{time.monotonic_ns()}"
    pipe = ProcessPipe(python(COMET, mark), grace=0.2)
    await pipe.start()
    assert await receive(pipe) == {"ready": True}
    async with asyncio.timeout(PATIENCE):
        await pipe.close()
    assert not marked(mark)


@pytest.mark.requirement("no-orphans")
async def test_a_close_that_is_cancelled_holds_all_the_same() -> None:
    pipe = ProcessPipe(python(STUBBORN), grace=30)
    await pipe.start()
    process = psutil.Process((await receive(pipe))["pid"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await pipe.close()
    assert not await gone([process])
    async with asyncio.timeout(PATIENCE):
        await pipe.close()


@pytest.mark.requirement("no-orphans")
async def test_a_start_that_is_cancelled_at_any_point_leaves_nothing_behind() -> None:
    mark = f"cancelled-{os.getpid()}-{time.monotonic_ns()}"
    for steps in range(25):
        pipe = ProcessPipe(python(STUBBORN, mark))
        starting = asyncio.create_task(pipe.start())
        for _ in range(steps):
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])
        if not starting.cancelled():
            async with asyncio.timeout(PATIENCE):
                pipe._grace = 0.01
                await pipe.close()
    assert keeper.pid is not None
    helper = psutil.Process(keeper.pid)
    await until(lambda: not helper.children())  # what was on its way has come and gone again
    assert not marked(mark)


async def test_closing_twice_and_from_several_tasks_is_harmless() -> None:
    pipe = ProcessPipe(python(ECHO))
    await pipe.start()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(pipe.close() for _ in range(5)))
        await pipe.close()


async def test_closing_what_was_never_started_is_harmless() -> None:
    await ProcessPipe(["true"]).close()


async def test_closing_while_sending_and_receiving_ends_both() -> None:
    async with running(python(ECHO)) as pipe, asyncio.timeout(PATIENCE):

        async def send() -> None:
            while True:
                await pipe.send(b'{"a":"' + b"x" * 5000 + b'"}')

        async def take() -> None:
            while True:
                await pipe.receive()

        tasks = [asyncio.create_task(send()), asyncio.create_task(take())]
        for _ in range(200):
            await asyncio.sleep(0)
        await pipe.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [PipeError, PipeError]


async def test_fifty_processes_at_once_start_speak_and_end() -> None:
    pipes = [ProcessPipe(["cat"]) for _ in range(50)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(pipe.start() for pipe in pipes))
        for number, pipe in enumerate(pipes):
            await pipe.send(b"[%d]" % number)
        assert [await receive(pipe) for pipe in pipes] == [[number] for number in range(50)]
        processes = [psutil.Process(pipe.pid or 0) for pipe in pipes]
        await asyncio.gather(*(pipe.close() for pipe in pipes))
    assert not any(process.is_running() for process in processes)
