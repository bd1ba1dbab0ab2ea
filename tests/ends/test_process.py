"""A local process as a pipe: real processes, well-behaved and not."""

import asyncio
import signal
import sys
from pathlib import Path

import psutil
import pytest

from ends.programs import (
    ECHO,
    PATIENCE,
    gone,
    python,
    receive,
    running,
    until,
)
from tidegate.ends.buffers import QUEUED
from tidegate.ends.pipe import Overlong, PipeError
from tidegate.ends.process import ProcessPipe


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
