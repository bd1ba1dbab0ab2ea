"""What every transport to a server is: a :class:`Pipe`, and the two ways in which one fails."""

from __future__ import annotations

from typing import Protocol


class PipeError(Exception):
    """A pipe can't start, has ended or is closed. The text is one sentence, safe to show, without content."""


class Overlong(Exception):  # noqa: N818 - it says what happened to a frame; the pipe itself is well
    """A frame over the limit was dropped, and what follows it goes on.

    Attributes:
        size: how many bytes of it had come when it was given up; it may have been longer.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"a message of {size} bytes or more is over the limit")
        self.size = size


class Pipe(Protocol):
    """A connection that carries whole JSON texts both ways. One task receives at a time; any number may send."""

    async def start(self) -> None:
        """Open the connection. Bounded by the caller's timeout; leaves nothing behind when cancelled.

        Raises:
            PipeError: where it can't be opened.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Queue one JSON text for sending; waits first while too much is queued.

        Args:
            data: the text's UTF-8 bytes, without a line end in them.

        Raises:
            PipeError: where the pipe has ended or is closed.
        """
        ...

    async def receive(self) -> bytes:
        """Return the next whole JSON text, without its line end.

        Raises:
            PipeError: where the pipe has ended (how, is said) or is closed, and all that came before was received.
            Overlong: in the place of a text over the limit.
        """
        ...

    async def close(self) -> None:
        """End all that the pipe started: politely first, then by force. Idempotent; holds when cancelled too."""
        ...

    @property
    def pid(self) -> int | None:
        """The process ID of the server on this machine, where there is one."""
        ...

    def stderr_tail(self) -> str:
        """Return the last lines the server wrote to its standard error, bounded. It may hold content."""
        ...
