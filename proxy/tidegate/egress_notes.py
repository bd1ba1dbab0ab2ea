"""Has recorded what sidecars tell: which connections of containers were allowed, refused and closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from tidegate.ends.docker import ContainerPipe
from tidegate.flow import Flow, Principal
from tidegate.held import held
from tidegate.methods import Target
from tidegate.verdict import Deny

if TYPE_CHECKING:
    from tidegate.ends.pipe import Pipe
    from tidegate.flows import Core, Runtime
    from tidegate.servers import Starter

_HOW = {"proxy": "by the proxy", "name": "by its name", "dns": "looked up"}


class EgressNotes:
    """Makes an ``egress`` event of each thing told, and answers it once that is recorded.

    Args:
        core: the pipeline that records, and the launcher that is answered.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._starters: WeakValueDictionary[str, Starter] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        self._secrets: tuple[Runtime | None, tuple[str, ...]] = (None, ())

    def watch(self, pipe: Pipe, starter: Starter) -> None:
        """Remember on whose behalf an instance runs."""
        if isinstance(pipe, ContainerPipe):
            self._starters[pipe.instance] = starter

    def hear(self, event: dict[str, Any]) -> None:
        """Take what the launcher says by itself."""
        if event.get("event") == "egress":
            task = asyncio.create_task(self._record(event), name="egress record")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _record(self, event: dict[str, Any]) -> None:
        ok = False
        try:
            ok = await self.note(event)
        finally:
            if self._core.boxes is not None:
                self._core.boxes.recorded(event["instance"], event["n"], ok=ok)

    async def note(self, event: dict[str, Any]) -> bool:
        """Have one thing recorded; whether it is."""
        starter = self._starters.get(event["instance"])
        flow = starter.flow() if starter is not None else self._flow(event["server"])
        if flow is None:
            return False
        host = self._masked(event["host"])
        place = f"[{host}]" if ":" in host else host
        targets = (Target("host", f"{place}:{event['port']}" if event["port"] else place),) if host else ()
        flow = Flow(flow.id, flow.server, flow.principal, targets=targets, profile=flow.profile)
        text = self._sentence(event)
        deny = Deny(text, rule="egress") if event["verdict"] == "deny" else None
        size = event["sent"] + event["received"]
        decision = await self._core.now.pipeline.note("egress", flow, deny, note=text, size=size)
        return decision.allowed or (deny is not None and len(decision.effects) == 1)

    def _sentence(self, event: dict[str, Any]) -> str:
        """Return what happened; the words before the colon are in one form always."""
        where = [f"instance {event['instance']}"]
        where += [f"address {event['address']}"] if event["address"] else []
        where += [_HOW[event["how"]]] if event["how"] in _HOW else []
        said = event["reason"]
        if event["verdict"] == "closed":
            said = f"ended ({said}), {event['sent']} bytes sent, {event['received']} received"
        elif event["omitted"]:
            said = f"{event['omitted']} more refused, {said}"
        return f"{', '.join(where)}: {said}"

    def _flow(self, server: str) -> Flow | None:
        """Return the flow of an instance whose client has gone already."""
        now = self._core.now
        if server not in now.settings.servers:
            return None
        return Flow(now.pipeline.new_id(), now.settings.server(server), Principal(""))

    def _masked(self, host: str) -> str:
        """Return a host's name, or ``[masked]`` where a server has put a secret of the settings into it."""
        now = self._core.now
        if self._secrets[0] is not now:
            self._secrets = (now, tuple(value.lower() for value in held(now.settings, now.pipeline.secrets)))
        return "[masked]" if any(value in host.lower() for value in self._secrets[1]) else host
