"""A server's answer over several streams: it may end one before the reply, and is asked for the rest.

2025-11-25, streamable HTTP, resumability and redelivery.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from tidegate.streams import Out, Outs
from tidegate.upstream import Context, Unavailable

if TYPE_CHECKING:
    from tidegate.conversation import Conversation
    from tidegate.message import Id

log = structlog.get_logger("tidegate.resuming")

RESUMPTIONS = 100  # of one answer whose streams the server keeps closing
RETRY = 1000  # milliseconds until a closed stream is resumed, where the server names no time
LONGEST = 60_000  # milliseconds, whatever it names


async def whole(events: Outs, conversation: Conversation, identity: Id, context: Context) -> Outs:
    """Yield what a server says to a request, from one stream after another, to the reply.

    Where it can't be had, what is said in its place comes last. A stream without event ids can't be resumed.
    """
    last: str | None = None
    for _ in range(RESUMPTIONS + 1):
        retry = RETRY
        async with contextlib.aclosing(events):
            async for out in events:
                last = out.id or last
                retry = out.retry if out.retry is not None else retry
                yield out
        if last is None or not conversation.open(identity):
            return
        await asyncio.sleep(min(retry, LONGEST) / 1000)
        try:
            reply = await conversation.listen(last, context)
        except Unavailable as failure:
            log.warning("the server's stream can't be resumed", reason=str(failure))
            break
        if reply.events is None:
            break
        events = reply.events
    if conversation.open(identity):
        yield Out(await conversation.unanswered(identity))
