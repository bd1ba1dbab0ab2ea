"""From the settings of a server to something that can be talked to: pipes, instances, upstreams."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from tidegate import sandbox
from tidegate.ends.http_client import HttpUpstream
from tidegate.flow import Flow, Principal
from tidegate.instances import Instance
from tidegate.loosening import loosened
from tidegate.piped import PipeUpstream, PlainSource
from tidegate.secret_stores.handing import for_process
from tidegate.settings_types import SettingsError
from tidegate.upstream import Answer, Unavailable
from tidegate.verdict import Deny

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.correlate import Open, Remap
    from tidegate.ends.http1 import HttpClient
    from tidegate.ends.pipe import Pipe
    from tidegate.flows import Core
    from tidegate.message import Message
    from tidegate.settings import ProxySettings, ServerSettings, Settings
    from tidegate.upstream import Context, Upstream
    from tidegate.wire import Limits, Rejected

log = structlog.get_logger("tidegate.servers")


def new_pipe(core: Core, name: str, server: ServerSettings, client: HttpClient) -> Pipe:
    """Return a pipe, not yet started, to a server that isn't reached by streamable HTTP.

    Raises:
        SettingsError: where a secret that it needs isn't to be had.
        Unavailable: where the server needs a sandbox that can't be had.
    """
    settings, secrets = core.now.settings, core.now.pipeline.secrets
    most = settings.proxy.max_message_bytes
    if server.command is not None:
        from tidegate.ends.process import ProcessPipe  # noqa: PLC0415 - what isn't used isn't loaded

        cwd = str(settings.folder / server.cwd) if server.cwd else None
        own = for_process(server, secrets.given(server))
        try:
            box = sandbox.box(name, server, settings.folder, settings.proxy.min_isolation, settings.own_files)
        except sandbox.Refused as refused:
            raise Unavailable(str(refused)) from None
        return ProcessPipe(server.command, env=server.env, cwd=cwd, max_bytes=most, box=box, secrets=own)
    if server.image is not None:
        from tidegate.ends.docker import ContainerPipe  # noqa: PLC0415 - what isn't used isn't loaded

        if core.boxes is None:
            raise Unavailable(f"The server {name!r} can't be started: there is no launcher.")
        if server.port is not None:
            from tidegate.ends.docker_http import HttpContainerPipe  # noqa: PLC0415 - what isn't used isn't loaded

            def limits() -> Limits:
                return core.now.settings.proxy.limits

            return HttpContainerPipe(name, core.boxes, server, limits, digest=secrets.digest(server))
        return ContainerPipe(name, core.boxes, max_bytes=most, digest=secrets.digest(server))
    from tidegate.ends.sse_client import SsePipe  # noqa: PLC0415 - what isn't used isn't loaded

    assert server.url is not None
    return SsePipe(server.url, headers=server.resolved_headers(secrets.get), client=client, max_bytes=most)


def label(name: str, server: ServerSettings) -> None:
    """Say in the log of a server that runs without a wall that it does."""
    if sandbox.isolation(server) == sandbox.UNSANDBOXED:
        log.warning("unsandboxed", server=name, reason="; ".join(loosened(server)))
    elif said := loosened(server):
        log.warning("loosened", server=name, reason="; ".join(said))


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
        if server.command is not None and server.sandbox != "none":
            isolated = await asyncio.to_thread(sandbox.isolation, server)  # a program may have to be run to know
        else:
            isolated = sandbox.isolation(server)
        try:
            pipe = new_pipe(core, self.name, server, self.client)
        except OSError as error:  # its code is loaded when it is first needed, and descriptors may be used up then
            raise Unavailable(f"The server {self.name!r} can't be started: {error.strerror}.") from None
        except SettingsError as error:
            raise Unavailable(f"The server {self.name!r} can't be started: {error}.") from None
        if core.egress is not None and server.egress:
            core.egress.watch(pipe, self)
        instance = Instance(pipe, lambda: core.now.settings.proxy.limits, remap, version, self.refused)
        begun = time.monotonic()
        try:
            async with asyncio.timeout(core.now.settings.start_timeout(self.name)):
                await instance.start()
        except TimeoutError:
            await instance.close()
            raise Unavailable(f"The server {self.name!r} didn't start in time.") from None
        except (Unavailable, asyncio.CancelledError):
            await instance.close()
            raise
        took = round((time.monotonic() - begun) * 1000)
        said = [f"started in {took} ms", *([isolated] if isolated else []), *loosened(server)]
        try:
            await self.must_note(", ".join(said))
        except BaseException:
            await instance.close()
            raise
        log.info("server started", server=self.name, kind=server.kind, isolation=isolated, pid=pipe.pid, took_ms=took)
        return instance

    async def stop(self, instance: Instance) -> None:
        """End an instance."""
        said = str(instance.ended) if instance.ended is not None else "stopped"
        await instance.close()
        await self.note(said)
        log.info("server ended", server=self.name, reason=said)

    async def note(self, text: str) -> bool:
        """Have something recorded about an instance; return whether that was done."""
        flow = self.flow()
        return flow is None or (await self.core.now.pipeline.note("instance", flow, note=text)).allowed

    async def must_note(self, text: str) -> None:
        """Have something recorded about an instance that may not run without.

        Raises:
            Unavailable: where that can't be done.
        """
        if not await self.note(text):
            raise Unavailable("The start of the server could not be recorded.")

    async def refused(self, refused: Rejected) -> None:
        """Have bytes recorded that are no message and no answer to anybody."""
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


class OwnSource(PlainSource):
    """An instance of one session's own: it starts with the first message and ends with the session."""

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
    def current(self) -> Instance | None:
        """The instance, where one was started."""
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


class Lacking:
    """The end of a server that can't be reached, because what its settings refer to isn't there.

    Args:
        reason: the sentence that says so.
    """

    ordered = apart = cancels = late = ended = False

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def outward(self, message: Message) -> Message:
        """Return the message as it is."""
        return message

    def aimed(self, message: Message, about: Open | None) -> tuple[Message, object]:  # noqa: ARG002 - the protocol's
        """As above, and there is nowhere to go."""
        return message, None

    def forget(self, message: Message) -> None:
        """Nothing is remembered."""

    def negotiated(self, version: str) -> None:
        """Nothing is agreed on."""

    async def send(self, message: Message, context: Context) -> Answer:  # noqa: ARG002 - the protocol's signature
        """Say why it can't be reached.

        Raises:
            Unavailable: always.
        """
        raise Unavailable(self._reason)

    async def listen(self, last_event_id: str | None, context: Context) -> Answer:  # noqa: ARG002 - as above
        """Say why it can't be reached.

        Raises:
            Unavailable: always.
        """
        raise Unavailable(self._reason)

    async def end(self, context: Context) -> Answer:  # noqa: ARG002 - as above
        """There is nothing to end."""
        return Answer(200)

    async def close(self) -> None:
        """There is nothing to put away."""


def new_upstream(core: Core, name: str, principal: Principal, client: HttpClient) -> tuple[Upstream, OwnSource | None]:
    """Return a server's end for one relay, and where its instance comes from: its own, which isn't replaced."""
    server = core.now.settings.servers[name]
    if server.remote:
        return remote_upstream(core, name, server, client), None
    own = OwnSource(Starter(core, name, principal, client))
    return PipeUpstream(own, lambda: core.now.settings.call_timeout(name)), own


def remote_upstream(core: Core, name: str, server: ServerSettings, client: HttpClient) -> Upstream:
    """Return the end of a server that is reached by streamable HTTP, for one relay."""
    assert server.url is not None
    try:
        headers = server.resolved_headers(core.now.pipeline.secrets.get)
    except SettingsError as error:
        return Lacking(f"The server {name!r} can't be reached: {error}.")
    return HttpUpstream(server.url, headers, client, _deadlines(core, name))


def _deadlines(core: Core, name: str) -> Callable[[], ProxySettings]:
    """Return what returns the settings in force, with the deadlines of one server."""
    last: Settings | None = None
    found = core.now.settings.proxy

    def proxy() -> ProxySettings:
        nonlocal last, found
        settings = core.now.settings
        if settings is not last:
            own = {"start_timeout": settings.start_timeout(name), "call_timeout": settings.call_timeout(name)}
            last, found = settings, settings.proxy.model_copy(update=own)
        return found

    return proxy
