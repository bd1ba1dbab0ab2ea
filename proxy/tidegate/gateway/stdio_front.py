"""The gateway on one stream of standard input and output: the first request says of which era the client is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from tidegate import methods
from tidegate.conversation import Conversation
from tidegate.correlate import cancelled_id, key_of
from tidegate.gateway.session_front import SessionFront
from tidegate.gateway.stateless_front import StatelessFront
from tidegate.streams import Out, Outs, Reply
from tidegate.upstream import Unavailable, primed

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from tidegate.conversation import Known
    from tidegate.correlate import Key
    from tidegate.flow import Principal
    from tidegate.flows import Flows
    from tidegate.gateway.front import Front
    from tidegate.gateway.shared import Shared
    from tidegate.message import Id, Message
    from tidegate.upstream import Answer, Context


class StdioFront(Conversation):
    """One client on standard input and output.

    Args:
        shared: what all fronts share.
        profile: the profile whose servers these are; ``""`` for all servers.
        principal: who the client is.
    """

    ordered = False
    hosted = True

    def __init__(self, shared: Shared, profile: str, principal: Principal) -> None:
        self.core = shared.core
        self.principal = principal
        self._profile = profile
        self._sessions = SessionFront(shared, profile, principal)
        self._stateless = StatelessFront(shared, profile, principal)
        self._chosen: Front | None = None
        self._running: dict[Key, asyncio.Task[Any]] = {}
        self._endless: set[Key] = set()  # of those that run: what nobody waits for
        self._given_up: set[Key] = set()  # of those that run: what was cancelled
        self.over = asyncio.Event()
        self.registered("stdio")

    @property
    def _front(self) -> Front:
        return self._chosen or self._sessions

    @property
    def flows(self) -> Flows:  # type: ignore[override]  # it is another's, and nobody sets it
        """Makes the flows of what no server's relay judges."""
        return self._front.flows

    @property
    def tools(self) -> Known:
        """The definitions of tools as last listed, by the names that the client knows."""
        return self._front.tools

    @property
    def version(self) -> str:
        """The protocol version of the client; ``""`` while it isn't known."""
        return self._front.version

    async def reloaded(self, changed: set[str]) -> bool:
        """Take over changed settings; without its profile it is over.

        Returns:
            Whether anything of it concerns the client.
        """
        if self._profile and self._profile not in self.core.now.settings.profiles:
            await self.close()
            return True
        concerned = await self._stateless.reloaded(changed)
        return await self._sessions.reloaded(changed) or concerned

    def registered(self, session_id: str) -> None:
        """Note the id of the session, of whatever era it will be."""
        self._sessions.registered(session_id)
        self._stateless.registered(session_id)

    def take(self, message: Message, context: Context) -> Coroutine[Any, Any, Reply]:
        """Take one message of the client's, parsed and not yet judged."""
        if self._chosen is None and message.kind == "request":
            modern = message.method != "initialize" and methods.is_modern(methods.version_in(message))
            self._chosen = self._stateless if modern else self._sessions
        if self._chosen is not self._stateless:
            return self._front.take(message, context)
        return self._request(message, context) if message.kind == "request" else self._told(message, context)

    async def _request(self, message: Message, context: Context) -> Reply:
        """Take a request of 2026-07-28, which can be cancelled: over HTTP its stream is closed for that."""
        assert message.id is not None
        key = key_of(message.id)
        task = asyncio.create_task(self._stateless.take(message, context))
        self._running[key] = task
        try:
            reply = await task
        except asyncio.CancelledError:
            if not task.cancelled():
                task.cancel()
                raise
            return Reply(202)
        finally:
            if not task.done() or task.cancelled() or task.exception() is not None or task.result().events is None:
                self._over(key)
        if reply.events is not None:
            if message.method == "subscriptions/listen":
                self._endless.add(key)
            reply.events = await primed(self._read(key, reply.events))
        return reply

    def _over(self, key: Key) -> None:
        self._running.pop(key, None)
        self._endless.discard(key)
        self._given_up.discard(key)

    async def _read(self, key: Key, events: Outs) -> Outs:
        """Yield what a stream has, until it ends or is cancelled."""
        reading: asyncio.Task[Out | None] | None = None
        try:
            async with contextlib.aclosing(events):
                yield Out(None)  # for primed()
                while key not in self._given_up:
                    reading = self._running[key] = asyncio.ensure_future(anext(events, None))
                    await asyncio.wait((reading,))
                    if reading.cancelled() or (out := reading.result()) is None:
                        return
                    yield out
        finally:
            self._over(key)
            if reading is not None and not reading.done():
                reading.cancel()
                await asyncio.wait((reading,))

    async def _told(self, message: Message, context: Context) -> Reply:
        if message.method == "notifications/cancelled":
            wanted = cancelled_id(message)
            key = key_of(wanted) if wanted is not None else None
            task = self._running.get(key) if key is not None else None
            if task is not None and key is not None:
                self._given_up.add(key)  # it may be between two messages of its answer
                task.cancel()
        return await self._stateless.take(message, context)

    def open(self, identity: Id) -> bool:
        """Whether a request of the client's still waits for its reply."""
        return self._front.open(identity)

    @property
    def waiting(self) -> bool:
        """Whether any request of the client's still waits for its reply."""
        return bool(self._running.keys() - self._endless) or self._front.waiting

    async def unanswered(self, identity: Id) -> bytes:
        """Give up an open request whose answer can't come any more; return what its sender gets."""
        return await self._front.unanswered(identity)

    def lists_changed(self, server: str, kinds: Iterable[str]) -> None:
        """Tell the client that an interceptor makes something else of a server's lists now."""
        self._front.lists_changed(server, kinds)

    async def listen(self, last_event_id: str | None, context: Context) -> Reply:
        """Open the client's own stream.

        Raises:
            Unavailable: where a server's can't be reached.
        """
        if self._chosen is self._stateless:
            raise Unavailable("There is no stream of its own without a session.")
        return await self._sessions.listen(last_event_id, context)

    async def end(self, context: Context) -> Answer:
        """End the session."""
        return await self._front.end(context)

    async def close(self) -> None:
        """End the session on this side. Idempotent."""
        self.over.set()
        await self._sessions.close()
        await self._stateless.close()
