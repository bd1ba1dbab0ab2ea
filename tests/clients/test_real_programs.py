"""What `connect` writes, given to the clients that npm has: they read it as it is meant, and reach Tidegate by it."""

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from clients.real import IN_PROJECT, REAL, TOKEN, Continue, Home, RealClient
from support.proxy import audit_to, running_tidegate, write_settings
from tidegate.clients import known, places
from tidegate.clients.places import Machine

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

PROGRAM = str(Path(sys.executable).with_name("tidegate"))
COMMAND = [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"]
SERVERS = {"time": {"command": COMMAND, "sandbox": "none"}}
SECRET = "tg_aSampleOnlyAndNoRealToken0000000000000000000"
BEGINNINGS = ("initialize", "server/discover")


def home_of(real: RealClient, folder: Path, token: str = "") -> Home:
    """A home with what a client wants to find there."""
    place = folder / "home"
    place.mkdir()
    home = Home(place, token)
    real.prepare(home)
    return home


def begun(logs: Iterable[Path], real: RealClient, at: str = "gateway") -> list[dict[str, Any]]:
    """The records of conversations that a client has begun; of a log that is being written, the whole lines count."""
    lines = [line for log in logs for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
    records = [json.loads(line) for line in lines]
    answers = [record for record in records if record["kind"] == "result" and record["method"] in BEGINNINGS]
    return [one for one in answers if one["server"] == at and one["client"]["name"] == real.calls_itself]


@pytest.mark.parametrize("real", REAL)
async def test_a_client_reaches_the_gateway_with_its_token_until_it_is_disconnected(
    real: RealClient, tmp_path: Path
) -> None:
    client = known.find(real.name)
    assert client is not None
    home = home_of(real, tmp_path, SECRET)
    auth = {"tokens": [{"name": "laptop", "sha256": hashlib.sha256(SECRET.encode()).hexdigest()}]}
    token = ["--token-env", TOKEN, *(["--token-clear"] if client.shape.token is None else [])]
    async with running_tidegate(SERVERS, tables={"auth": auth}) as proxy:
        await home.tidegate("connect", real.name, "--url", proxy.gateway, *token, "--yes")
        assert await real.listed(home) in (None, {"tidegate": real.says(proxy.gateway)})
        await real.connects(home, lambda: bool(begun([proxy.audit], real)))
        assert {record["principal"] for record in begun([proxy.audit], real)} == {"laptop"}
        await home.tidegate("disconnect", real.name, "--yes")
        before = begun([proxy.audit], real)
        assert await real.listed(home) in (None, {})
        await real.connects(home, lambda: True)
        assert begun([proxy.audit], real) == before


@pytest.mark.parametrize("real", IN_PROJECT)
async def test_a_client_reaches_the_gateway_by_its_file_of_a_project(real: RealClient, tmp_path: Path) -> None:
    home = home_of(real, tmp_path)
    async with running_tidegate(SERVERS) as proxy:
        await home.tidegate("connect", real.name, "--project", ".", "--url", proxy.gateway, "--yes")
        assert await real.listed(home) == {"tidegate": proxy.gateway}
        await real.connects(home, lambda: bool(begun([proxy.audit], real)))
        await home.tidegate("disconnect", real.name, "--project", ".", "--yes")
        assert await real.listed(home) == {}


@pytest.mark.parametrize("real", REAL)
async def test_a_client_starts_tidegate_itself_where_its_entry_is_a_command(real: RealClient, tmp_path: Path) -> None:
    home = home_of(real, tmp_path)
    audit = audit_to(tmp_path / "{name}-{pid}.jsonl")
    settings = write_settings(tmp_path / "tidegate.toml", SERVERS, [audit], {"listen": "127.0.0.1:0"})
    await home.tidegate("connect", real.name, "--stdio", "--settings", settings, "--yes")
    assert await real.listed(home) in (None, {"tidegate": real.says(f"{PROGRAM} run --stdio {settings}")})
    await real.connects(home, lambda: bool(begun(tmp_path.glob("gateway-*.jsonl"), real)))
    await home.tidegate("disconnect", real.name, "--yes")
    assert await real.listed(home) in (None, {})


@pytest.mark.parametrize("real", REAL)
async def test_a_clients_own_server_goes_through_tidegate_once_it_is_wrapped(real: RealClient, tmp_path: Path) -> None:
    client = known.find(real.name)
    assert client is not None
    home = home_of(real, tmp_path)
    await real.has(home, COMMAND)
    file = places.file_of(client, Machine("linux", home.folder, {}))
    assert file is not None
    before = file.read_bytes()
    await home.tidegate("connect", real.name, "--wrap", "--yes")
    wrapped = " ".join([PROGRAM, "wrap", "--name", "time", "--", *COMMAND])
    assert await real.listed(home) in (None, {"time": real.says(wrapped)})
    logs = home.folder / ".local/state/tidegate/audit"
    await real.connects(home, lambda: bool(begun(logs.glob("time-*.jsonl"), real, "time")))
    await home.tidegate("disconnect", real.name, "--yes")
    assert file.read_bytes() == before


async def test_continues_program_reads_the_file_of_a_project_as_a_configuration(tmp_path: Path) -> None:
    real = Continue()
    home = home_of(real, tmp_path)
    await home.tidegate("connect", real.name, "--project", ".", "--yes")
    assert "No model specified" in await real.asked(home, "--config", ".continue/mcpServers/tidegate.yaml")
