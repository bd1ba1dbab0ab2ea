"""Servers that work in the sandbox: what they are shown, may write, are told, and how their end is told."""

import json
import os
import sys
from pathlib import Path

import pytest

from ends.programs import ECHO, receive
from sandbox.inside import inside, said, writable
from tidegate.box_settings import Bind
from tidegate.ends.pipe import PipeError
from tidegate.sandbox.bubblewrap import Box

pytestmark = pytest.mark.bubblewrap

ZONE = os.path.realpath("/etc/localtime")
RESOLVES = Path("/etc/resolv.conf").exists()
END = "{}; it runs in a sandbox with no network, no home: see mounts and egress in docs/sandbox.md."


async def ending(*command: str, box: Box | None = None) -> str:
    async with inside(command, box) as pipe:
        with pytest.raises(PipeError) as error:
            await pipe.receive()
    return str(error.value)


async def test_messages_cross_both_ways() -> None:
    texts = [b"{}", b'"' + b"x" * 1_000_000 + b'"', '["é☃𝄞"]'.encode()]
    async with inside([sys.executable, "-I", "-S", "-c", ECHO]) as pipe:
        for text in texts:
            await pipe.send(text)
        assert [await receive(pipe) for _ in texts] == [json.loads(text) for text in texts]


async def test_nothing_of_ours_is_open_and_the_environment_is_the_safe_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not for servers")
    monkeypatch.setenv("TMPDIR", "/not/there")
    show = "import json, os\nprint(json.dumps([os.listdir('/proc/self/fd'), dict(os.environ)]), flush=True)"
    descriptors, env = await said(show)
    assert sorted(descriptors) == ["0", "1", "2", "3"]  # 3 is the listing's own
    assert (env["HOME"], env["TMPDIR"]) == ("/home/server", "/tmp")
    assert "OPENAI_API_KEY" not in env


async def test_the_environment_that_the_settings_give_arrives_as_it_is() -> None:
    given = {"A": "one\ntwo = 'three'", "EMPTY": "", "HOME": "/srv/own", "é": "ü"}
    show = (
        "import json, os\nopen(os.path.expanduser('~/x'), 'w').close()\nprint(json.dumps(dict(os.environ)), flush=True)"
    )
    env = await said(show, env=given, box=Box(given={"HOME": "/srv/own"}))
    assert {name: env[name] for name in given} == given


async def test_a_user_a_host_and_a_time_zone_are_known() -> None:
    show = (
        "import getpass, json, os, pathlib, socket\n"
        "print(json.dumps([getpass.getuser(), str(pathlib.Path.home()), socket.gethostname(), "
        "socket.gethostbyname('localhost'), os.path.realpath('/etc/localtime')]), flush=True)"
    )
    user, home, host, local, zone = await said(show)
    assert (user, home, host, local) == ("server", "/home/server", "sandbox", "127.0.0.1")
    assert zone == ZONE


async def test_mounts_are_where_they_were_asked_for_and_writable_where_that_was_said(tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in/given").write_text("given")
    box = Box(tmp_path, (Bind("in", "/data/in", writable=False), Bind("out", "/data/out", writable=True)))
    copy = (
        "import json\ntext = open('/data/in/given').read()\nopen('/data/out/made', 'w').write(text)\n"
        "try:\n    open('/data/in/made', 'w')\nexcept OSError as error:\n    print(json.dumps(error.strerror))"
    )
    assert await said(copy, box=box) == "Read-only file system"
    assert (tmp_path / "out/made").read_text() == "given"
    assert (tmp_path / "out/made").stat().st_uid == os.getuid()


async def test_the_working_folder_is_shown_and_cant_be_changed(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("import json, os\nprint(json.dumps([os.getcwd(), os.listdir()]), flush=True)")
    async with inside([sys.executable, "server.py"], cwd=tmp_path) as pipe:
        assert await receive(pipe) == [str(tmp_path), ["server.py"]]
    write = "import json\ntry:\n    open('x', 'w')\nexcept OSError as error:\n    print(json.dumps(error.strerror))"
    assert await said(write, cwd=tmp_path) == "Read-only file system"


async def test_a_working_folder_that_nobody_gave_is_empty_but_for_what_the_command_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").touch()
    (tmp_path / "src").mkdir()
    (tmp_path / "src/server.py").write_text(
        "import json, os\nprint(json.dumps([os.getcwd(), os.listdir()]), flush=True)"
    )
    async with inside([sys.executable, "src/server.py"]) as pipe:
        assert await receive(pipe) == [str(tmp_path), ["src"]]


async def test_with_egress_it_reaches_this_machine_and_knows_its_name_servers() -> None:
    show = (
        "import json, os, socket\nwith socket.create_server(('127.0.0.1', 0)) as s:\n"
        "    print(json.dumps([sorted(os.listdir('/sys/class/net')) if os.path.exists('/sys') else None, "
        "len(socket.if_nameindex()), os.path.exists('/etc/resolv.conf')]), flush=True)"
    )
    assert (await said(show, box=Box(network=True)))[2] == RESOLVES
    assert (await said(show))[1:] == [1, False]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise SystemExit(3)", END.format("ended with exit code 3")),
        ("import os; os.kill(os.getpid(), 11)", END.format("was ended by SIGSEGV")),
        ("pass", "ended with exit code 0."),
    ],
)
async def test_an_early_end_says_that_it_ran_in_a_sandbox(source: str, words: str) -> None:
    assert await ending(sys.executable, "-I", "-S", "-c", source) == f"{Path(sys.executable).name} {words}"


def mounted(source: str) -> Box:
    return Box(Path("/srv"), (Bind(source, "/x", writable=False),))


@pytest.mark.parametrize(
    ("command", "box", "cwd", "sentence"),
    [
        ("no-such-program", Box(), None, "can't be started: no such program."),
        ("/etc/passwd", Box(), None, "can't be started: it can't be executed (permission denied)."),
        ("true", Box(), "/no/such", "can't be started in a sandbox: its working folder /no/such is not there."),
        (
            "true",
            Box(),
            "/etc",
            "its working folder /etc is refused, as /etc holds /etc/",
        ),
        ("true", Box(), "/tmp", "its working folder /tmp is refused, as /tmp is never shown whole."),
        ("true", mounted("none"), None, "can't be started in a sandbox: its mount none is not there."),
        ("true", mounted("../etc/shadow"), None, "its mount ../etc/shadow is refused, as /etc/shadow is keys"),
    ],
)
async def test_what_cant_be_started_is_told_in_one_sentence(
    command: str, box: Box, cwd: str | None, sentence: str
) -> None:
    with pytest.raises(PipeError) as error:
        async with inside([command], box, cwd=Path(cwd) if cwd else None):
            pass
    assert sentence in str(error.value)


async def test_a_value_with_a_nul_never_becomes_an_argument_of_the_sandbox() -> None:
    with pytest.raises(PipeError, match="NUL"):
        async with inside(["true"], env={"A": "x\0--bind\0/\0/"}):
            pass


async def test_a_box_that_may_write_to_a_folder_keeps_what_it_wrote(tmp_path: Path) -> None:
    write = f"import json, os\nopen({str(tmp_path / 'x')!r}, 'w').write('kept')\nprint(json.dumps(os.getuid()))"
    assert await said(write, box=writable(tmp_path)) == 65534
    assert (tmp_path / "x").read_text() == "kept"


async def test_tidegates_own_files_cant_be_read_in_what_it_is_shown_and_are_shown_by_no_mount(tmp_path: Path) -> None:
    (tmp_path / "work/policies").mkdir(parents=True)
    for name in ("tidegate.toml", "policies/a.rego", "notes"):
        (tmp_path / "work" / name).write_text("said")
    folder = tmp_path / "work"
    own = tuple(str(folder / name) for name in ("tidegate.toml", "policies", "audit.jsonl"))
    look = """
import json, os
def read(name):
    try:
        return open(name).read()
    except PermissionError:
        return None
print(json.dumps([read("notes"), read("tidegate.toml"), os.listdir("policies")]))
"""
    assert await said(look, box=Box(own=own), cwd=folder) == ["said", None, []]
    box = Box(folder, (Bind(".", "/x", writable=False),), own=own)
    with pytest.raises(PipeError, match=r"its mount \. is refused, as .*work holds .*, Tidegate's own"):
        async with inside(["true"], box):
            pass
