"""Many connections over one pair of streams: the frames, which both ends of it share.

A frame is a kind, the connection's number and a size, and after :data:`DATA` so many bytes. Of a connection, either
side sends no more than :data:`WINDOW` bytes until the other says, by :data:`CREDIT`, how many of them have gone on.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

OPEN, OPENED, DATA, END, CLOSE, CREDIT = range(1, 7)
"""Make a connection; it is made; bytes; no more bytes follow; it is over, or couldn't be made; so many more bytes."""

LONGEST = 32 * 1024
"""Bytes in one frame."""

WINDOW = 128 * 1024
"""Bytes of one connection that may be on their way in one direction."""

MOST = 256
"""Connections at once."""

_HEAD = struct.Struct(">BII")


class Frame(NamedTuple):
    """One frame; ``credit`` is that of :data:`CREDIT`, ``data`` that of :data:`DATA`."""

    kind: int
    number: int
    data: bytes = b""
    credit: int = 0


class Malformed(Exception):  # noqa: N818 - it says what the bytes are
    """Bytes that are no frame."""


def encode(frame: Frame) -> bytes:
    """Return a frame's bytes."""
    return _HEAD.pack(frame.kind, frame.number, len(frame.data) or frame.credit) + frame.data


def cut(number: int, data: bytes) -> bytes:
    """Return data as frames of one connection."""
    parts = (data[at : at + LONGEST] for at in range(0, len(data), LONGEST))
    return b"".join(encode(Frame(DATA, number, part)) for part in parts)


class Frames:
    """Reads frames, however they are cut."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes; return the frames they complete.

        Raises:
            Malformed: where they are none.
        """
        data = self._buffer + data
        found, at = [], 0
        while len(data) - at >= _HEAD.size:
            kind, number, size = _HEAD.unpack_from(data, at)
            if not _is_right(kind, size):
                raise Malformed
            length = size if kind == DATA else 0
            if len(data) - at - _HEAD.size < length:
                break
            at += _HEAD.size
            found.append(Frame(kind, number, data[at : at + length], 0 if kind == DATA else size))
            at += length
        self._buffer = data[at:]
        return found


def _is_right(kind: int, size: int) -> bool:
    if kind == DATA:
        return 0 < size <= LONGEST
    if kind == CREDIT:
        return 0 < size <= WINDOW
    return OPEN <= kind <= CREDIT and size == 0
