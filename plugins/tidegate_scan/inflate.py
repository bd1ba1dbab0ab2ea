"""Decompression that stops at the budget, whatever the data says."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .budget import Gauge

_CHUNK = 1024
_ROOM = 65536
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
"""The first two bytes of zlib's usual levels (RFC 1950)."""
_GZIP = b"\x1f\x8b\x08"
"""The first bytes of gzip (RFC 1952)."""


def inflated(data: bytes, gauge: Gauge) -> tuple[str, bytes] | None:
    """Undo gzip or zlib.

    What comes before an error or a missing end counts: a wrong checksum hides nothing.

    Args:
        data: bytes of any sort.
        gauge: what is left of the budget.

    Returns:
        The compression's name and the bytes, or None where the data isn't compressed so.

    Raises:
        OverBudget: where it inflates to more than the budget.
    """
    if data.startswith(_GZIP):
        out = b"".join(_members(data, gauge))
        return ("gzip", out) if out else None
    if data.startswith(_ZLIB):
        out = _member(data, 15, gauge)[0]
        return ("zlib", out) if out else None
    return None


def deflates(beginning: bytes) -> bool:
    """Whether these bytes may begin a deflated stream; nearly no others may."""
    try:
        zlib.decompressobj(-15).decompress(beginning, _CHUNK)
    except zlib.error:
        return False
    return True


def deflated(data: bytes, gauge: Gauge) -> bytes:
    """Undo deflate without any header (RFC 1951), which only data that ends where its stream ends can be.

    Args:
        data: bytes of any sort.
        gauge: what is left of the budget.

    Returns:
        What it holds; nothing where the data isn't deflated.

    Raises:
        OverBudget: where it inflates to more than the budget.
    """
    out, rest = _member(data, -15, gauge, whole=True)
    return b"" if rest else out


def _members(data: bytes, gauge: Gauge) -> list[bytes]:
    """Undo the members of a gzip file, one after the other."""
    found = []
    while data.startswith(_GZIP):
        out, data = _member(data, 31, gauge)
        found.append(out)
    return found


def _member(data: bytes, window: int, gauge: Gauge, *, whole: bool = False) -> tuple[bytes, bytes]:
    """Return what a compressed stream holds and what follows it; of a broken one its beginning, or `whole`: nothing."""
    stream = zlib.decompressobj(window)
    made: list[bytes] = []
    place = 0
    try:
        while not stream.eof and (place < len(data) or stream.unconsumed_tail):
            piece = stream.unconsumed_tail or data[place : place + _CHUNK]
            place += 0 if stream.unconsumed_tail else _CHUNK
            made.append(stream.decompress(piece, min(_ROOM, gauge.left + 1)))
            gauge.took(len(made[-1]))
    except zlib.error:
        return b"" if whole else b"".join(made), b""
    if whole and not stream.eof:
        return b"", b""
    return b"".join(made), stream.unused_data + data[place:] if stream.eof else b""
