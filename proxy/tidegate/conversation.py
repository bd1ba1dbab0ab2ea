"""What a client's end sees of whoever answers it: a relay to one server, or the gateway to many."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from tidegate import methods, values, wire
from tidegate.streams import Reply, merged
from tidegate.upstream import primed
from tidegate.verdict import Deny, rpc_error
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence

    from tidegate.flow import Principal
    from tidegate.flows import Core, Flows
    from tidegate.message import Id, Message
    from tidegate.upstream import Answer, Context


class Known(Protocol):
    """What is known by name."""

    def get(self, name: str, /) -> Mapping[str, Any] | None:
        """Return what has a name; ``None`` where nothing has."""
        ...


class Conversation(ABC):
    """One client's session, or one principal's messages that belong to none.

    Attributes:
        core: what all of one Tidegate share.
        principal: who the client is.
        flows: makes the flows of what no server's relay judges.
        over: set when it has ended on this side, so that its open streams end too.
    """

    core: Core
    principal: Principal
    flows: Flows
    over: asyncio.Event

    @property
    @abstractmethod
    def ordered(self) -> bool:
        """Whether awaiting :meth:`take` keeps the client's order without waiting for answers."""

    @property
    @abstractmethod
    def hosted(self) -> bool:
        """Whether Tidegate is the HTTP server: what one checks, and the ids of sessions, are its own then."""

    @property
    @abstractmethod
    def tools(self) -> Known:
        """The definitions of tools as last listed, by the names that the client knows."""

    @property
    def version(self) -> str:
        """The protocol version of the session; ``""`` where none was agreed on."""
        return self.flows.version

    @property
    def limits(self) -> wire.Limits:
        """The limits of the settings in force."""
        return self.core.now.settings.proxy.limits

    def registered(self, session_id: str) -> None:
        """Note the id under which the session is known from now on."""
        self.flows.session_id = session_id

    # -- from the client --------------------------------------------------------------------------------

    async def accept(self, data: bytes, context: Context) -> Reply:
        """Take one frame of the client's: parse, judge, send, and have the answer judged.

        Returns:
            What to tell the client. Where it holds ``events``, the caller reads them to the end or closes
            them; closing is how a client of 2026-07-28 cancels.
        """
        try:
            found = self.parsed(data)
        except Rejected as refused:
            return await self.refuse(refused)
        return await (self.batch(found, context) if isinstance(found, list) else self.take(found, context))

    def parsed(self, data: bytes) -> Message | list[Message | Rejected]:
        """Parse one frame of the client's: a message, or a batch of them.

        Raises:
            Rejected: where it is neither.
        """
        return wire.parse_many(data, "client", self.limits, batch=self.version == methods.BATCHING)

    @abstractmethod
    def take(self, message: Message, context: Context) -> Coroutine[Any, Any, Reply]:
        """As :meth:`accept`, for a message that is parsed already; still unjudged."""

    async def refuse(self, refused: Rejected) -> Reply:
        """Record refused bytes of the client's, and say why."""
        deny = Deny(refused.reason, code=refused.code, rule="wire")
        decision = await self.core.now.pipeline.note("rejected", self.flows.of(), deny, size=refused.size)
        return Reply(400, body=values.encode(rpc_error(decision, self.shown(refused.id))))

    def shown(self, identity: Id | None) -> Id | None:
        """Return the id by which the client knows a request."""
        return identity

    async def batch(self, found: Sequence[Message | Rejected], context: Context) -> Reply:
        """Take each member of a batch by itself; answer with an array, or a stream if one of them has one.

        Source: 2025-03-26, streamable HTTP, sending messages to the server.
        """
        replies = await asyncio.gather(
            *(self.refuse(one) if isinstance(one, Rejected) else self.take(one, context) for one in found)
        )
        headers = {key: value for reply in replies for key, value in reply.headers.items()}
        if any(reply.events is not None for reply in replies):
            return Reply(200, headers, events=await primed(merged(replies)))
        out = [reply.body for reply in replies if reply.body is not None]
        return Reply(200, headers, body=b"[" + b",".join(out) + b"]") if out else Reply(202)

    @abstractmethod
    def open(self, identity: Id) -> bool:
        """Whether a request of the client's still waits for its reply."""

    @property
    @abstractmethod
    def waiting(self) -> bool:
        """Whether any request of the client's still waits for its reply."""

    @property
    def keeping(self) -> bool:
        """Whether something is kept here for a client that may come back, though nobody uses it now."""
        return False

    @abstractmethod
    async def unanswered(self, identity: Id) -> bytes:
        """Give up an open request of the session's whose answer can't come any more; return what its sender gets."""

    @abstractmethod
    def lists_changed(self, server: str, kinds: Iterable[str]) -> None:
        """Tell the client, where it may hear it, that an interceptor makes something else of a server's lists now.

        Args:
            server: the server's name.
            kinds: of ``tools``, ``prompts`` or ``resources``.
        """

    # -- from the server --------------------------------------------------------------------------------

    @abstractmethod
    async def listen(self, last_event_id: str | None, context: Context) -> Reply:
        """Open the stream on which the server speaks by itself (2025-11-25, streamable HTTP, GET).

        Raises:
            Unavailable: where the server can't be reached.
        """

    @abstractmethod
    async def end(self, context: Context) -> Answer:
        """Tell the server that the session is over.

        Raises:
            Unavailable: where the server can't be reached.
        """

    @abstractmethod
    async def close(self) -> None:
        """End the session on this side. Idempotent."""
