"""Judged messages on their way to a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Out(NamedTuple):
    """One judged message on its way to a client: its bytes, and what a stream of events says of it."""

    data: bytes | None
    id: str | None = None
    retry: int | None = None


Outs = AsyncGenerator[Out, None]


@dataclass(slots=True)
class Reply:
    """What a client's end sends back for one message, or for one batch of them.

    Attributes:
        status: the HTTP status; other ends ignore it.
        headers: headers for the client, names in lower case.
        body: judged bytes, or ``None`` for nothing to say.
        events: judged messages, if it is a stream.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    events: Outs | None = None


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
