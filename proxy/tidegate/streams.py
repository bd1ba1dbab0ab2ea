"""Judged messages on their way to a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tidegate.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.upstream import Event

Heard = Message | bytes | None
"""What a client hears: a judged message; the bytes of an error of Tidegate's own, or of a batch; or nothing."""


class Out(NamedTuple):
    """One judged message on its way to a client: its bytes, and what a stream of events says of it.

    ``message`` is what the bytes are the encoding of, where that is one message that was judged.
    """

    data: bytes | None
    id: str | None = None
    retry: int | None = None
    message: Message | None = None


Outs = AsyncGenerator[Out, None]


def bytes_of(heard: Message | bytes) -> bytes:
    """Return what is sent."""
    return heard.encoded if isinstance(heard, Message) else heard


def outgoing(heard: Heard, event: Event) -> Out:
    """Return what a client hears, as an event of the same id and retry time as the server's."""
    if isinstance(heard, Message):
        return Out(heard.encoded, event.id, event.retry, heard)
    return Out(heard, event.id, event.retry)


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


def replied(status: int, headers: dict[str, str], heard: Heard) -> Reply:
    """Return a reply of one body."""
    if isinstance(heard, Message):
        return Reply(status, headers, heard.encoded, None, heard)
    return Reply(status, headers, heard)


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
