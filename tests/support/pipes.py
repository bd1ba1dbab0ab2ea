"""A pipe without a process: the test itself is the server at its other end. And relays on such pipes."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from support.rig import Entry, encoded, entry, running_core
from support.web import PATIENCE
from tidegate import Deny, Message
from tidegate.correlate import Remap
from tidegate.ends.pipe import Overlong, PipeError
from tidegate.flow import Principal
from tidegate.flows import Core
from tidegate.instances import Instance
from tidegate.piped import PipeUpstream, PlainSource
from tidegate.relay import Relay
from tidegate.streams import Reply
from tidegate.upstream import Context
from tidegate.wire import Rejected

HTTP = Context(http=True)
STDIO = Context()


class MemoryPipe:
    """Carries whole JSON texts between Tidegate and the test, which is the server.

    Attributes:
        got: all messages that Tidegate sent, in order.
        held: while it is clear, sends wait, as they do where the server reads nothing.
    """

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.held = asyncio.Event()
        self.held.set()
        self.closed = False
        self._unread: deque[Any] = deque()
        self._arrived = asyncio.Event()
        self._said: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self._ended: PipeError | None = None

    # Tidegate's side

    async def start(self) -> None:
        """Do nothing: it is open."""

    async def send(self, data: bytes) -> None:
        """Take a message of Tidegate's."""
        if self._ended is not None:
            raise self._ended
        await self.held.wait()
        assert b"\n" not in data
        tree = json.loads(data)
        self.got.append(tree)
        self._unread.append(tree)
        self._arrived.set()

    async def receive(self) -> bytes:
        """Give Tidegate what the test said."""
        item = await self._said.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def close(self) -> None:
        """Note that Tidegate closed it."""
        self.closed = True
        self.end("closed")

    @property
    def pid(self) -> int | None:
        """None: there is no process."""
        return None

    def stderr_tail(self) -> str:
        """Return nothing."""
        return ""

    # the server's side

    async def next(self) -> Any:
        """Return the next message that Tidegate sends."""
        async with asyncio.timeout(PATIENCE):
            while not self._unread:
                self._arrived.clear()
                await self._arrived.wait()
        return self._unread.popleft()

    def say(self, tree: Any) -> None:
        """Send Tidegate a message, or bytes as they are."""
        self._said.put_nowait(tree if isinstance(tree, bytes) else encoded(tree))

    def result(self, request: Any, result: Any) -> None:
        """Answer a request with a result."""
        self.say({"id": request["id"], "result": result})

    def too_long(self, size: int) -> None:
        """Send a message that is over the limit."""
        self._said.put_nowait(Overlong(size))

    def end(self, reason: str = "The server ended.") -> None:
        """End the server."""
        if self._ended is None:
            self._ended = PipeError(reason)
            self._said.put_nowait(self._ended)


class FixedSource(PlainSource):
    """An instance that is there already, as a source."""

    def __init__(self, instance: Instance, remap: Remap | None) -> None:
        self.instance = instance
        self.remap = remap
        self.version = ""
        self.stateless = remap is not None

    @property
    def current(self) -> Instance:
        """It."""
        return self.instance

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.instance.ended is not None

    async def acquire(self) -> Instance:
        """Return it."""
        return self.instance

    async def release(self) -> None:
        """Close it."""
        await self.instance.close()


class Rig:
    """A relay in front of a server that is the test.

    Attributes:
        relay: the relay.
        pipe: the server's end.
        core: what the relay shares with others.
        source: where its instance comes from.
    """

    def __init__(self, core: Core, *, shared: bool, call_timeout: float) -> None:
        self.core = core
        self.pipe = MemoryPipe()
        remap = Remap() if shared else None
        self.instance = Instance(
            self.pipe,
            lambda: core.now.settings.proxy.limits,
            remap,
            lambda: "" if shared else self.source.version,
            self.refused,
        )
        self.source = FixedSource(self.instance, remap)
        upstream = PipeUpstream(self.source, lambda: call_timeout)
        self.relay = Relay(core, core.now.settings.server("server"), upstream, Principal(), stateless=shared)

    async def refused(self, refused: Rejected) -> None:
        """Have refused bytes recorded that are nobody's answer."""
        deny = Deny(refused.reason, code=refused.code, rule="wire")
        await self.core.now.pipeline.note("rejected", self.relay.flows.of(), deny, size=refused.size)

    async def accept(self, tree: Any, context: Context = STDIO) -> Reply:
        """Have the relay take a message of the client's."""
        data = tree if isinstance(tree, bytes) else encoded(tree)
        async with asyncio.timeout(PATIENCE):
            return await self.relay.accept(data, context)

    def ask(self, tree: Any, context: Context = STDIO) -> asyncio.Task[list[Any]]:
        """Begin to send a message of the client's; the task's result is all that the client gets for it."""
        return asyncio.create_task(self._all(tree, context))

    async def _all(self, tree: Any, context: Context) -> list[Any]:
        return await told(await self.accept(tree, context))

    async def own(self) -> AsyncIterator[Any]:
        """Yield what the server says by itself, as the client gets it."""
        reply = await self.relay.listen(None, STDIO)
        assert reply.events is not None
        async for out in reply.events:
            if out.data is not None:
                yield json.loads(out.data)


async def told(reply: Reply) -> list[Any]:
    """Return all messages of a reply, in order."""
    if reply.body is not None:
        return [json.loads(reply.body)]
    if reply.events is None:
        return []
    async with asyncio.timeout(PATIENCE):
        return [json.loads(out.data) async for out in reply.events if out.data is not None]


@asynccontextmanager
async def relaying(
    *entries: Entry, shared: bool = False, call_timeout: float = PATIENCE, version: str = "", **tree: Any
) -> AsyncIterator[Rig]:
    """Run a relay in front of a server that is the test.

    Args:
        entries: the interceptors.
        shared: whether the instance is shared by clients without sessions, so that ids are mapped.
        call_timeout: seconds the server may be silent.
        version: the version that was agreed on.
        tree: the rest of the settings.
    """
    async with running_core(*entries, **tree) as core:
        rig = Rig(core, shared=shared, call_timeout=call_timeout)
        rig.relay.flows.version = rig.source.version = version
        await rig.instance.start()
        try:
            yield rig
        finally:
            await rig.relay.close()


# -- what tests of relays say and see ---------------------------------------------------------------------------


def call(identity: Any = 1, name: str = "add", **params: Any) -> dict[str, Any]:
    """Return a call of a tool."""
    return {"id": identity, "method": "tools/call", "params": {"name": name, **params}}


def denying(*wanted: str, kind: str = "") -> Entry:
    """Return an interceptor that denies messages of some methods, of one kind if given."""

    def decide(message: Message, *_: Any) -> Deny | None:
        hit = message.method in wanted and kind in ("", message.kind)
        return Deny("Not this one.", rule="tests") if hit else None

    return entry(decide=decide)


def is_denied(message: Any, code: str = "denied") -> bool:
    """Whether a message is an error of Tidegate's with a code."""
    return bool(message["error"]["data"]["code"] == code)


async def gathered(rig: Rig) -> list[Any]:
    """End the server, and return what the client gets on the server's own stream."""
    rig.pipe.end()
    return [message async for message in rig.own()]
