"""Runs Tidegate: ``run`` for clients over HTTP, ``wrap`` for one client on stdio, ``probe`` for ``check``."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
from typing import TYPE_CHECKING, Any, Protocol

import structlog
import uvicorn

from tidegate import defaults, endpoints, plugins, sandbox, workers
from tidegate import settings as settings_module
from tidegate.admin import Admin
from tidegate.containers.client import LauncherClient
from tidegate.control import Control
from tidegate.egress_notes import EgressNotes
from tidegate.ends import descriptors
from tidegate.ends.clients import ClientConnection, ClientServer
from tidegate.ends.http1 import HttpClient
from tidegate.ends.http_server import App
from tidegate.ends.pipe import PipeError
from tidegate.ends.sse_server import SseClients
from tidegate.flow import Flow, Principal, Server
from tidegate.flows import Core, Runtime
from tidegate.notices import Changes
from tidegate.pipeline import Pipeline
from tidegate.reload import Reloader
from tidegate.session import MemoryStore
from tidegate.sessions import Sessions
from tidegate.settings import Settings, split_address

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tidegate.fleet import Fleet


log = structlog.get_logger("tidegate.serve")

GRACE = 3  # seconds that open answers have at the end
_LEGACY = "2025-11-25"
_OWNER = Principal("tidegate")


class DependencyError(Exception):
    """Something Tidegate needs is missing or down; the text is one sentence."""


@contextlib.asynccontextmanager
async def core_of(settings: Settings, path: Path | None = None) -> AsyncGenerator[tuple[Core, HttpClient], None]:
    """Start what every way of running needs: the pipeline, the store, the connection pool; and put it away.

    Args:
        settings: the settings.
        path: the file that they are of, if that is to be read again.

    Raises:
        SettingsError: where an interceptor isn't well.
        DependencyError: where the start can't be recorded although an observer is required.
    """
    pipeline = Pipeline(plugins.load(settings))
    changes = Changes()
    await pipeline.start(settings, changes.tell)
    core = Core(Runtime(settings, pipeline), MemoryStore(ttl=settings.session.ttl), changes=changes)
    client = HttpClient()
    core.egress = EgressNotes(core)
    core.boxes = LauncherClient(lambda: core.now.settings, path, core.egress.hear)
    try:
        flow = Flow(pipeline.new_id(), Server(""), _OWNER)
        if not (await pipeline.note("proxy", flow, note="started")).allowed:
            raise DependencyError("the start can't be recorded, and a required interceptor must record it")
        yield core, client
    finally:
        await client.close()
        await core.boxes.close()
        flow = Flow(core.now.pipeline.new_id(), Server(""), _OWNER)
        await core.now.pipeline.note("proxy", flow, note="stopped")
        await core.now.pipeline.stop()
        await workers.close()


def _server(app: Any, core: Core) -> ClientServer:
    config = uvicorn.Config(
        app,
        http=ClientConnection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=GRACE,
        backlog=2048,
    )
    return ClientServer(config, lambda: core.now.settings.proxy.client_timeout)


def _bind(address: str, what: str) -> socket.socket:
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, because asyncio's own loop sets TCP_NODELAY only where it is.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise DependencyError(f"{what} {address} can't be listened on: {error.strerror or error}") from None
    return sock


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Steps(Protocol):
    """Shows how far something is."""

    def begin(self, total: int) -> None:
        """Begin, with how many steps it takes."""

    def step(self) -> None:
        """A step is done."""

    def end(self) -> None:
        """It is over."""


async def run(
    path: Path | None, *, ready_file: Path | None = None, watch: bool = False, starting: Steps | None = None
) -> None:
    """Serve clients over HTTP until SIGTERM or SIGINT.

    Args:
        path: the settings file; ``None`` for the shipped default settings.
        ready_file: where to write the addresses, as JSON, once clients can connect.
        watch: whether to read the settings again when the file changes, as on SIGHUP.
        starting: shows how far the start of the instances is that are kept ready.

    Raises:
        SettingsError: where the settings aren't well.
        DependencyError: where an address is in use, or a record can't be written.
    """
    settings = settings_module.load(path) if path is not None else defaults.load()
    settings.check_environment()
    descriptors.raise_limit()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with contextlib.ExitStack() as sockets:
        listen = sockets.enter_context(_bind(settings.proxy.listen, "the address"))
        admin = settings.proxy.admin
        admin_socket = sockets.enter_context(_bind(admin, "the admin address")) if admin else None
        async with core_of(settings, path) as (core, client):
            sessions = Sessions(core, client)
            apps: list[tuple[Any, socket.socket]] = [(App(core, sessions, SseClients(core, sessions)), listen)]
            if admin_socket is not None:
                apps.append((Admin(core, sessions, stop), admin_socket))
            reloader = Reloader(core, sessions, path)
            preparing = asyncio.create_task(_prepare(core), name="launcher start")
            control = Control(core, sessions.fleet, _url(listen))
            async with _serving(apps, core), reloader.running(watch=watch), control.serving(path):
                _announce(core, _url(listen), _url(admin_socket) if admin_socket else None, ready_file)
                if starting is not None:
                    _show(settings, sessions.fleet, starting)
                sessions.fleet.fill()
                await stop.wait()
                if starting is not None:
                    starting.end()
                log.info("stopping")
                await sessions.close()
                preparing.cancel()
                await asyncio.wait((preparing,))


def _show(settings: Settings, fleet: Fleet, starting: Steps) -> None:
    """Show how far the instances are that are kept ready: each counts once, whether it could be started or not."""
    left = {name: server.warm for name, server in settings.servers.items() if server.warm}

    def tried(name: str) -> None:
        if left.get(name):
            left[name] -= 1
            starting.step()

    fleet.tried = tried
    starting.begin(sum(left.values()))


async def _prepare(core: Core) -> None:
    """Start the launcher before it is needed, where the settings have servers in containers at all."""
    assert core.boxes is not None
    if any(server.image is not None for server in core.now.settings.servers.values()):
        try:
            await core.boxes.prepare()
        except PipeError as error:
            log.warning("no container can be started", reason=str(error))


@contextlib.asynccontextmanager
async def _serving(apps: list[tuple[Any, socket.socket]], core: Core) -> AsyncGenerator[None, None]:
    """Serve applications on bound sockets, from here until the block ends."""
    servers = [_server(app, core) for app, _ in apps]
    tasks = [
        asyncio.create_task(server.serve(sockets=[sock]), name="http server")
        for server, (_, sock) in zip(servers, apps, strict=True)
    ]
    try:
        while not all(server.started for server in servers):
            failed = [task for task in tasks if task.done()]
            if failed:
                failed[0].result()
                raise DependencyError("the HTTP server ended while it started")
            await asyncio.sleep(0.002)
        yield
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)


def _announce(core: Core, listen: str, admin: str | None, ready_file: Path | None) -> None:
    settings = core.now.settings
    for endpoint in (endpoints.gateway(), *map(endpoints.gateway, settings.profiles)):
        log.info(
            "serving",
            gateway=endpoints.profile(endpoint) or "all servers",
            url=f"{listen}{endpoints.path(endpoint)}/mcp",
        )
    for name, server in settings.servers.items():
        url = f"{listen}{endpoints.path(name)}/mcp"
        log.info("serving", server=name, kind=server.kind, isolation=sandbox.isolation(server), url=url)
    if not settings.servers:
        log.warning("the settings name no server, so there is nothing to serve")
    log.info("ready", listen=listen, admin=admin, interceptors=[item.name for item in core.now.pipeline.interceptors])
    # What lives from here on lives long: the collector needn't look at it again, nor come by so often.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    if ready_file is not None:
        told = json.dumps({"listen": listen, "admin": admin, "pid": os.getpid()})
        partial = ready_file.with_name(f"{ready_file.name}.{os.getpid()}")
        partial.write_text(told)
        partial.replace(ready_file)  # whoever waits for it must not read half of it
