"""What transports of lines share: splitting bytes into lines, and bounded queues in both directions."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from tidegate.ends.pipe import Overlong, PipeError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES = 4 * 1024 * 1024
"""How long a frame may be, in bytes, unless another limit is given."""

QUEUED = 1024 * 1024
"""How many bytes are queued in one direction before the peer has to wait, the last frame not counted."""

_FRAME_COST = 64  # bytes a queued frame takes beside its content, about: many tiny ones must count too
_STREAK = 32  # frames taken without letting other tasks run
_SETTLE = 0.5  # seconds between the end of a server and the end of its output, or the other way round
_TAIL_BYTES = 16 * 1024


class Lines:
    """Splits bytes into lines of at most ``max_bytes``, however they are cut; LF and CR LF end a line.

    Blank lines are skipped. A line over the limit is dropped as soon as it is over, and stands in the result as one
    :class:`Overlong`.
    """

    __slots__ = ("_dropping", "_max", "_partial")

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max = max_bytes
        self._partial = bytearray()
        self._dropping = False

    def feed(self, data: bytes) -> list[bytes | Overlong]:
        """Take the next bytes; return the lines they complete, without line ends."""
        *lines, rest = data.split(b"\n")
        if lines:
            if self._dropping:
                self._dropping = False
                del lines[0]
            elif self._partial:
                self._partial += lines[0]
                lines[0] = bytes(self._partial)
                self._partial.clear()
        found: list[bytes | Overlong] = []
        for line in lines:
            text = line[:-1] if line.endswith(b"\r") else line
            if len(text) > self._max:
                found.append(Overlong(len(text)))
            elif text and not text.isspace():
                found.append(text)
        if rest and not self._dropping:
            self._partial += rest
            if len(self._partial) > self._max + 1:  # one more byte may be the \r of its end
                self._dropping = True
                found.append(Overlong(len(self._partial)))
                self._partial = bytearray()
        return found

    def finish(self) -> list[bytes | Overlong]:
        """Return the last line, where the input ended without a line end."""
        return self.feed(b"\n") if self._partial and not self._dropping else []


class Source(Protocol):
    """Where frames come from."""

    def pause_reading(self) -> None:
        """Let nothing more come until further notice."""
        ...

    def resume_reading(self) -> None:
        """Let more come."""
        ...

    def is_closing(self) -> bool:
        """Whether nothing more can come anyway."""
        ...


class Gate:
    """A :class:`Source` that lets the reader of a stream wait.

    Attributes:
        open: set while more may come.
    """

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    def pause_reading(self) -> None:
        """Close it."""
        self.open.clear()

    def resume_reading(self) -> None:
        """Open it."""
        self.open.set()

    def is_closing(self) -> bool:
        """Whether nothing more can come: it doesn't know."""
        return False


class Inbox:
    """Frames that came and were not yet taken. Reading stops while more than :data:`QUEUED` bytes wait.

    Attributes:
        source: what to pause and resume, an asyncio transport as a rule; set when it is there.
    """

    __slots__ = ("_error", "_frames", "_held", "_paused", "_streak", "_waiter", "source")

    def __init__(self) -> None:
        self.source: Source | None = None
        self._frames: deque[bytes | Overlong] = deque()
        self._held = 0
        self._paused = False
        self._streak = 0
        self._error: str | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def paused(self) -> bool:
        """Whether reading is stopped because too much waits to be taken."""
        return self._paused

    @property
    def ended(self) -> bool:
        """Whether nothing more can come."""
        return self._error is not None

    def put(self, frames: Iterable[bytes | Overlong]) -> None:
        """Queue frames; after :meth:`end` they are dropped."""
        if self._error is not None:
            return
        for frame in frames:
            self._frames.append(frame)
            self._held += _cost(frame)
        if self._frames:
            self._wake()
            if self._held > QUEUED and not self._paused and self.source is not None:
                self._paused = True
                self.source.pause_reading()

    def end(self, reason: str) -> None:
        """Say why nothing more comes; what is queued can still be taken. The first reason stays."""
        if self._error is None:
            self._error = reason
            self._wake()

    def close(self, reason: str) -> None:
        """Forget what is queued, and take nothing more; a peer that writes is read, so that it isn't blocked."""
        self._error = reason
        self._frames.clear()
        self._held = 0
        self._resume()
        self._wake()

    async def get(self) -> bytes:
        """Return the next frame.

        Raises:
            PipeError: after the last one.
            Overlong: in the place of a frame over the limit.
        """
        while not self._frames:
            if self._error is not None:
                raise PipeError(self._error)
            if self._waiter is not None:
                raise RuntimeError("two tasks receive from one pipe")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
            self._streak = 0
        self._streak += 1
        if self._streak > _STREAK:  # a peer that floods must not keep all others waiting
            self._streak = 0
            await asyncio.sleep(0)
            if not self._frames:  # closed meanwhile
                raise PipeError(self._error or "")
        frame = self._frames.popleft()
        self._held -= _cost(frame)
        if self._paused and self._held <= QUEUED // 2:
            self._resume()
        if isinstance(frame, Overlong):
            raise frame
        return frame

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _resume(self) -> None:
        if self._paused and self.source is not None:
            self._paused = False
            if not self.source.is_closing():
                self.source.resume_reading()


class Outbox:
    """The sending side of a stream of lines: a transport that may tell its writers to wait.

    Its owner, an asyncio protocol, passes on ``pause_writing`` and ``resume_writing``.
    """

    __slots__ = ("_error", "_paused", "_transport", "_waiters")

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._paused = False
        self._error: str | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    def open(self, transport: asyncio.WriteTransport) -> None:
        """Say what to write to."""
        transport.set_write_buffer_limits(high=QUEUED)
        self._transport = transport

    def pause(self) -> None:
        """Make writers wait."""
        self._paused = True

    def resume(self) -> None:
        """Let writers go on."""
        self._paused = False
        self._wake()

    def end(self, reason: str) -> None:
        """Say why nothing more can be sent; who waits is told. The first reason stays."""
        if self._error is None:
            self._error = reason
            self._wake()

    async def put(self, data: bytes) -> None:
        """Write one line; waits while too much is queued.

        Raises:
            PipeError: after :meth:`end`, or before :meth:`open`.
            ValueError: for data with a line end in it, which would be two frames.
        """
        if b"\n" in data:
            raise ValueError("a frame has no line end in it")
        if self._transport is None:
            raise PipeError("The connection is not open.")
        if self._transport.is_closing():  # what ended it is about to be told
            asyncio.get_running_loop().call_later(_SETTLE, self.end, "The connection was closed.")
        while (self._paused or self._transport.is_closing()) and self._error is None:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        if self._error is not None:
            raise PipeError(self._error)
        self._transport.write(data + b"\n")

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


class Ending:
    """Makes one end of two: that of a server, and that of its output. Either may be late, and the other not come.

    Something the server started may hold its output open; and what it wrote last may still be on its way.

    Args:
        name: what the server is called.
        inbox: where its output goes.
        outbox: where its input comes from.
    """

    __slots__ = ("_cancelled", "_inbox", "_input_timer", "_name", "_outbox", "_output_ended", "_timer", "_words")

    def __init__(self, name: str, inbox: Inbox, outbox: Outbox) -> None:
        self._name = name
        self._inbox = inbox
        self._outbox = outbox
        self._cancelled = False
        self._output_ended = False
        self._words: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._input_timer: asyncio.TimerHandle | None = None

    def exited(self, words: str) -> None:
        """Take the news that the server has ended: ``words`` say how."""
        self._words = words
        self._outbox.end(f"{self._name} {words}.")
        self._settle()

    def input_ended(self) -> None:
        """Take the news that nothing more can be sent to the server; why is known in a moment, as a rule."""
        self._outbox.pause()
        reason = f"{self._name} closed its input."
        self._input_timer = asyncio.get_running_loop().call_later(_SETTLE, self._outbox.end, reason)

    def output_ended(self) -> None:
        """Take the news that nothing more comes from the server."""
        self._output_ended = True
        self._settle()

    def cancel(self) -> None:
        """Forget about it: the pipe was closed."""
        self._cancelled = True
        for timer in (self._timer, self._input_timer):
            if timer is not None:
                timer.cancel()

    def _settle(self) -> None:
        if self._output_ended and self._words is not None:
            self._inbox.end(f"{self._name} {self._words}.")
        elif self._timer is None and not self._cancelled:
            self._timer = asyncio.get_running_loop().call_later(_SETTLE, self._settled)

    def _settled(self) -> None:
        self._timer = None
        if self._inbox.paused:  # what was written before the end is still waiting outside
            self._settle()
        else:
            self._inbox.end(f"{self._name} {self._words or 'closed its output'}.")


class Tail:
    """The last bytes of a stream, for a person to read where something failed."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._kept += data[-_TAIL_BYTES:]
        if len(self._kept) > 2 * _TAIL_BYTES:
            del self._kept[:-_TAIL_BYTES]

    def text(self) -> str:
        """Return the last whole lines, at most 16 KiB."""
        kept = bytes(self._kept[-_TAIL_BYTES:])
        if len(self._kept) > _TAIL_BYTES:
            kept = kept.partition(b"\n")[2] or kept
        return kept.decode(errors="replace").strip()


def _cost(frame: bytes | Overlong) -> int:
    return _FRAME_COST + (len(frame) if isinstance(frame, bytes) else 0)
