"""Asks a server who it is and what tools it has, as a client would; for ``tidegate check``."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tidegate import settings as settings_module
from tidegate import verdict, wire
from tidegate.flow import Principal
from tidegate.relay import Relay
from tidegate.servers import new_upstream
from tidegate.upstream import Context, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tidegate.ends.http1 import HttpClient
    from tidegate.flows import Core
    from tidegate.streams import Reply

_LEGACY = "2025-11-25"
_OWNER = Principal("tidegate")


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a server said when it was asked who it is.

    Attributes:
        ok: whether it can be used.
        detail: one sentence about what is wrong, if anything.
        protocol: the protocol version agreed on.
        server: its name and version, in its own words.
        tools: how many tools its first page lists; ``None`` where it has none to list.
        elapsed_ms: how long all of it took, in milliseconds.
        streams: how a container's standard input and output came here, ``direct`` or ``engine``; else "".
        stderr: of one that can't be used, what it wrote to its standard error last: its own text, unredacted.
    """

    ok: bool
    detail: str = ""
    protocol: str = ""
    server: str = ""
    tools: int | None = None
    elapsed_ms: float = 0.0
    streams: str = ""
    stderr: str = field(default="", repr=False)


async def probe(core: Core, client: HttpClient, name: str) -> ProbeResult:
    """Start or reach a server, begin a session and list its tools.

    Args:
        core: what relays share, without interceptors.
        client: the connections to servers that are reached over HTTP.
        name: the server's name in the settings.
    """
    begun = time.monotonic()
    settings = core.now.settings
    try:
        upstream, own = new_upstream(core, name, _OWNER, client)
    except settings_module.SettingsError as error:
        return ProbeResult(ok=False, detail=str(error))
    relay = Relay(core, settings.server(name), upstream, _OWNER)
    try:
        async with asyncio.timeout(settings.start_timeout(name)):
            result = await _ask(relay)
            if own is not None and own.current is not None:
                result = replace(result, streams=getattr(own.current.pipe, "streams", ""))
    except TimeoutError:
        result = ProbeResult(ok=False, detail="it didn't answer in time")
    except Unavailable as failure:
        result = ProbeResult(ok=False, detail=str(failure))
    finally:
        instance = own.current if own is not None else None
        await relay.close()
    if not result.ok and instance is not None:
        result = replace(result, stderr=instance.pipe.stderr_tail())
    return replace(result, elapsed_ms=round((time.monotonic() - begun) * 1000, 1))


async def _ask(relay: Relay) -> ProbeResult:
    info = {"name": "tidegate", "version": "1"}
    params = {"protocolVersion": _LEGACY, "capabilities": {}, "clientInfo": info}
    said = await _call(relay, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    if "error" in said or not isinstance(said.get("result"), dict):
        return ProbeResult(ok=False, detail=_sentence(said))
    result = said["result"]
    who = result.get("serverInfo") if isinstance(result.get("serverInfo"), dict) else {}
    await relay.accept(b'{"jsonrpc":"2.0","method":"notifications/initialized"}', Context())
    tools = None
    if "tools" in (result.get("capabilities") or {}):
        listed = await _call(relay, {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}})
        items = (listed.get("result") or {}).get("tools")
        tools = len(items) if isinstance(items, list) else None
    name = f"{who.get('name', '?')} {who.get('version', '')}".strip()
    return ProbeResult(ok=True, protocol=relay.version, server=name[:100], tools=tools)


def _sentence(said: dict[str, Any]) -> str:
    error = said.get("error")
    if not isinstance(error, dict) or not isinstance(text := error.get("message"), str):
        return "it answered something else than a result"
    own = error.get("code") in (verdict.CODES["unavailable"][0], verdict.CODES["overdue"][0])  # it answered nothing
    return (text if own else f"it answered: {text}")[:300]


async def _call(relay: Relay, tree: dict[str, Any]) -> dict[str, Any]:
    reply = await relay.accept(json.dumps(tree).encode(), Context())
    data = reply.body if reply.body is not None else await _last(reply)
    found = wire.load(data) if data else {}
    return found if isinstance(found, dict) else {}


async def _last(reply: Reply) -> bytes | None:
    data = None
    async for out in reply.events or _none():
        data = out.data or data
    return data


async def _none() -> AsyncGenerator[Any, None]:
    return
    yield
