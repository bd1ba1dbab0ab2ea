"""Replies of relays as the gateway passes them on: without what only the server's own connection is concerned with."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from tidegate.streams import Out, Outs, Reply, each
from tidegate.upstream import primed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from tidegate.upstream import Context

_STREAM = "text/event-stream"


class Denied(Exception):  # noqa: N818 - it says what was done
    """An interceptor stopped a message of the client's that the gateway would answer itself."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


async def cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending)


async def bare(reply: Reply, label: str | None = None) -> Reply:
    """Return a reply without what only its own connection is concerned with: status and headers of the server's.

    Args:
        reply: the reply.
        label: what the ids of its events are to begin with, so that a stream can be resumed at the right server;
            without, they are left out.
    """
    if reply.events is None:
        return Reply(200 if reply.body is not None else reply.status, {}, reply.body, None, reply.message)
    return Reply(200, {}, None, await primed(labelled(reply.events, label)))


async def labelled(events: Outs, label: str | None) -> Outs:
    """Yield what a stream has, with other event ids; see :func:`bare`."""
    async with contextlib.aclosing(events):
        yield Out(None)  # for primed()
        async for out in events:
            if out.id is None and out.retry is None:
                yield out
            elif label is not None:
                yield Out(out.data, None if out.id is None else f"{label}/{out.id}", out.retry, out.message)
            elif out.data is not None:
                yield Out(out.data, None, None, out.message)


async def streamed(reply: Reply, context: Context) -> Reply:
    """Return a body as a stream of one message, to a client of HTTP that names streams first among what it accepts."""
    if reply.message is None or reply.status != 200 or not context.headers.get("accept", "").startswith(_STREAM):
        return reply
    return Reply(events=await primed(each([Out(reply.body, message=reply.message)])))


async def condensed(events: AsyncGenerator[Out, None], context: Context) -> Reply:
    """Return a stream as a reply: as one body, if its first message is its last and the client takes one."""
    if not context.http:
        return Reply(events=events)
    async for out in events:
        if out.data is None:
            continue
        if out.message is None or out.message.is_reply:
            await events.aclose()
            return Reply(body=out.data, message=out.message)
        return Reply(events=await primed(_after(out, events)))
    return Reply(202)


async def _after(first: Out, rest: AsyncGenerator[Out, None]) -> Outs:
    async with contextlib.aclosing(rest):
        yield Out(None)  # for primed()
        yield first
        async for out in rest:
            yield out
