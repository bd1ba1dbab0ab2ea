"""Real clients, each asking the same of a server directly and through Tidegate, over every way clients connect."""

from collections.abc import Awaitable
from pathlib import Path

import pytest

from conformance.reference import STDIO_COMMAND, reference_server
from peers.clients import CLIENTS, EVERYTHING, REFERENCE, ClientPeer, Target
from peers.exchange import Step, Transcript
from peers.running import everything_over
from peers.servers import SERVERS
from support.proxy import audit_to, running_tidegate, wrapped, write_settings

# The timeout is for a busy machine: each starts several programs.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def of(*transports: str) -> list[object]:
    return [
        pytest.param(client, id=client.name, marks=[pytest.mark.node] if client.node else [])
        for client in CLIENTS
        if client.transport in transports
    ]


def server_command(name: str) -> list[str]:
    return next(server.command(Path()) for server in SERVERS if server.name == name)


def run(client: ClientPeer, target: Target, script: list[Step], folder: Path) -> Awaitable[Transcript]:
    folder.mkdir()
    return client.run(target, script, folder)


@pytest.mark.parametrize("client", of("http"))
async def test_a_real_client_sees_the_same_through_tidegate_over_http(client: ClientPeer, tmp_path: Path) -> None:
    async with reference_server() as url, running_tidegate({"reference": {"url": url}}) as proxy:
        direct = await run(client, url, REFERENCE, tmp_path / "direct")
        proxied = await run(client, proxy.endpoint("reference"), REFERENCE, tmp_path / "proxied")
        assert proxy.records()
    assert proxied == direct


@pytest.mark.parametrize("client", of("stdio"))
async def test_a_real_client_sees_the_same_through_tidegate_wrap(client: ClientPeer, tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    settings = write_settings(tmp_path / "tidegate.toml", {}, [audit_to(audit)], {})
    direct = await run(client, STDIO_COMMAND, REFERENCE, tmp_path / "direct")
    proxied = await run(client, wrapped(settings, STDIO_COMMAND), REFERENCE, tmp_path / "proxied")
    assert audit.read_text()
    assert proxied == direct


@pytest.mark.parametrize("behind", ["sse", "process"])
@pytest.mark.parametrize("client", of("sse"))
async def test_a_real_client_of_http_with_sse_sees_the_same_through_tidegate(
    client: ClientPeer, behind: str, tmp_path: Path
) -> None:
    async with everything_over("sse") as url:
        direct = await run(client, url, EVERYTHING, tmp_path / "direct")
        table = {"url": url, "transport": "sse"} if behind == "sse" else {"command": server_command("everything")}
        async with running_tidegate({"everything": table}) as proxy:
            proxied = await run(client, proxy.sse("everything"), EVERYTHING, tmp_path / "proxied")
            assert proxy.records()
    assert proxied == direct
