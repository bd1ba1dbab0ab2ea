"""A client that has one stream for everything: stdio, and HTTP+SSE of 2024-11-05."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from tidegate.ends.pipe import PipeError
from tidegate.resuming import LONGEST, RETRY, whole
from tidegate.upstream import Context, Unavailable
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from tidegate.conversation import Conversation
    from tidegate.message import Message
    from tidegate.streams import Outs, Reply

log = structlog.get_logger("tidegate.duplex")

_INITIALIZED = "notifications/initialized"


class Duplex:
    """Feeds a relay from one stream, and writes to one stream what comes of it.

    Args:
        relay: the relay.
        write: sends one judged message to the client.
    """

    def __init__(self, relay: Conversation, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._relay = relay
        self._write = write
        self._context = Context()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening = False

    async def accept(self, data: bytes) -> None:
        """Take one frame of the client's. What keeps its order is awaited; answers come when they come."""
        try:
            found = self._relay.parsed(data)
        except Rejected as refused:
            await self._send(await self._relay.refuse(refused), None)
            return
        if isinstance(found, list):
            self._spawn(self._batch(found))
            return
        if self._relay.ordered:
            self._listen()
        if self._relay.ordered or found.kind != "request":
            await self._take(found)
        else:
            self._spawn(self._take(found))

    def _listen(self) -> None:
        """Write what the server says by itself, from now on."""
        if not self._listening:
            self._listening = True
            self._spawn(self._own())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._meanwhile(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _meanwhile(work: Coroutine[None, None, None]) -> None:
        with contextlib.suppress(PipeError):  # the client takes nothing any more: who reads it will notice
            await work

    async def _batch(self, found: list[Message | Rejected]) -> None:
        await self._send(await self._relay.batch(found, self._context), None)
        if any(not isinstance(one, Rejected) and one.method == _INITIALIZED for one in found):
            self._listen()

    async def _take(self, message: Message) -> None:
        await self._send(await self._relay.take(message, self._context), message)
        if message.method == _INITIALIZED:
            self._listen()

    async def _send(self, reply: Reply, message: Message | None) -> None:
        if reply.body is not None:
            await self._write(reply.body)
        elif reply.events is not None:
            self._spawn(self._pump(reply.events, message))

    async def _pump(self, events: Outs, message: Message | None) -> None:
        """Write a stream's messages; where it ends before the reply, those of the streams that go on with it."""
        if message is not None and message.id is not None:
            events = whole(events, self._relay, message.id, self._context)
        await self._drain(events)

    async def _drain(self, events: Outs) -> tuple[str | None, int]:
        last, retry = None, RETRY
        async with contextlib.aclosing(events):
            async for out in events:
                last, retry = out.id or last, out.retry if out.retry is not None else retry
                if out.data is not None:
                    await self._write(out.data)
        return last, min(retry, LONGEST)

    async def _own(self) -> None:
        """Write what the server says by itself, over one stream after another where it closes them.

        A server without such a stream answers 405.
        """
        last, ended = None, False
        while not ended:
            try:
                reply = await self._relay.listen(last, self._context)
            except Unavailable as failure:
                log.debug("the server has no stream of its own", reason=str(failure))
                return
            if reply.events is None:
                return
            again, retry = await self._drain(reply.events)
            last = again or last
            ended = self._relay.ordered  # a pipe has one stream, and has ended with it
            if not ended:
                await asyncio.sleep(retry / 1000)

    async def drained(self) -> None:
        """Wait until every request has its answer; the server's own stream is not waited for."""
        while self._relay.waiting:
            waiting = [task for task in self._tasks if not task.done()]
            if not waiting:
                return
            await asyncio.wait(waiting, timeout=0.1, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """Stop writing, and close the relay."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._relay.close()
