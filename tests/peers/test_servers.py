"""Real servers, each asked the same directly and through Tidegate: over HTTP in front of it, and by `tidegate wrap`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from mcp import StdioServerParameters
from mcp.client.sse import sse_client

from peers.exchange import Transcript, blurred, play
from peers.running import Era, everything_over, python_client, web_page
from peers.servers import SERVERS, Server, everything
from support.proxy import audit_to, running_tidegate, wrapped, write_settings
from support.sandbox import boxed

# The timeout is for a busy machine: each starts several programs.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

WAYS = [
    pytest.param(server, era, id=f"{server.name}-{era}", marks=[pytest.mark.node] if server.node else [])
    for server in SERVERS
    for era in ("legacy", "auto")
]


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    with web_page() as address:
        yield address


@pytest.fixture(scope="module")
def told() -> dict[tuple[str, Era], Transcript]:
    """What the direct runs said: they are the same for every way through Tidegate."""
    return {}


class Runs:
    """Runs of one server's script, each in a fresh folder."""

    def __init__(self, server: Server, era: Era, page: str, folder: Path) -> None:
        self.server, self.era, self.page, self.root = server, era, page, folder

    def folder(self, name: str) -> Path:
        made = self.root / name / "data"
        made.mkdir(parents=True)
        self.server.prepare(made)
        return made

    async def play(self, target: object, folder: Path) -> Transcript:
        async with python_client(target, self.era) as client:
            told = await play(client, self.server.script(folder, self.page))
        return blurred(told, self.server.blurs_in(folder))

    async def over_stdio(self, command: list[str], folder: Path) -> Transcript:
        env = self.server.environment(folder)
        return await self.play(StdioServerParameters(command=command[0], args=command[1:], env=env), folder)

    async def direct(self, told: dict[tuple[str, Era], Transcript]) -> Transcript:
        key = (self.server.name, self.era)
        if key not in told:
            folder = self.folder("direct")
            told[key] = await self.over_stdio(self.server.command(folder), folder)
        return told[key]

    async def through_http(self) -> Transcript:
        folder = self.folder("http")
        table = {
            "command": self.server.command(folder),
            "env": self.server.environment(folder),
            **boxed(folder, network=self.server.name == "fetch"),
        }
        async with running_tidegate({self.server.name: table}) as proxy:
            told = await self.play(proxy.endpoint(self.server.name), folder)
            assert proxy.records()
            return told

    async def through_wrap(self) -> Transcript:
        folder = self.folder("wrap")
        audit = folder.parent / "audit.jsonl"
        settings = write_settings(folder.parent / "tidegate.toml", {}, [audit_to(audit)], {})
        told = await self.over_stdio(wrapped(settings, self.server.command(folder)), folder)
        assert audit.read_text()
        return told


@pytest.mark.parametrize(("server", "era"), WAYS)
async def test_a_real_server_answers_the_same_through_tidegate_over_http(
    server: Server, era: Era, page: str, told: dict[tuple[str, Era], Transcript], tmp_path: Path
) -> None:
    runs = Runs(server, era, page, tmp_path)
    assert await runs.through_http() == await runs.direct(told)


@pytest.mark.parametrize(("server", "era"), WAYS)
async def test_a_real_server_answers_the_same_through_tidegate_wrap(
    server: Server, era: Era, page: str, told: dict[tuple[str, Era], Transcript], tmp_path: Path
) -> None:
    runs = Runs(server, era, page, tmp_path)
    assert await runs.through_wrap() == await runs.direct(told)


@pytest.mark.node
@pytest.mark.parametrize(("transport", "key"), [("streamableHttp", "streamable-http"), ("sse", "sse")])
async def test_a_real_remote_server_answers_the_same_through_tidegate(
    transport: Literal["streamableHttp", "sse"], key: str, tmp_path: Path
) -> None:
    script = everything(tmp_path, "")
    blurs = next(server.blurs for server in SERVERS if server.name == "everything")
    async with everything_over(transport) as url:
        async with python_client(sse_client(url) if transport == "sse" else url, "legacy") as client:
            direct = await play(client, script)
        async with running_tidegate({"everything": {"url": url, "transport": key}}) as proxy:
            async with python_client(proxy.endpoint("everything"), "legacy") as client:
                proxied = await play(client, script)
            assert proxy.records()
    assert blurred(proxied, blurs) == blurred(direct, blurs)
