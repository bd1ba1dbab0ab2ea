"""Settings in a file that change while what runs by them runs, and an interceptor that tells what becomes of it."""

import sys
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from support.proxy import write_settings
from support.web import within
from tidegate import settings
from tidegate.ends.http1 import HttpClient
from tidegate.flow import Principal
from tidegate.flows import Core, Runtime
from tidegate.pipeline import Pipeline
from tidegate.plugins import load
from tidegate.reload import Reloader
from tidegate.session import MemoryStore
from tidegate.sessions import Entry, Sessions

PROBE = """
import asyncio, tidegate
from pydantic import BaseModel

TOLD = []            # what became of which instance
GO = asyncio.Event() # what slow ones wait for

class Odd(Exception): ...

class Probe:
    class Config(BaseModel):
        tag: str = ""
        fails: bool = False
        odd: bool = False
        denies: bool = False
        waits: bool = False

    def __init__(self, config):
        self.config = config
        if config.odd:
            raise Odd

    @tidegate.hook
    def startup(self, proxy):
        if self.config.fails:
            raise ValueError("it won't")
        TOLD.append(("started", self.config.tag, proxy.principals))

    @tidegate.hook
    async def decide(self, message):
        if self.config.waits:
            TOLD.append(("waits", self.config.tag, ()))
            await GO.wait()
        return tidegate.Deny("no", rule=self.config.tag) if self.config.denies else None

    @tidegate.hook
    def observe(self, decision):
        if decision.event == "proxy":
            TOLD.append((decision.note, self.config.tag, ()))

    @tidegate.hook
    def shutdown(self):
        TOLD.append(("stopped", self.config.tag, ()))
"""
SERVERS = {"server": {"url": "http://127.0.0.1:1/mcp"}, "other": {"url": "http://127.0.0.1:2/mcp"}}
ANN = Principal("ann")


def probe(tag: str = "a", **more: Any) -> dict[str, Any]:
    return {"use": "probe", "name": tag, "tag": tag, **more}


class Rig:
    """Settings in a file, what runs by them, and the means to change both."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.probe: Any = sys.modules["tg_probe"]

    def write(self, *interceptors: dict[str, Any], servers: Any = None, tables: Any = None, **proxy: Any) -> None:
        proxy = {"listen": "127.0.0.1:0", **proxy}
        write_settings(self.path, servers or SERVERS, interceptors, proxy, tables)

    async def start(self) -> None:
        built = settings.load(self.path)
        pipeline = Pipeline(load(built))
        await pipeline.start(built)
        self.core = Core(Runtime(built, pipeline), MemoryStore())
        self.client = HttpClient()
        self.sessions = Sessions(self.core, self.client)
        self.reloader = Reloader(self.core, self.sessions, self.path)

    async def stop(self) -> None:
        await self.sessions.close()
        await self.client.close()
        await self.core.now.pipeline.stop()

    def told(self) -> list[tuple[str, str]]:
        """Return what became of instances since this was last asked."""
        found = [(what, tag) for what, tag, _ in self.probe.TOLD]
        self.probe.TOLD.clear()
        return found

    def instances(self) -> dict[str, Any]:
        return {item.name: item.instance for item in self.core.now.pipeline.interceptors}

    async def reload(self) -> tuple[bool, list[dict[str, Any]]]:
        """Reload; return whether that was done, and what was logged."""
        with capture_logs() as logged:
            done = await within(self.reloader.reload())
        return done, [dict(line) for line in logged]

    async def refused(self) -> str:
        """Reload settings that are not well, see that nothing changed, and return why."""
        before, running = self.core.now, self.instances()
        done, logged = await self.reload()
        assert not done
        assert self.core.now is before
        assert self.instances() == running
        (line,) = (line for line in logged if line["log_level"] != "debug")
        assert (line["log_level"], line["event"]) == ("warning", "the settings were not reloaded, the old ones stay")
        return str(line["reason"])

    def begin(self, server: str = "server", session_id: str | None = None) -> Entry:
        entry = self.sessions.new(server, ANN)
        self.sessions.register(server, entry, session_id or f"session of {server}")
        return entry

    def found(self, server: str) -> Entry | None:
        return self.sessions.find(server, f"session of {server}", ANN)
