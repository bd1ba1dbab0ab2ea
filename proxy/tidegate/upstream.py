"""What the relay needs of a server's end, whatever it is made of.

A client's message is *sent*, and has an :class:`Answer`: at most one body, or a stream of events. A server may also
speak by itself, which is *listened* to. Nothing here is judged yet; the relay does that.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from tidegate.message import Message
from tidegate.quick import quick
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from tidegate.correlate import Open
    from tidegate.ends.http_headers import Params

T = TypeVar("T")

Arrived = bytes | Message | Rejected
"""What arrived from a server: raw bytes, a parsed message, or bytes that are none; none of it judged."""


class Unavailable(Exception):  # noqa: N818 - it is a state of the server
    """The server can't be reached, ended, or didn't answer in time; the text is one safe sentence.

    Attributes:
        code: ``unavailable`` or ``overdue``.
    """

    def __init__(self, text: str, code: str = "unavailable") -> None:
        super().__init__(text)
        self.code = code


class Event(NamedTuple):
    """One message of a stream, with what server-sent events say of it (WHATWG HTML, server-sent events).

    ``data`` is ``None`` for an event that carries an id or a retry time only.
    """

    data: Arrived | None
    id: str | None = None
    retry: int | None = None


Events = AsyncGenerator[Event, None]


async def primed(events: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Start a generator that yields something of no interest first, and return it.

    A generator that was never started has nothing to put away when it is closed; one that waits has.
    """
    await anext(events)
    return events


@dataclass(slots=True)
class Answer:
    """What a server answered to one message.

    Attributes:
        status: the HTTP status, or its counterpart for a server that doesn't speak HTTP.
        headers: the few headers that go on to the client, names in lower case.
        body: the one message of the answer, if it is one.
        events: the messages of the answer, if it is a stream.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Arrived | None = None
    events: Events | None = None


@quick
@dataclass(frozen=True, slots=True)
class Context:
    """What a client's end knows of a message beside its bytes.

    Attributes:
        http: whether it came by HTTP, so that the client's own headers say which ones the server gets.
            Otherwise a server that speaks HTTP gets all that its version wants.
        headers: the client's headers that may go on, names in lower case, checked.
        params: the ``Mcp-Param-*`` headers, as what they say of the body.
        tool: for a client that speaks no HTTP, the definition of the tool it calls, where it is known.
        to: what :meth:`Upstream.aimed` said of where it goes.
        whole: whether its answer may be waited for, so that one that is a single message comes as a body; always so
            for a client of HTTP.
    """

    http: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Params = ()
    tool: Mapping[str, Any] | None = None
    to: Any = None
    whole: bool = False

    def towards(self, to: object) -> Context:
        """Return it with where its message goes, if that was said."""
        return self if to is None else Context(self.http, self.headers, self.params, self.tool, to, self.whole)


class Upstream(Protocol):
    """A server's end, as one relay uses it.

    Attributes:
        ordered: whether ``send`` returns as soon as the message is on its way, so that awaiting it keeps the
            client's order without waiting for answers.
        apart: whether each ``tools/call`` is worked on by an instance that does nothing else.
        cancels: whether giving up an answer must be said to the server by ``notifications/cancelled``;
            otherwise closing the stream says it (2026-07-28, cancellation).
        late: whether a reply may still come, on the server's own stream, after its answer was given up.
        ended: whether the server can't go on with the session, so that another must be begun.
    """

    ordered: bool
    apart: bool
    cancels: bool
    late: bool

    @property
    def ended(self) -> bool: ...  # noqa: D102 - above

    def outward(self, message: Message) -> Message:
        """Map a client's request into the server's id space, before it is judged."""
        ...

    def aimed(self, message: Message, about: Open | None) -> tuple[Message, object]:
        """Map a client's notification or reply, before it is judged; return it, and where it goes, for its context.

        Args:
            message: the message.
            about: the open request that it is about, where it is about one.

        Raises:
            Rejected: for a message that can't be mapped, because it doesn't say whose request it is about.
        """
        ...

    def forget(self, message: Message) -> None:
        """Undo :meth:`outward` for a request that isn't sent."""
        ...

    def negotiated(self, version: str) -> None:
        """Note the version that ``initialize`` has agreed on."""
        ...

    async def send(self, message: Message, context: Context) -> Answer:
        """Send a judged message.

        Raises:
            Unavailable: where the server can't be reached.
            Rejected: where the message can't be sent as it is (its routing headers became ambiguous).
        """
        ...

    async def listen(self, last_event_id: str | None, context: Context) -> Answer:
        """Open the stream on which the server speaks by itself.

        Raises:
            Unavailable: where the server can't be reached.
        """
        ...

    async def end(self, context: Context) -> Answer:
        """Tell the server that the session is over."""
        ...

    async def close(self) -> None:
        """Put everything away that is this relay's own."""
        ...
