"""``ping``: whether a server answers, how fast, and who it says it is."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import asking, output
from tidegate.cli.asking import EraOption, Failed, JsonOption, SettingsOption, TokenOption

if TYPE_CHECKING:
    from tidegate.cli.asker import Asker
    from tidegate.client.client import Client


def ping(
    server: Annotated[str, typer.Argument(help="The server's name in the settings.", show_default=False)],
    *,
    count: Annotated[int, typer.Option("--count", "-c", min=1, help="How many round trips.")] = 4,
    settings: SettingsOption = None,
    token_env: TokenOption = asking.TOKEN,
    era: EraOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Ask a server whether it lives: how long round trips take, its protocol version, who it is and what it can do.

    A round trip is `ping`, or `server/discover` with 2026-07-28, which has none. The Tidegate that runs with the
    settings is asked; where none does, the server is started for it, behind the same interceptors. Exit code 3 if it
    can't be reached.
    """

    async def work(asker: Asker) -> dict[str, Any] | Failed:
        from tidegate.cli.asker import attempt  # noqa: PLC0415 - heavy

        return await attempt(_asked(asker, server, count, shown=not as_json))

    said = asking.ask(settings, (server,), token_env, era, work)
    if isinstance(said, Failed):
        raise output.Failure(f"{server}: {said.reason}", said.code)
    if as_json:
        output.dump(said)
        return
    times = said["times_ms"]
    output.say(
        f"{output.counted(len(times), 'round trip')}: least {min(times):.1f}, median {statistics.median(times):.1f}, "
        f"most {max(times):.1f} ms"
    )


async def _asked(asker: Asker, server: str, count: int, *, shown: bool) -> dict[str, Any]:
    begun = time.perf_counter()
    async with asker.client(server) as client:
        hello = client.hello
        begin = (time.perf_counter() - begun) * 1000
        said = {
            "server": server,
            "running": asker.running,
            "era": "modern" if hello.modern else "legacy",
            "protocol": hello.version,
            "name": hello.server.get("name"),
            "version": hello.server.get("version"),
            "capabilities": hello.capabilities,
            "begin_ms": round(begin, 1),
        }
        if shown:
            kind = "modern era, no sessions" if hello.modern else "legacy era, with sessions"
            through = "the Tidegate that runs" if asker.running else "a Tidegate of this command's own"
            output.say(f"{server} is {hello.who}, protocol {hello.version} ({kind})")
            output.say(f"It can: {_able(hello.capabilities)}")
            output.say(f"Through {through}; begun in {begin:.0f} ms")
        times = [await _round_trip(client, number, shown=shown) for number in range(1, count + 1)]
    return said | {"times_ms": times}


async def _round_trip(client: Client, number: int, *, shown: bool) -> float:
    begun = time.perf_counter()
    await client.request("server/discover" if client.hello.modern else "ping", {})
    took = round((time.perf_counter() - begun) * 1000, 2)
    if shown:
        output.say(f"{number:3}: {took:.1f} ms")
    return took


def _able(capabilities: dict[str, Any]) -> str:
    """Return capabilities in words, with the parts of each that are on."""
    words = []
    for name, parts in capabilities.items():
        on = [key for key, value in parts.items() if value is True] if isinstance(parts, dict) else []
        words.append(f"{name} ({', '.join(on)})" if on else str(name))
    return ", ".join(words) or "nothing that it says"
