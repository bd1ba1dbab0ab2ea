"""The hash chain: how a record becomes a line, and what a line must be like.

A line is one JSON object whose last member is ``hash``: the SHA-256 of the object's bytes without that member.
Its member ``prev`` is the hash of the record before it, so no line can be changed, moved or taken out unseen.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import orjson

GENESIS = "0" * 64
"""``prev`` of the first record."""

_END = re.compile(rb',"hash":"([0-9a-f]{64})"}\Z')
_LENGTH = len(b',"hash":""}') + 64

What = Literal["cut", "changed", "reordered", "missing"]


class Broken(Exception):  # noqa: N818 - it is what a line is, and reads as one
    """A line that is no intact record. Holds nothing of the line.

    Attributes:
        what: ``cut`` where its end isn't there, ``changed`` where it is complete but isn't what was written.
    """

    def __init__(self, what: What, detail: str) -> None:
        super().__init__(detail)
        self.what = what
        self.detail = detail


class Link(NamedTuple):
    """One intact line: its number, the hash before it, its own, and the record."""

    seq: int
    prev: str
    hash: str
    record: dict[str, Any]


def seal(record: dict[str, Any]) -> tuple[bytes, str]:
    """Return a record's line, with its line end, and its hash.

    Args:
        record: the record without ``hash``, members in their order.

    Raises:
        TypeError: for what JSON can't say.
    """
    body = orjson.dumps(record)
    digest = sha256(body).hexdigest()
    return b'%b,"hash":"%b"}\n' % (body[:-1], digest.encode()), digest


def read(line: bytes) -> Link:
    """Check one line by itself.

    Args:
        line: its bytes without the line end.

    Raises:
        Broken: where it isn't an intact record.
    """
    found = _END.search(line, max(0, len(line) - _LENGTH))
    if found is None:
        raise Broken("cut", "the line has no hash at its end")
    digest = found[1].decode()
    if sha256(line[: found.start()] + b"}").hexdigest() != digest:
        raise Broken("changed", "the line doesn't have the hash it states")
    try:
        record = orjson.loads(line)
        seq, prev = record["seq"], record["prev"]
    except (orjson.JSONDecodeError, TypeError, KeyError):
        raise Broken("changed", "the line is not an audit record") from None
    if type(seq) is not int or seq < 1 or type(prev) is not str:
        raise Broken("changed", "the line is not an audit record")
    return Link(seq, prev, digest, record)
