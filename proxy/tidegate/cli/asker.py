"""Clients for a command: of the Tidegate that runs with some settings, or of servers that are started for it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tidegate import methods
from tidegate.cli import output
from tidegate.cli.asking import TOKEN, Failed, refusal, wants_token
from tidegate.cli.reaching import Nobody, Reach
from tidegate.client.answers import Broken, Refused
from tidegate.client.client import Client
from tidegate.client.ways import HttpWay, RelayWay
from tidegate.ends import http_headers
from tidegate.ends.http1 import HttpClient
from tidegate.flow import Principal
from tidegate.upstream import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
    from pathlib import Path

    from tidegate.client.client import Era, Heard
    from tidegate.client.ways import Way
    from tidegate.settings import Settings

T = TypeVar("T")

_AT_ONCE = 8  # servers that are asked at the same time
_STARTED_AT_ONCE = 4  # servers that are started at the same time
_SLACK = 10.0  # seconds the Tidegate that runs has to say that a server is late
_MORE = 2  # times the longest message: what is judged may get longer


class Asker:
    """Makes clients of servers.

    Args:
        ways: makes the way to a server of a name, without sessions or with.
        settings: the settings.
        running: whether a Tidegate runs that is asked.
        era: the era to speak.
    """

    def __init__(self, ways: Callable[[str, bool], Way], settings: Settings, era: Era, *, running: bool) -> None:
        self._ways = ways
        self._era: Era = era
        self.settings = settings
        self.running = running
        self._free = asyncio.Semaphore(_AT_ONCE if running else _STARTED_AT_ONCE)

    @contextlib.asynccontextmanager
    async def client(
        self, name: str, heard: Heard | None = None, log_level: str | None = None
    ) -> AsyncGenerator[Client, None]:
        """Lend a client that has begun.

        Raises:
            Unavailable: where the server can't be reached.
            Refused: where it refuses to begin.
            Broken: where it begins with what can't be used.
        """
        made = Client(lambda modern: self._ways(name, modern), era=self._era, heard=heard, log_level=log_level)
        try:
            try:
                async with asyncio.timeout(self.settings.start_timeout(name) + (_SLACK if self.running else 0)):
                    await made.begin()
            except TimeoutError:
                raise Unavailable("It didn't answer in time.") from None
            yield made
        finally:
            await made.close()

    async def each(self, names: Sequence[str], ask: Callable[[Client], Awaitable[T]]) -> dict[str, T | Failed]:
        """Ask several servers at the same time; return what each said, or why it didn't."""

        async def one(name: str) -> T | Failed:
            async with self._free:
                return await attempt(self._asked(name, ask))

        found = await asyncio.gather(*(one(name) for name in names))
        return dict(zip(names, found, strict=True))

    async def _asked(self, name: str, ask: Callable[[Client], Awaitable[T]]) -> T:
        async with self.client(name) as client:
            return await ask(client)


async def attempt(work: Awaitable[T]) -> T | Failed:
    """Return what comes of asking a server, or why nothing does."""
    try:
        return await work
    except Unavailable as failure:
        return Failed(str(failure), output.MISSING)
    except Broken as broken:
        return Failed(str(broken), output.NOT_WELL)
    except Refused as refused:
        return Failed(refusal(refused), output.MISTAKE if wants_token(refused) else output.NOT_WELL)


def _address(settings: Settings, file: Path | None) -> str | None:
    """Return the address of the Tidegate that runs with these settings; ``None`` where none does."""
    try:
        reach = Reach(settings, file)
    except Nobody:
        return None
    with contextlib.closing(reach):
        return str(reach.ask({"op": "about"})["listen"])


async def with_asker(
    settings: Settings, file: Path | None, token: str, era: Any, work: Callable[[Asker], Coroutine[Any, Any, T]]
) -> T:
    """Run a command's work with clients of the Tidegate that runs, or of servers that are started here."""
    address = _address(settings, file)
    if address is not None:
        async with _remote(address, settings, token, era) as asker:
            return await work(asker)
    async with _own(settings, file, token, era) as asker:
        return await work(asker)


def path_of(server: str) -> str:
    """Return the path of a server at the address of a Tidegate that runs."""
    return f"/servers/{server}/mcp"


@contextlib.asynccontextmanager
async def _remote(address: str, settings: Settings, token: str, era: Era) -> AsyncGenerator[Asker, None]:
    """Lend clients of the Tidegate that runs."""
    shown, via = _reached(address, settings)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    most = settings.proxy.max_message_bytes * _MORE
    client = HttpClient(via)

    def way(name: str, modern: bool) -> Way:  # noqa: FBT001 - as Client calls it
        times = {"call_timeout": settings.call_timeout(name) + _SLACK, "start_timeout": settings.start_timeout(name)}
        proxy = settings.proxy.model_copy(update={**times, "max_message_bytes": most})
        always = headers | ({http_headers.VERSION: methods.MODERN} if modern else {})  # for replies, which don't say it
        return HttpWay(f"{shown}{path_of(name)}", always, client, proxy)

    try:
        yield Asker(way, settings, era, running=True)
    finally:
        await client.close()


def _reached(address: str, settings: Settings) -> tuple[str, Any]:
    """Return the URL by which to speak to a Tidegate that listens at an address, and how to connect to it.

    Where it listens on every address, loopback is one of them; where it serves certain hosts only, it is called so.
    """
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or 80
    if host in ("0.0.0.0", "::"):  # noqa: S104 - it is compared with, not bound to
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104 - as above
        hosts = settings.proxy.allowed_hosts
    elif host.startswith("127.") or host == "::1":
        hosts = ()
    else:
        hosts = settings.proxy.allowed_hosts
    if hosts:

        async def via(protocol: Callable[[], Any]) -> Any:
            _, made = await asyncio.get_running_loop().create_connection(protocol, host, port)
            return made

        named = hosts[0] if ":" in hosts[0] else f"{hosts[0]}:{port}"
        return f"http://{named}", via
    return f"http://{f'[{host}]' if ':' in host else host}:{port}", None


@contextlib.asynccontextmanager
async def _own(settings: Settings, file: Path | None, token: str, era: Era) -> AsyncGenerator[Asker, None]:
    """Lend clients of servers that are started here, behind a pipeline of this process."""
    from tidegate import serve  # noqa: PLC0415 - not needed where one runs

    principal = _principal(settings, token)
    settings.check_environment()
    async with serve.core_of(settings, file) as (core, client):
        yield Asker(
            lambda name, modern: RelayWay(core, name, principal, client, modern=modern), settings, era, running=False
        )


def _principal(settings: Settings, token: str) -> Principal:
    if not settings.auth.tokens:
        return Principal()
    found = settings.auth.principal(token) if token else None
    if found is None:
        what = "the token is none of the settings'" if token else "the settings want a token"
        raise output.Failure(f"{what}: put one into ${TOKEN}, or name another variable with --token-env")
    return found
