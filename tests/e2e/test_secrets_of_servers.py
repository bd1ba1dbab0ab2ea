"""The secrets of a container, a process and a remote server: given to their own, found in traffic, written nowhere."""

import asyncio
import base64
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import docker
import pytest

from robustness.talking import Peer
from robustness.watching import until
from support import leaks
from support.images import Images
from support.proxy import RunningTidegate, audit_to, running_tidegate, tidegate, write_settings
from support.web import Exchange, ScriptedServer

SECONDS = 60
BOXED, FILED, SENT = (f"{name}-{os.urandom(12).hex()}-pa55" for name in ("boxed", "filed", "sent"))
NEWER = f"newer-{os.urandom(12).hex()}-pa55"
DENIED = "Denied by Tidegate: The message holds a secret"
ALL = (BOXED, FILED, SENT, NEWER)

# Serves one tool that tells the secret it was given, in a disguise.
TELLER = """
import base64, json, os, sys
value = open(os.environ["API_KEY_FILE"]).read()
shapes = {"plain": value, "base64": base64.b64encode(b"x: " + value.encode()).decode(), "hex": value.encode().hex()}
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    result = {}
    if message["method"] == "initialize":
        about = {"name": "teller", "version": "1"}
        version = message["params"]["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
    elif message["method"] == "tools/list":
        result = {"tools": [{"name": "tell", "inputSchema": {"type": "object"}}]}
    elif message["method"] == "tools/call":
        arguments = message["params"]["arguments"]
        told = shapes.get(arguments["shape"]) or str(arguments["text"] == value)
        result = {"content": [{"type": "text", "text": told}]}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


async def tells_its_header(exchange: Exchange) -> None:
    """A remote server that repeats what it was sent, as careless ones do."""
    message = exchange.json if exchange.method == "POST" else {}
    if "id" not in message:
        await exchange.reply(status=202 if message else 405)
        return
    result: dict[str, Any] = {"content": [{"type": "text", "text": exchange.headers["authorization"]}]}
    if message["method"] == "initialize":
        about = {"name": "remote", "version": "1"}
        version = message["params"]["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
    await exchange.result(result, **{"mcp-session-id": "one"})


def stored(folder: Path, name: str, value: str) -> None:
    done = subprocess.run(
        tidegate("secret", "set", name, "--settings", folder / "stores.toml"),
        cwd=folder, input=value.encode(), capture_output=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def ran(folder: Path, *command: str) -> str:
    return leaks.printed("env", "-C", str(folder), *tidegate(*command))


STORES = {"secrets": {"stores": [{"use": "encrypted", "path": "secrets", "key": "file:key"}]}}


@asynccontextmanager
async def run(folder: Path, image: str, *, boxed: bool = True) -> AsyncIterator[tuple[RunningTidegate, ScriptedServer]]:
    """Run Tidegate in front of a container, a process and a remote server, each with a secret of its own."""
    write_settings(folder / "stores.toml", {}, [], {}, STORES)
    for name, value in (("boxed", BOXED), ("filed", FILED), ("sent", SENT)):
        if boxed or name != "boxed":
            stored(folder, name, value)
    async with ScriptedServer(tells_its_header) as remote:
        program = ["python", "-I", "-c", TELLER]
        servers = {
            "boxed": {"image": image, "args": program, "secrets": {"API_KEY": "secret:boxed"}},
            "filed": {"command": program, "secrets": {"API_KEY": "secret:filed"}, "secrets_as": "file"},
            "remote": {"url": remote.url, "headers": {"Authorization": "Bearer secret:sent"}},
        }
        interceptors = [{"use": "secrets"}, audit_to(folder / "audit.jsonl")]
        options = ["--log-level", "debug", "--log-format", "json"]
        async with running_tidegate(servers, interceptors, folder=folder, tables=STORES, options=options) as running:
            yield running, remote


def text_of(answer: Any) -> str:
    return str(answer["result"]["content"][0]["text"])


async def asked(running: RunningTidegate, server: str, **arguments: Any) -> Any:
    """Ask in a session that is begun for it and left open, so that what was started for it stays."""
    async with Peer(running.endpoint(server)) as peer:
        await peer.begin()
        return await peer.call("tell", **arguments)


def standing(running: RunningTidegate, folder: Path, client: docker.DockerClient) -> list[str]:
    """Where on this machine a value stands, memory of processes and of containers aside."""
    boxes = client.api.containers(all=True, filters={"name": "tidegate-boxed-"})
    assert boxes, "a session was to keep its container"
    inspected = json.dumps([client.api.inspect_container(box["Id"]) for box in boxes])
    shown = {
        "docker inspect": inspected,
        "ps axe": leaks.printed("ps", "axe"),
        "the log": running.stderr.read_text(),
        "the audit log": running.audit.read_text(),
        "secret ls": ran(folder, "secret", "ls"),
        "secret ls --json": ran(folder, "secret", "ls", "--json"),
        "check": ran(folder, "check"),
        "check --json": ran(folder, "check", "--json"),
        "explain": ran(folder, "explain", "--server", "filed", "message.json"),
        "audit show": ran(folder, "audit", "show", "-n", "0", "--json"),
    }
    begun = (folder / "stores.toml").stat().st_ctime
    places = [folder, Path(client.info()["DockerRootDir"]), Path("/run"), Path("/dev/shm"), Path.home() / ".local"]
    found = [place for place, said in shown.items() for value in ALL if value in said]
    found += [f"/proc/{pid}" for pid in leaks.processes(*ALL)]
    looked = [place for place in places if place.exists()]
    files = leaks.files(looked, *ALL, since=begun)
    return found + [str(path) for path in files if path.name != "message.json" and not in_memory(path)]


def in_memory(path: Path) -> bool:
    """Whether it is a file of the process that was told to have one: in memory, its owner's alone."""
    private = (path.stat().st_mode | path.parent.stat().st_mode) & 0o077 == 0
    return path.parent.name.startswith("tidegate-secrets-") and private


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(300)
@pytest.mark.requirement("secrets-stay-in")
async def test_what_servers_are_given_is_found_in_all_traffic_and_stands_nowhere(
    tmp_path: Path, images: Images
) -> None:
    call = {"name": "tell", "arguments": {"shape": "", "text": FILED}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    (tmp_path / "message.json").write_text(json.dumps(message))
    with closing(docker.from_env()) as client:
        async with run(tmp_path, images.base) as (running, remote):
            for server, value in (("boxed", BOXED), ("filed", FILED)):
                for shape in ("plain", "base64", "hex"):
                    told = text_of(await asked(running, server, shape=shape))
                    assert "[redacted:held-secret" in told, (server, shape)
                other = text_of(await asked(running, "filed" if server == "boxed" else "boxed", shape="", text=value))
                assert other.startswith(DENIED), "a secret went to another server"
            encoded = base64.b64encode(SENT.encode()).decode()
            assert text_of(await asked(running, "filed", shape="", text=encoded)).startswith(DENIED)
            assert text_of(await asked(running, "remote", shape="")).startswith("Bearer [redacted:held-secret")
            assert {exchange.headers["authorization"] for exchange in remote.got} == {f"Bearer {SENT}"}
            assert await asyncio.to_thread(standing, running, tmp_path, client) == []

            stored(tmp_path, "boxed", NEWER)
            os.kill(running.pid, signal.SIGHUP)
            await until(lambda: "the settings were reloaded" in running.stderr.read_text(), "the reload", SECONDS)
            assert "[redacted:held-secret" in text_of(await asked(running, "boxed", shape="hex"))
            assert text_of(await asked(running, "filed", shape="", text=NEWER)).startswith(DENIED)
            assert text_of(await asked(running, "filed", shape="", text=BOXED)) == "False", "the old one is forgotten"
            assert await asyncio.to_thread(standing, running, tmp_path, client) == []


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(300)
async def test_a_missing_secret_stops_its_server_alone(tmp_path: Path, images: Images) -> None:
    async with run(tmp_path, images.base, boxed=False) as (running, _):
        async with Peer(running.endpoint("boxed")) as peer:
            answer = await peer.ask(peer.request("initialize", {"protocolVersion": "2025-11-25"}))
        said = "the secret boxed is not set: run `tidegate secret set boxed`"
        assert said in answer["error"]["message"]
        assert said in running.stderr.read_text()
        assert "[redacted:held-secret" in text_of(await asked(running, "filed", shape="plain"))
        assert f"boxed: {said}" in ran(tmp_path, "check", "--no-servers")
        stored(tmp_path, "boxed", BOXED)
        os.kill(running.pid, signal.SIGHUP)
        await until(lambda: "the settings were reloaded" in running.stderr.read_text(), "the reload", SECONDS)
        assert "[redacted:held-secret" in text_of(await asked(running, "boxed", shape="plain"))
