"""Lists that are others now because of an interceptor: it says so, and clients are told where they listen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tidegate import methods, wire
from tidegate.streams import Out, Outs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tidegate.flows import Core, Flows
    from tidegate.message import Message

ACKNOWLEDGED = "notifications/subscriptions/acknowledged"


class Changes:
    """Where interceptors say that what they do to the lists of a server has changed, and who passes that on."""

    def __init__(self) -> None:
        self._heard: list[Callable[[str, Iterable[str]], None]] = []

    def hear(self, told: Callable[[str, Iterable[str]], None]) -> None:
        """Have it told of what changes, from now on."""
        self._heard.append(told)

    def tell(self, server: str, kinds: Iterable[str]) -> None:
        """Have clients told that a server's lists are others now, of ``tools``, ``prompts`` or ``resources``.

        To be called in the event loop. Who hears of it asks for the list, which is judged like any.
        """
        found = frozenset(kinds) & frozenset(methods.NOTICED)
        for told in self._heard:
            told(server, sorted(found))


class _Stream:
    """What an open stream has yet to tell."""

    def __init__(self) -> None:
        self.kinds: dict[str, None] = {}
        self.woken = asyncio.Event()

    def take(self) -> list[str]:
        kinds, self.kinds = list(self.kinds), {}
        self.woken.clear()
        return kinds


class Notices:
    """The streams on which one relay's clients hear what belongs to no request.

    Args:
        core: what all relays share.
        flows: the relay's.
    """

    def __init__(self, core: Core, flows: Flows) -> None:
        self._core = core
        self._flows = flows
        self._open: set[_Stream] = set()

    def tell(self, kinds: Iterable[str]) -> None:
        """Tell whoever listens that lists have changed; what wasn't told yet is told once."""
        for stream in self._open:
            stream.kinds.update(dict.fromkeys(kinds))
            stream.woken.set()

    async def among(self, outs: Outs, listen: Message | None = None) -> Outs:
        """Yield what a server says on a stream, and notices of Tidegate's own where the server may send such.

        The first one yielded says nothing; it is for :func:`tidegate.upstream.primed`.

        Args:
            outs: what the server says.
            listen: the client's ``subscriptions/listen``, where the stream is its answer.
        """
        stream, agreed = _Stream(), frozenset[str]()
        coming: asyncio.Future[Out | None] | None = None
        self._open.add(stream)
        try:
            yield Out(None)
            while True:
                for kind in stream.take():
                    out = await self._composed(kind, listen, self._flows.noticed if listen is None else agreed)
                    if out is not None:
                        yield out
                coming = coming or asyncio.ensure_future(anext(outs, None))
                waking = asyncio.ensure_future(stream.woken.wait())
                try:
                    await asyncio.wait((coming, waking), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waking.cancel()
                if stream.kinds or not coming.done():
                    continue  # a notice comes before what may be the last of the stream
                out, coming = coming.result(), None
                if out is None:
                    return
                if listen is not None and out.message is not None and out.message.method == ACKNOWLEDGED:
                    agreed = frozenset(kind for kind in methods.NOTICED if _has(out.message, f"{kind}ListChanged"))
                yield out
        finally:
            self._open.discard(stream)
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
            await outs.aclose()

    async def _composed(self, kind: str, listen: Message | None, able: frozenset[str]) -> Out | None:
        """Return a notice, recorded as Tidegate's own; ``None`` where it can't be, or the client may not be told."""
        if kind not in able:
            return None
        tree: dict[str, Any] = {"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed"}
        if listen is not None:
            tree["params"] = {"_meta": {methods.SUBSCRIPTION_KEY: listen.id}}
        message = wire.classify(tree, "server")
        decision = await self._core.now.pipeline.composed(message, self._flows.of(listen or message))
        return Out(message.encoded, message=message) if decision.allowed else None


def _has(acknowledged: Message, key: str) -> bool:
    params = acknowledged.tree.get("params")
    said = params.get("notifications") if isinstance(params, dict) else None
    return isinstance(said, dict) and said.get(key) is True
