"""Tidegate in one container, the launcher in another: the one that faces clients has no way to the engine."""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from containers.test_images import STATE, container
from ends.programs import PATIENCE, until
from support.images import Images
from support.proxy import toml
from tidegate.containers.direct import FOLDER
from tidegate.containers.spec import SERVER

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]

COMPOSE = Path(__file__).parents[2] / "examples" / "compose.yaml"
SOCKET = Path("/var/run/docker.sock")
NAME = "two-echo"
LAUNCHER = 65532  # whom the image runs as


GROUP = SOCKET.stat().st_gid if SOCKET.exists() else 0


@asynccontextmanager
async def both(images: Images, tmp_path: Path, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a launcher's container, with these options, and one of `tidegate wrap` with its standard streams held."""
    settings, run = tmp_path / "tidegate.toml", tmp_path / "run"
    settings.write_text(
        '[proxy]\nlauncher = "/run/tidegate/launcher.sock"\n'
        f"[servers.{NAME}]\nimage = {toml(images.echo)}\n"
        '[[interceptors]]\nuse = "audit"\npath = "/var/lib/tidegate/audit.jsonl"\n'
    )
    settings.chmod(0o644)
    run.mkdir()
    run.chmod(0o777)
    shared = (
        f"--mount=type=bind,src={settings},dst=/etc/tidegate/tidegate.toml,readonly",
        f"--mount=type=bind,src={run},dst=/run/tidegate",
        "--no-healthcheck",
    )
    engine = (f"--mount=type=bind,src={SOCKET},dst={SOCKET}", f"--group-add={GROUP}")
    launcher = ("launcher", "/etc/tidegate/tidegate.toml", "--listen", "/run/tidegate/launcher.sock")
    wrap = ("wrap", "--settings", "/etc/tidegate/tidegate.toml", "--name", NAME)
    async with container(images.tidegate, *launcher, options=(*shared, *engine, *options)):
        await until((run / "launcher.sock").exists)
        async with container(images.tidegate, *wrap, options=(*shared, STATE)) as process:
            yield process


async def ask(process: asyncio.subprocess.Process, tree: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1} | tree).encode() + b"\n")
    async with asyncio.timeout(PATIENCE):
        reply: dict[str, Any] = json.loads(await process.stdout.readline())
        return reply


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder in this machine's memory, the launcher's alone."""
    made = Path(tempfile.mkdtemp(prefix="tidegate-test-", dir="/dev/shm"))
    if os.geteuid() == 0:
        os.chown(made, LAUNCHER, LAUNCHER)
    else:
        made.chmod(0o777)
    yield made
    assert not list(made.iterdir())  # the launcher has left nothing there
    made.rmdir()


@pytest.mark.parametrize("streams", ["direct", "engine"])
async def test_a_tidegate_without_the_engines_socket_serves_a_container(
    images: Images, client: docker.DockerClient, tmp_path: Path, in_memory: Path, streams: str
) -> None:
    def there() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.api.containers(all=True, filters={"label": f"{SERVER}={NAME}"})
        return found

    folder = (f"--mount=type=bind,src={in_memory},dst={in_memory}", f"--env=XDG_RUNTIME_DIR={in_memory}")
    async with both(images, tmp_path, *(folder if streams == "direct" else ())) as process:
        about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        opened = await ask(process, {"method": "initialize", "params": about})
        assert opened["result"]["protocolVersion"] == "2025-06-18"
        assert process.stdin
        process.stdin.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
        call = {"name": "echo", "arguments": {"text": "over there"}}
        echoed = await ask(process, {"method": "tools/call", "params": call})
        assert echoed["result"]["content"][0]["text"] == "over there"
        (running,) = there()
        assert [mount["Destination"] for mount in running["Mounts"]] == ([FOLDER] if streams == "direct" else [])
        process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
        await until(lambda: not there())


def test_the_composition_gives_the_engines_socket_to_the_launcher_alone() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert set(services) == {"launcher", "tidegate"}
    assert any(str(SOCKET) in volume for volume in services["launcher"]["volumes"])
    assert not any("docker.sock" in volume for volume in services["tidegate"]["volumes"])
    for service in services.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"]
        assert service["user"] == "65532:65532"
        assert "privileged" not in service
