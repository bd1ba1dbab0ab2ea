"""Takes over changed settings while serving: checked whole, then swapped at once; bad ones change nothing."""

from __future__ import annotations

import asyncio
import contextlib
import operator
import signal
from typing import TYPE_CHECKING

import structlog

from tidegate import gateway_settings, plugins
from tidegate import settings as settings_module
from tidegate.ends.pipe import PipeError
from tidegate.flow import Flow, Principal, Server
from tidegate.flows import Core, Runtime
from tidegate.pipeline import Pipeline
from tidegate.secret_stores.resolving import resolve
from tidegate.servers import label
from tidegate.settings import Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from pathlib import Path

    from tidegate.plugins import Interceptor
    from tidegate.secret_stores.resolving import Resolved
    from tidegate.sessions import Sessions

log = structlog.get_logger("tidegate.reload")

POLL = 0.5  # seconds between two looks at a watched file
FIXED = ("proxy.listen", "proxy.admin", "proxy.launcher", "proxy.control", "session.ttl")
"""The keys that can't change where clients come over HTTP."""

FIXED_STDIO = ("proxy.launcher", "session.ttl")
"""The keys that can't change for one client on standard input and output."""

DRAIN = 5.0  # seconds until interceptors that a reload took away are shut down


class Reloader:
    """Reads the settings file again, on SIGHUP or when it changes.

    Args:
        core: what all relays share; its runtime is what is swapped.
        sessions: the open sessions; those of changed servers are closed.
        path: the settings file; ``None`` where there is none to read again.
        load: reads it; by default as it is.
        fixed: the keys of the settings that can't change.
    """

    def __init__(
        self,
        core: Core,
        sessions: Sessions,
        path: Path | None,
        load: Callable[[Path], Settings] = settings_module.load,
        fixed: Sequence[str] = FIXED,
    ) -> None:
        self._core = core
        self._sessions = sessions
        self._path = path
        self._load = load
        self._fixed = fixed
        self._wanted = asyncio.Event()
        self._draining: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def running(self, *, watch: bool) -> AsyncGenerator[None, None]:
        """Reload when asked to, from here until the block ends."""
        now = self._core.now
        for name, server in now.settings.servers.items():
            label(name, server)
        warn_of_secrets(now.settings, now.pipeline.secrets)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._wanted.set)
        tasks = [asyncio.create_task(self._serve(), name="reloader")]
        if watch and self._path is not None:
            tasks.append(asyncio.create_task(self._watch(self._path), name="settings watch"))
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)
            for task in [*tasks, *self._draining]:
                task.cancel()
            await asyncio.wait([*tasks, *self._draining])

    async def _serve(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            task = asyncio.create_task(self.reload(), name="reload")
            try:
                await asyncio.wait((task,))
            finally:
                task.cancel()  # where Tidegate stops meanwhile
            error = task.exception()
            if error is not None:  # of an interceptor's code; the next reload may go well
                log.error("the settings were not reloaded, the old ones stay", error=type(error).__name__)

    async def _watch(self, path: Path) -> None:
        seen = _stamp(path)
        while True:
            await asyncio.sleep(POLL)
            now = _stamp(path)
            if now != seen and now is not None:
                seen = now
                self._wanted.set()

    async def reload(self) -> bool:
        """Read and check the settings and swap them in; return whether that was done."""
        old = self._core.now
        if self._path is None:
            log.warning("there is no settings file to read again")
            return False
        try:
            if self._path.exists() and not self._path.is_file():
                raise SettingsError(f"{self._path}: is no regular file")  # noqa: TRY301 - a pipe would hold up all
            settings = self._load(self._path)
            settings.check_environment()
            self._check_fixed(old.settings, settings)
            if self._core.boxes is not None:
                await self._core.boxes.reload()
            secrets = await resolve(settings)
            if secrets.down is not None:  # what the running servers have must stay known
                raise SettingsError(secrets.down, down=True)  # noqa: TRY301 - as whatever else isn't well
            made = plugins.load(settings)
            kept = self._kept(old, settings, made) if secrets == old.pipeline.secrets else made
            pipeline = Pipeline(kept, secrets)
            await pipeline.start(settings, self._core.changes.tell)
        except (SettingsError, PipeError) as error:
            log.warning("the settings were not reloaded, the old ones stay", reason=str(error))
            return False
        self._core.now = Runtime(settings, pipeline)
        warn_of_secrets(settings, secrets)
        task = asyncio.create_task(self._drain(old.pipeline, pipeline.interceptors))
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)
        changed = {
            name
            for name, server in old.settings.servers.items()
            if not gateway_settings.same(settings.servers.get(name), server)
            or secrets.changed(old.pipeline.secrets, server)
        }
        await self._sessions.retire(changed, _shut_out(old.settings, settings))
        flow = Flow(pipeline.new_id(), Server(""), Principal("tidegate"))
        await pipeline.note("proxy", flow, note="settings reloaded")
        log.info("the settings were reloaded", servers=sorted(settings.servers), closed=sorted(changed))
        return True

    def _check_fixed(self, old: Settings, new: Settings) -> None:
        for key in self._fixed:
            read = operator.attrgetter(key)
            if read(old) != read(new):
                raise SettingsError(f"{key} can't change while Tidegate runs; restart it")

    @staticmethod
    def _kept(old: Runtime, new: Settings, made: list[Interceptor]) -> list[Interceptor]:
        """Keep the instances of entries that didn't change, with what they have learnt."""
        before = old.settings
        names = [[token.name for token in each.auth.tokens] for each in (before, new)]
        servers = before.servers.keys() | new.servers.keys()
        alike = all(gateway_settings.same(before.servers.get(name), new.servers.get(name)) for name in servers)
        if not alike or before.proxy.deadline != new.proxy.deadline or names[0] != names[1]:
            return made  # they were told of these at their start
        known = {item.name: item for item in old.pipeline.interceptors}
        return [
            known[item.name] if item.name in known and known[item.name].entry == item.entry else item for item in made
        ]

    @staticmethod
    async def _drain(pipeline: Pipeline, kept: list[Interceptor]) -> None:
        """Shut down what a reload took away, after the messages it is judging."""
        try:
            await asyncio.sleep(DRAIN)
        finally:
            await pipeline.stop(keep=kept)


def warn_of_secrets(settings: Settings, secrets: Resolved) -> None:
    """Log which servers can't be used for want of a secret."""
    for name, server in settings.servers.items():
        said = secrets.lacks(server)
        if said is not None:
            log.warning("a server can't be used", server=name, reason=said)


def _shut_out(old: Settings, new: Settings) -> set[str]:
    """Return the names of those who had a token that isn't accepted any more, or not for what it was.

    Of those without a token, too, where one is needed now.
    """
    kept = {(token.name, token.sha256, token.profile) for token in new.auth.tokens}
    lost = {token.name for token in old.auth.tokens if (token.name, token.sha256, token.profile) not in kept}
    return lost | ({Principal().name} if kept and not old.auth.tokens else set())


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
