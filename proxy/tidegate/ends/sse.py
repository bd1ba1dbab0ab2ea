"""Server-sent events: bytes to events, and back. No I/O.

Source: HTML Living Standard, section 9.2 (server-sent events), whose parsing rules are followed to the letter.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tidegate.ends.buffers import MAX_BYTES
from tidegate.ends.pipe import Overlong

KEEP_ALIVE = b":\n\n"
"""A comment, which says nothing but that the stream lives."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Event(NamedTuple):
    """One event.

    Attributes:
        data: its data as received; lines are joined by line feeds. Not decoded: who reads it knows how strict to be.
        event: its type; ``message`` where it names none.
        id: the id it carries itself, or None; the one in force is :attr:`Parser.last_id`.
        retry: the reconnection time it carries, in milliseconds, or None.
    """

    data: bytes
    event: str = "message"
    id: str | None = None
    retry: int | None = None


class Parser:
    """Reads a stream of events, however it is cut into pieces.

    Attributes:
        last_id: the id in force: the last one that came, also in a block without data.
        retry: the last reconnection time that came, in milliseconds, or None.
        comments: how many comment lines came; servers send them to keep a stream alive.

    Args:
        max_bytes: how long an event's data, type and id may be, all together. A longer event is dropped, and stands in
            the result as one :class:`Overlong`.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.last_id = ""
        self.retry: int | None = None
        self.comments = 0
        self._max = max_bytes
        self._begun = False
        self._start = b""  # the first bytes, while they may still be a byte order mark
        self._skip_feed = False  # the last byte was a carriage return, so a line feed would belong to it
        self._partial = bytearray()
        self._drop_line = False  # the rest of the line being read is of no interest
        self._drop_event = False  # the rest of the event being read is of no interest
        self._data: list[bytes] = []
        self._event = ""
        self._id: str | None = None
        self._retry: int | None = None
        self._size = 0

    def feed(self, data: bytes) -> list[Event | Overlong]:
        """Take the next bytes; return the events they complete."""
        *lines, rest = self._plain(data).split(b"\n")
        found: list[Event | Overlong] = []
        if lines:
            if self._drop_line:
                self._drop_line = False
                del lines[0]
            elif self._partial:
                self._partial += lines[0]
                lines[0] = bytes(self._partial)
                self._partial.clear()
        for line in lines:
            self._line(line, found)
        if rest and not self._drop_line:
            self._partial += rest
            if len(self._partial) > self._max + _FIELD:
                self._long_line(self._partial, found)
                self._drop_line = True
                self._partial = bytearray()
        return found

    def _plain(self, data: bytes) -> bytes:
        """Return the next bytes without a byte order mark, and with line feeds alone as line ends."""
        if not self._begun:
            data = self._start + data
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._start = data
                return b""
            self._begun = True
            data = data.removeprefix(_BOM)
        if self._skip_feed and data:
            self._skip_feed = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            self._skip_feed = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _line(self, line: bytes, found: list[Event | Overlong]) -> None:
        if not line:
            self._dispatch(found)
        elif len(line) > self._max + _FIELD:
            self._long_line(line, found)
        elif line.startswith(b":"):
            self.comments += 1
        elif self._drop_event:
            return
        elif line.startswith(b"data: "):  # nearly every line, and the long ones: not to be copied twice
            self._add(line[6:], found)
        else:
            self._field(line, found)

    def _long_line(self, line: bytes | bytearray, found: list[Event | Overlong]) -> None:
        """Take a line, or its beginning, that is over the limit by itself."""
        if line.startswith(b":"):
            self.comments += 1
        elif not self._drop_event:
            self._give_up(self._size + len(line), found)

    def _field(self, line: bytes, found: list[Event | Overlong]) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._add(value, found)
            case b"event":
                self._event = value.decode(errors="replace")
                self._measure(len(value), found)
            case b"id" if b"\0" not in value:
                self._id = value.decode(errors="replace")
                self._measure(len(value), found)
            case b"retry" if value.isdigit():
                self._retry = int(value[:_DIGITS])
            case _:
                pass  # the standard: the field is ignored

    def _add(self, value: bytes, found: list[Event | Overlong]) -> None:
        self._data.append(value)
        self._measure(len(value) + 1, found)

    def _measure(self, size: int, found: list[Event | Overlong]) -> None:
        self._size += size
        if self._size > self._max + 1:  # the line feed after the last line of data isn't part of it
            self._give_up(self._size, found)

    def _give_up(self, size: int, found: list[Event | Overlong]) -> None:
        found.append(Overlong(size))
        self._clear()
        self._drop_event = True

    def _dispatch(self, found: list[Event | Overlong]) -> None:
        if self._id is not None:
            self.last_id = self._id
        if self._retry is not None:
            self.retry = self._retry
        if self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            found.append(Event(data, self._event or "message", self._id, self._retry))
        self._clear()
        self._drop_event = False

    def _clear(self) -> None:
        self._data.clear()
        self._event = ""
        self._id = None
        self._retry = None
        self._size = 0


_FIELD = len(b"event: ")
_DIGITS = 15  # of a reconnection time: more would be millennia


def encode(data: bytes, event: str | None = None, id: str | None = None, retry: int | None = None) -> bytes:  # noqa: A002 - the field's own name
    """Return the bytes of one event.

    Args:
        data: its data; each of its lines becomes a field, whatever ends it.
        event: its type; ``message`` when absent.
        id: its id.
        retry: the reconnection time in milliseconds.

    Raises:
        ValueError: for a type or id that one line can't hold.
    """
    parts = []
    for name, value in ((b"event", event), (b"id", id)):
        if value is not None:
            if any(character in value for character in "\r\n\0"):
                raise ValueError(f"an event's {name.decode()} has no line end in it")
            parts.append(b"%b: %b\n" % (name, value.encode()))
    if retry is not None:
        parts.append(b"retry: %d\n" % retry)
    if b"\n" in data or b"\r" in data:
        parts += [b"data: %b\n" % line for line in _LINE_END.split(data)]
    else:
        parts.append(b"data: %b\n" % data)
    parts.append(b"\n")
    return b"".join(parts)
