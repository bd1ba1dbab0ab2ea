"""Runs Tidegate on standard input and output: ``wrap`` in front of one server, ``run --stdio`` in front of all."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

import structlog

from tidegate.duplex import Duplex
from tidegate.ends import descriptors
from tidegate.ends.pipe import Overlong, PipeError
from tidegate.ends.stdio import StdioEnd
from tidegate.flow import Principal
from tidegate.relay import Relay
from tidegate.reload import FIXED_STDIO, Reloader
from tidegate.serve import DependencyError, core_of
from tidegate.servers import OwnSource, label, new_upstream
from tidegate.sessions import Sessions
from tidegate.settings import Settings, SettingsError
from tidegate.upstream import Unavailable
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tidegate.conversation import Conversation
    from tidegate.gateway.stdio_front import StdioFront

log = structlog.get_logger("tidegate.serve")


async def wrap(settings: Settings, name: str) -> int:
    """Stand between this process's standard input and output and one server.

    Args:
        settings: the settings.
        name: the server's name in them.

    Returns:
        0 when the client closed its side, 3 when the server ended by itself or didn't start; then each request
        of the client's is answered with why.

    Raises:
        SettingsError: where an interceptor isn't well.
        DependencyError: where standard input and output can't be used.
    """
    end = StdioEnd(settings.proxy.max_message_bytes)
    async with core_of(settings) as (core, client):
        upstream, own = new_upstream(core, name, Principal(), client)
        relay = Relay(core, settings.server(name), upstream, Principal(), session_id="stdio")
        core.changes.hear(relay.lists_changed)
        label(name, settings.servers[name])
        failed = not await _started(own, name)
        try:
            await end.start()
        except PipeError as error:
            await relay.close()
            raise DependencyError(str(error)) from None
        duplex = Duplex(relay, end.send)
        reader = asyncio.create_task(_read(end, relay, duplex), name="client reader")
        stop = asyncio.create_task(_signalled(), name="signals")
        tasks = {reader, stop}
        if own is not None:
            tasks.add(asyncio.create_task(own.wait_ended(), name="server end"))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if reader in done:
                reader.result()
                await duplex.drained()
            ended = bool(done - {reader, stop})
            if ended:
                await duplex.drained()
                log.error("the server ended", server=name, reason=own.said if own is not None else "")
            return 3 if ended or failed else 0
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await duplex.close()
            await end.close()


async def gateway(
    load: Callable[[Path | None], Settings], path: Path | None, profile: str = "", *, watch: bool = False
) -> int:
    """Stand between this process's standard input and output and all servers of the settings, or of a profile.

    Args:
        load: reads the settings; on SIGHUP again.
        path: the file that they are of; ``None`` for the shipped default settings.
        profile: the profile; ``""`` for all servers.
        watch: whether to read the settings again when the file changes, too.

    Returns:
        0 when the client closed its side, 2 when the profile was taken out of the settings.

    Raises:
        SettingsError: where the settings aren't well, or have no such profile.
        DependencyError: where standard input and output can't be used.
    """
    from tidegate.gateway.stdio_front import StdioFront  # noqa: PLC0415 - who doesn't use it doesn't load it

    settings = load(path)
    settings.check_environment()
    if profile and profile not in settings.profiles:
        have = ", ".join(settings.profiles) or "none"
        raise SettingsError(f"there is no profile {profile!r} (there are: {have})")
    descriptors.raise_limit()
    end = StdioEnd(settings.proxy.max_message_bytes)
    async with core_of(settings, path) as (core, client):
        sessions = Sessions(core, client)
        front = StdioFront(sessions.shared, profile, Principal())
        sessions.join(front)
        try:
            await end.start()
        except PipeError as error:
            await front.close()
            await sessions.close()
            raise DependencyError(str(error)) from None
        try:
            async with Reloader(core, sessions, path, load, FIXED_STDIO).running(watch=watch):
                sessions.fleet.fill()
                return await _served(front, end)
        finally:
            await sessions.close()
            await end.close()


async def _served(front: StdioFront, end: StdioEnd) -> int:
    """Serve the one client until it closes its side, there is a signal, or its profile is no more."""
    duplex = Duplex(front, end.send)
    tasks = {
        asyncio.create_task(_read(end, front, duplex), name="client reader"),
        asyncio.create_task(_signalled(), name="signals"),
        over := asyncio.create_task(front.over.wait(), name="profile"),
    }
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if over in done:
            log.error("the profile that is served here was taken out of the settings")
            return 2
        await duplex.drained()
        return 0
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await duplex.close()


async def _started(own: OwnSource | None, name: str) -> bool:
    """Start the server before the client asks for it; return whether it runs, where it is one of ours to run."""
    if own is None:
        return True
    try:
        await own.acquire()
    except Unavailable as failure:
        log.error("the server can't start", server=name, reason=str(failure))  # noqa: TRY400 - a sentence, no traceback
        return False
    return True


async def _signalled() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


async def _read(end: StdioEnd, relay: Conversation, duplex: Duplex) -> None:
    """Feed the client's frames to the relay until it closes its side, or takes no answers any more."""
    with contextlib.suppress(PipeError):
        while True:
            try:
                data = await end.receive()
            except Overlong as overlong:
                reason = f"The message is longer than {relay.limits.max_bytes} bytes."
                reply = await relay.refuse(Rejected("limit", reason, size=overlong.size))
                if reply.body is not None:
                    await end.send(reply.body)
                continue
            await duplex.accept(data)
