"""Judged messages on their way to a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tidegate.message import Message
from tidegate.upstream import primed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.upstream import Event

Said = Message | bytes
"""What a client hears: a judged message; or the bytes of an error of Tidegate's own, or of a batch."""


class Out(NamedTuple):
    """One judged message on its way to a client: its bytes, and what a stream of events says of it.

    ``message`` is what the bytes are the encoding of, where that is one message that was judged.
    """

    data: bytes | None
    id: str | None = None
    retry: int | None = None
    message: Message | None = None


Outs = AsyncGenerator[Out, None]


def _out(said: Said) -> Out:
    return Out(said.encoded, message=said) if isinstance(said, Message) else Out(said)


def joined(said: list[Said]) -> list[Said]:
    """Return what was in a batch as a batch again, if it is more than one message."""
    return said if len(said) < 2 else [b"[" + b",".join(out.data or b"" for out in map(_out, said)) + b"]"]


def outgoing(said: Sequence[Said], event: Event) -> list[Out]:
    """Return what a client hears of an event; the last of it has the id and the retry time of the server's."""
    if event.data is None:
        return [Out(None, event.id, event.retry)]
    outs = [_out(each) for each in said]
    outs[-1:] = [out._replace(id=event.id, retry=event.retry) for out in outs[-1:]]
    return outs


async def each(outs: Sequence[Out]) -> Outs:
    """Yield messages; the first one yielded says nothing, and is for :func:`tidegate.upstream.primed`."""
    yield Out(None)
    for out in outs:
        yield out


@dataclass(slots=True)
class Reply:
    """What a client's end sends back for one message, or for one batch of them.

    Attributes:
        status: the HTTP status; other ends ignore it.
        headers: headers for the client, names in lower case.
        body: judged bytes, or ``None`` for nothing to say.
        events: judged messages, if it is a stream.
        message: what ``body`` is the encoding of, where that is one message that was judged.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    events: Outs | None = None
    message: Message | None = None


async def replied(status: int, headers: dict[str, str], said: Sequence[Said]) -> Reply:
    """Return a reply of one body, or of a stream where there is more than one message."""
    outs = [_out(one) for one in said]
    if len(outs) > 1:
        return Reply(200, headers, events=await primed(each(outs)))
    return Reply(status, headers, outs[0].data if outs else None, None, outs[0].message if outs else None)


async def merged(replies: Sequence[Reply]) -> Outs:
    """Yield the messages of several replies, each as soon as it is there; ends when all have ended.

    Event ids are left out: one stream can't resume several. The first one yielded says nothing; it is for
    :func:`tidegate.upstream.primed`, so that closing this closes all of them.
    """
    streams = [reply.events for reply in replies if reply.events is not None]
    waiting: dict[asyncio.Future[Out | None], Outs] = {}
    try:
        yield Out(None)
        for reply in replies:
            if reply.body is not None:
                yield Out(reply.body)
        waiting.update((asyncio.ensure_future(anext(events, None)), events) for events in streams)
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                events, out = waiting.pop(task), task.result()
                if out is None:
                    continue
                waiting[asyncio.ensure_future(anext(events, None))] = events
                if out.data is not None:
                    yield Out(out.data)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for events in streams:
            await events.aclose()
