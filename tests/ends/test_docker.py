"""A container as a pipe: real containers, well-behaved and not."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import docker
import pytest

from ends.containers import HANG, NAME, STARTING, boxes, container, there
from ends.programs import PATIENCE, receive
from support.images import Images
from tidegate.containers import lease, seccomp
from tidegate.containers.engine import OWNER
from tidegate.containers.spec import INSTANCE, SERVER
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.pipe import Overlong, PipeError

NONE = f"sha256:{'0' * 64}"

pytestmark = pytest.mark.docker


async def ending(pipe: ContainerPipe) -> str:
    """How a pipe ends, after all that it still has to say."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await pipe.receive()
            except PipeError as error:
                return str(error)


async def test_a_server_answers_and_is_gone_after_the_close(images: Images, client: docker.DockerClient) -> None:
    async with container(images.echo, grace=10) as pipe:
        for text in ("hello", "x" * 400_000, "é☃𝄞"):
            call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
            call["params"] = {"name": "echo", "arguments": {"text": text}}
            await pipe.send(json.dumps(call).encode())
            assert (await receive(pipe))["result"]["content"][0]["text"] == text
        assert there(client, pipe.container)
        begun = time.monotonic()
        await pipe.close()
        assert time.monotonic() - begun < 5  # it ended with its input, not by force
        assert not there(client, pipe.container)
        for action in (pipe.receive, lambda: pipe.send(b"{}")):
            with pytest.raises(PipeError, match=r"^test was closed\.$"):
                await action()


async def test_streams_dont_mix_and_large_lines_are_whole_or_dropped(images: Images) -> None:
    program = """
import os, sys, threading
def noise():
    for number in range(3000):
        os.write(2, b'noise {}\\n' * 100)
thread = threading.Thread(target=noise)
thread.start()
os.write(1, b'[1]\\n')
for size in (900_000, 1_100_000, 900_000):
    sys.stdout.write('"' + 'x' * size + '"\\n')
sys.stdout.flush()
thread.join()
sys.stderr.write('the end')
"""
    async with container(images.base, program) as pipe:
        assert await receive(pipe) == [1]
        assert await receive(pipe) == "x" * 900_000
        with pytest.raises(Overlong):
            await receive(pipe)
        assert await receive(pipe) == "x" * 900_000
        assert await ending(pipe) == "test ended with exit code 0."
        assert pipe.stderr_tail().endswith("the end")
        assert len(pipe.stderr_tail()) <= 16 * 1024


@pytest.mark.parametrize("streams", ["direct", "engine"])
async def test_the_container_is_held_to_its_profile(images: Images, client: docker.DockerClient, streams: str) -> None:
    async with container(images.base, HANG, streams=streams) as pipe:
        shown = client.api.inspect_container(pipe.container)
    host, config = shown["HostConfig"], shown["Config"]
    assert config["User"] == "65534:65534"
    attached = streams == "engine"
    assert (config["OpenStdin"], config["StdinOnce"], config["Tty"]) == (attached, attached, False)
    assert [(mount["Type"], mount["RW"]) for mount in shown["Mounts"]] == [] if attached else [("bind", False)]
    labels = {name: config["Labels"][name] for name in (OWNER, INSTANCE, SERVER)}
    assert labels == {OWNER: str(lease.this_process()), INSTANCE: pipe.container, SERVER: "test"}
    expected = {
        "ReadonlyRootfs": True,
        "NetworkMode": "none",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", f"seccomp={seccomp.profile()}"],
        "Dns": ["127.0.0.1"],
        "CgroupnsMode": "private",
        "PidsLimit": 128,
        "Memory": 256 * 1024 * 1024,
        "MemorySwap": 256 * 1024 * 1024,
        "NanoCpus": 1_000_000_000,
        "Init": True,
        "IpcMode": "private",
        "ShmSize": 1024 * 1024,
        "OomScoreAdj": 500,
        "AutoRemove": True,
        "Privileged": False,
        "PidMode": "",
        "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,mode=1777,uid=65534,gid=65534,size=16777216,nr_inodes=16384"},
        "LogConfig": {"Type": "none", "Config": {}},
    }
    assert {name: host[name] for name in expected} == expected
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert {limit["Name"]: limit["Hard"] for limit in host["Ulimits"]} == {"nofile": 1024, "core": 0}


# long: a table of what it tries
async def test_the_container_can_do_little(images: Images) -> None:
    program = """
import json, os, socket
status = dict(line.split(':', 1) for line in open('/proc/self/status') if ':' in line)
def attempt(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__ + ' ' + str(error.errno)
    return 'done'
def execute():
    with open('/tmp/program', 'w') as file:
        file.write('#!/bin/sh\\n')
    os.chmod('/tmp/program', 0o755)
    os.execv('/tmp/program', ['/tmp/program'])
def fill():
    with open('/tmp/big', 'wb') as file:
        for _ in range(20):
            file.write(b'x' * 1024 * 1024)
def fork():
    pids = []
    try:
        for _ in range(200):
            pid = os.fork()
            if pid == 0:
                import time
                time.sleep(60)
            pids.append(pid)
    finally:
        for pid in pids:
            os.kill(pid, 9)
print(json.dumps({
    'ids': [os.getuid(), os.getgid(), os.getgroups()],
    'capabilities': [int(status[name], 16) for name in ('CapEff', 'CapPrm', 'CapBnd', 'CapInh', 'CapAmb')],
    'no_new_privileges': int(status['NoNewPrivs']),
    'interfaces': sorted(name for _, name in socket.if_nameindex()),
    'network': attempt(lambda: socket.create_connection(('192.0.2.1', 80), 2)),
    'write': [attempt(lambda: open(path, 'w')) for path in ('/etc/passwd', '/usr/x', '/run/x', '/x')],
    'tmp': attempt(lambda: open(os.environ['HOME'] + '/x', 'w')),
    'execute': attempt(execute),
    'fill': attempt(fill),
    'fork': attempt(fork),
    'setuid': attempt(lambda: os.setuid(0)),
}), flush=True)
"""
    async with container(images.base, program) as pipe:
        found = await receive(pipe)
    assert found["ids"][:2] == [65534, 65534]
    assert 0 not in found["ids"][2]
    assert found["capabilities"] == [0, 0, 0, 0, 0]
    assert found["no_new_privileges"] == 1
    assert "lo" in found["interfaces"]
    assert not [name for name in found["interfaces"] if name.startswith(("eth", "en"))]
    assert found["network"] == "OSError 101"  # no route
    assert found["write"] == ["OSError 30"] * 4  # a read-only file system
    assert found["tmp"] == "done"
    assert found["execute"] == "PermissionError 13"
    assert found["fill"] == "OSError 28"  # no space
    assert found["fork"] == "BlockingIOError 11"
    assert found["setuid"] == "PermissionError 1"


def shared_folders(parent: Path) -> None:
    parent.chmod(0o755)
    for name in ("given", "written"):
        (parent / name).mkdir()
        (parent / name).chmod(0o777)
    (parent / "given" / "file").write_text("content")


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_mounts_are_read_only_unless_they_say_otherwise(images: Images, tmp_path: Path) -> None:
    shared_folders(tmp_path)
    program = """
import json
def attempt(path):
    try:
        open(path, 'w').write('1')
    except OSError as error:
        return error.errno
print(json.dumps([open('/given/file').read(), attempt('/given/new'), attempt('/written/new')]))
"""
    mounts = ("./given:/given", f"{tmp_path}/written:/written:rw")
    starter = boxes(folder=tmp_path, image=images.base, args=("python", "-I", "-c", program), mounts=mounts)
    pipe = ContainerPipe(NAME, starter, grace=0.1)
    async with asyncio.timeout(STARTING):
        await pipe.start()
        assert await receive(pipe) == ["content", 30, None]
        await pipe.close()
    assert names(tmp_path / "given") == ["file"]
    assert names(tmp_path / "written") == ["new"]


async def test_its_environment_is_the_given_one_and_nothing_of_ours(images: Images) -> None:
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    os.environ["TIDEGATE_TEST_SECRET"] = "not for servers"
    try:
        async with container(images.base, program, env={"GIVEN": "1"}) as pipe:
            shown = await receive(pipe)
    finally:
        del os.environ["TIDEGATE_TEST_SECRET"]
    assert (shown["GIVEN"], shown["HOME"]) == ("1", "/tmp")
    assert "TIDEGATE_TEST_SECRET" not in shown


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("import sys; sys.exit(3)", "test ended with exit code 3."),
        ("x = bytearray(10**9)", "test was killed, by its limit on memory as a rule."),
        ("import os; os.execvp('nothing', ['nothing'])", "test ended with exit code 1."),
    ],
)
async def test_an_end_by_itself_is_told_and_leaves_nothing(
    images: Images, client: docker.DockerClient, program: str, sentence: str
) -> None:
    async with container(images.base, program) as pipe:
        assert await ending(pipe) == sentence
        assert not there(client, pipe.container)
        with pytest.raises(PipeError):
            await pipe.send(b"{}")


async def test_an_end_in_the_middle_of_a_call_is_told_promptly(images: Images, client: docker.DockerClient) -> None:
    async with container(images.base, HANG) as pipe:
        assert await receive(pipe) == [1]
        begun = time.monotonic()
        client.api.kill(pipe.container)
        assert await ending(pipe) == "test was killed, by its limit on memory as a rule."
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"image": "tidegate-test/none:1", "pull": "tag-ok"}, "get its image with docker pull tidegate-test/none:1."),
        ({"image": f"tidegate-test/none@{NONE}"}, f"get its image with docker pull tidegate-test/none@{NONE}."),
        ({"image": NONE}, f"the engine doesn't have its image {NONE}: build or load it."),
        ({"mounts": ("no-such-folder:/data",)}, "bind source path does not exist: /nonexistent/no-such-folder."),
        ({"runtime": "tidegate-none"}, "test can't be started: the engine hasn't got the runtime tidegate-none."),
        ({"user": "somebody"}, "test can't be started: the image has no user somebody."),
    ],
)
async def test_what_cant_be_started_is_told_in_one_sentence_and_leaves_nothing(
    images: Images, client: docker.DockerClient, settings: dict[str, Any], sentence: str
) -> None:
    pipe = ContainerPipe(NAME, boxes(**{"image": images.base, **settings}))
    async with asyncio.timeout(STARTING):
        with pytest.raises(PipeError) as error:
            await pipe.start()
        await pipe.close()
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    assert not there(client, pipe.container)
