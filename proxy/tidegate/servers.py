"""From the settings of a server to something that can be talked to: pipes, instances, upstreams."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from tidegate.correlate import Remap
from tidegate.ends.http_client import HttpUpstream
from tidegate.flow import Flow, Principal
from tidegate.instances import Instance, PipeUpstream
from tidegate.upstream import Unavailable
from tidegate.verdict import Deny

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.ends.http1 import HttpClient
    from tidegate.ends.pipe import Pipe
    from tidegate.flows import Core
    from tidegate.settings import ServerSettings
    from tidegate.upstream import Upstream
    from tidegate.wire import Rejected

log = structlog.get_logger("tidegate.servers")


def new_pipe(core: Core, name: str, server: ServerSettings, client: HttpClient) -> Pipe:
    """Return a pipe, not yet started, to a server that isn't reached by streamable HTTP."""
    settings = core.now.settings
    most = settings.proxy.max_message_bytes
    if server.command is not None:
        from tidegate.ends.process import ProcessPipe  # noqa: PLC0415 - what isn't used isn't loaded

        cwd = str(settings.folder / server.cwd) if server.cwd else None
        return ProcessPipe(server.command, env=server.env, cwd=cwd, max_bytes=most)
    if server.image is not None:
        from tidegate.ends.docker import ContainerPipe  # noqa: PLC0415 - what isn't used isn't loaded

        if core.boxes is None:
            raise Unavailable(f"The server {name!r} can't be started: there is no launcher.")
        return ContainerPipe(name, core.boxes, max_bytes=most)
    from tidegate.ends.sse_client import SsePipe  # noqa: PLC0415 - what isn't used isn't loaded

    assert server.url is not None
    return SsePipe(server.url, headers=server.resolved_headers(), client=client, max_bytes=most)


class Starter:
    """Starts instances of one server for one principal, and has their start and end recorded."""

    def __init__(self, core: Core, name: str, principal: Principal, client: HttpClient) -> None:
        self.core = core
        self.name = name
        self.principal = principal
        self.client = client

    async def start(self, remap: Remap | None, version: Callable[[], str]) -> Instance:
        """Start an instance.

        Raises:
            Unavailable: where it can't start, not in time, its start can't be recorded, or a reload took it away.
        """
        core = self.core
        server = core.now.settings.servers.get(self.name)
        if server is None:
            raise Unavailable(f"There is no server {self.name!r} any more.")
        try:
            pipe = new_pipe(core, self.name, server, self.client)
        except OSError as error:  # its code is loaded when it is first needed, and descriptors may be used up then
            raise Unavailable(f"The server {self.name!r} can't be started: {error.strerror}.") from None
        if core.egress is not None and server.egress:
            core.egress.watch(pipe, self)
        instance = Instance(pipe, lambda: core.now.settings.proxy.limits, remap, version, self._refused)
        begun = time.monotonic()
        try:
            async with asyncio.timeout(core.now.settings.proxy.start_timeout):
                await instance.start()
        except TimeoutError:
            await instance.close()
            raise Unavailable(f"The server {self.name!r} didn't start in time.") from None
        except (Unavailable, asyncio.CancelledError):
            await instance.close()
            raise
        took = round((time.monotonic() - begun) * 1000)
        if not await self._note(f"started in {took} ms"):
            await instance.close()
            raise Unavailable("The start of the server could not be recorded.")
        log.info("server started", server=self.name, kind=server.kind, pid=pipe.pid, took_ms=took)
        return instance

    async def stop(self, instance: Instance) -> None:
        """End an instance."""
        said = str(instance.ended) if instance.ended is not None else "stopped"
        await instance.close()
        await self._note(said)
        log.info("server ended", server=self.name, reason=said)

    async def _note(self, text: str) -> bool:
        flow = self.flow()
        return flow is None or (await self.core.now.pipeline.note("instance", flow, note=text)).allowed

    async def _refused(self, refused: Rejected) -> None:
        flow = self.flow()
        if flow is not None:
            deny = Deny(refused.reason, code=refused.code, rule="wire")
            await self.core.now.pipeline.note("rejected", flow, deny, size=refused.size)

    def flow(self) -> Flow | None:
        """Return the flow of what no message is about; ``None`` where a reload took the server away."""
        now = self.core.now
        if self.name not in now.settings.servers:
            return None
        return Flow(now.pipeline.new_id(), now.settings.server(self.name), self.principal)


class OwnSource:
    """An instance of one session's own: it starts with the first message and ends with the session."""

    remap: Remap | None = None

    def __init__(self, starter: Starter) -> None:
        self._starter = starter
        self._instance: Instance | None = None
        self._lock = asyncio.Lock()
        self._released = False
        self._started = asyncio.Event()
        self.version = ""

    async def acquire(self) -> Instance:
        """Return the session's instance; one that has ended isn't replaced, because its state has gone with it.

        Raises:
            Unavailable: where it can't start, or has ended.
        """
        if self._instance is None:
            async with self._lock:
                if self._released:
                    raise Unavailable("The session is over.")
                if self._instance is None:
                    self._instance = await self._starter.start(None, lambda: self.version)
                    self._started.set()
        return self._instance

    @property
    def said(self) -> str:
        """How the instance ended, in one sentence."""
        return str(self._instance.ended) if self._instance is not None and self._instance.ended is not None else ""

    async def wait_ended(self) -> None:
        """Wait until the instance has come and gone by itself."""
        await self._started.wait()
        if self._instance is not None:
            await self._instance.gone.wait()

    @property
    def ended(self) -> bool:
        """Whether the instance has come and gone."""
        return self._instance is not None and self._instance.ended is not None

    async def release(self) -> None:
        """End the instance."""
        self._released = True
        async with self._lock:
            instance, self._instance = self._instance, None
        if instance is not None:
            await self._starter.stop(instance)


class SharedSource:
    """One instance for all of a principal's clients without sessions; a new one when it has ended."""

    def __init__(self, starter: Starter) -> None:
        self.remap: Remap | None = Remap()
        self.version = ""
        self._starter = starter
        self._instance: Instance | None = None
        self._lock = asyncio.Lock()
        self._released = False

    async def acquire(self) -> Instance:
        """Return a running instance.

        Raises:
            Unavailable: where none can be started, or this source was released.
        """
        instance = self._instance
        if instance is not None and instance.ended is None:
            return instance
        async with self._lock:
            if self._released:
                raise Unavailable("The server was stopped.")
            instance = self._instance
            if instance is not None and instance.ended is not None:
                self._instance = None
                await self._starter.stop(instance)
            if self._instance is None:
                self._instance = await self._starter.start(self.remap, str)
            return self._instance

    async def release(self) -> None:
        """End the instance."""
        self._released = True
        async with self._lock:
            instance, self._instance = self._instance, None
        if instance is not None:
            await self._starter.stop(instance)


def new_upstream(
    core: Core, name: str, principal: Principal, client: HttpClient, *, shared: bool
) -> tuple[Upstream, OwnSource | None]:
    """Return a server's end for one relay, and its own instance's source where it has one."""
    server = core.now.settings.servers[name]
    if server.url is not None and server.transport == "streamable-http":
        return HttpUpstream(server.url, server.resolved_headers(), client, lambda: core.now.settings.proxy), None
    starter = Starter(core, name, principal, client)
    own = None if shared else OwnSource(starter)
    source = own or SharedSource(starter)
    return PipeUpstream(source, lambda: core.now.settings.proxy.call_timeout), own
