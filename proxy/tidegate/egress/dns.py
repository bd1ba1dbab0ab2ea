"""A name server of the allowed names alone (RFC 1035): all of them are the sidecar; no question goes any further."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from tidegate.egress.rules import name_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address

_HEAD = struct.Struct(">HHHHHH")
_A, _IN = 1, 1
_RESPONSE, _OPCODE, _WANTED = 0x8000, 0x7800, 0x0100
_AUTHORITY, _AVAILABLE = 0x0400, 0x0080
_BAD, _NONE = 1, 3  # FORMERR, NXDOMAIN
_SECONDS = 60


class Reply(NamedTuple):
    """An answer, and the name that it says doesn't exist, or "" for none."""

    data: bytes
    refused: str


def answer(query: bytes, address: IPv4Address, knows: Callable[[str], bool]) -> Reply | None:
    """Return the answer to a query; None where there is nothing to answer.

    Args:
        query: the datagram.
        address: the sidecar's.
        knows: whether a name is allowed.
    """
    if len(query) < _HEAD.size or len(query) > 512:
        return None
    number, flags, questions, *_ = _HEAD.unpack_from(query)
    if flags & _RESPONSE:
        return None
    kept = _RESPONSE | _AUTHORITY | _AVAILABLE | (flags & _WANTED)
    try:
        if flags & _OPCODE or questions != 1:
            raise ValueError  # noqa: TRY301 - one answer to all that is wrong
        name, kind, question = _question(query)
    except (ValueError, IndexError, struct.error):
        return Reply(_HEAD.pack(number, kept | _BAD, 0, 0, 0, 0), "")
    try:
        known = knows(name_of(name))
    except ValueError:
        known = False
    if not known:
        return Reply(_HEAD.pack(number, kept | _NONE, 1, 0, 0, 0) + question, name or ".")
    record = b""
    if kind == _A:
        record = b"\xc0\x0c" + struct.pack(">HHIH", _A, _IN, _SECONDS, 4) + address.packed
    return Reply(_HEAD.pack(number, kept, 1, int(bool(record)), 0, 0) + question + record, "")


def _question(query: bytes) -> tuple[str, int, bytes]:
    """Return the name, the type and the bytes of a query's one question."""
    labels, at = [], _HEAD.size
    while size := query[at]:
        if size > 63 or at + 1 + size >= len(query):
            raise ValueError
        labels.append(query[at + 1 : at + 1 + size])
        at += 1 + size
    kind, group = struct.unpack_from(">HH", query, at + 1)
    if group != _IN or at - _HEAD.size > 254:
        raise ValueError
    name = b".".join(labels).decode("ascii", "replace").replace("\ufffd", "?")
    return "".join(letter if letter.isprintable() else "?" for letter in name), kind, query[_HEAD.size : at + 5]
