"""The head of an HTTP/1 request (RFC 9112), read strictly: what two programs could read differently is refused."""

from __future__ import annotations

import re
from typing import NamedTuple

from tidegate.egress.rules import Address, host_of

LONGEST = 16 * 1024
"""Bytes of a head."""

END = b"\r\n\r\n"

_MOST_FIELDS = 100
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([!-~]{1,8192}) HTTP/1\.[01]")
_FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*"
)
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_WORD = re.compile(rb"[!-~]*")
_SPACE = b" \t\r\n\v\f"  # what some programs take for the space after a method
_OWN = {b"connection", b"proxy-connection", b"keep-alive", b"te", b"upgrade", b"proxy-authorization", b"trailer"}
"""Fields that are between two ends of a connection, and go no further."""

Host = str | Address


class Head(NamedTuple):
    """A request's head.

    Attributes:
        method: its method.
        host: the name or address it is for; None where it doesn't say.
        port: the port it names; None where it names none.
        path: what it asks for there; "" for CONNECT.
        length: bytes of its body.
        fields: the other fields, but those that go no further.
    """

    method: str
    host: Host | None
    port: int | None
    path: str
    length: int
    fields: list[tuple[bytes, bytes]]

    def encoded(self) -> bytes:
        """Return the head as it is sent on, for a connection that carries this one request."""
        lines = [f"{self.method} {self.path} HTTP/1.1".encode()]
        lines += [name + b": " + value for name, value in self.fields]
        return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def is_http(data: bytes) -> bool | None:
    """Whether a connection begins with a request of HTTP, however badly written; None where that can't be told yet.

    Args:
        data: what it began with.
    """
    text = data.lstrip(_SPACE)
    word = _WORD.match(text)
    after = text[word.end() : word.end() + 1] if word is not None else b""
    if after and (after not in _SPACE or len(word[0] if word is not None else b"") < 2):  # no method is that short
        return False
    line, end, _ = text.partition(b"\n")
    if b"http/" in line.lower():
        return True
    return False if end or len(data) > LONGEST else None


def parse(head: bytes) -> Head:
    """Return what a request's head says.

    Args:
        head: its bytes, with the empty line at its end.

    Raises:
        ValueError: where it isn't well formed, or could be read in two ways.
    """
    first, *lines = head.removesuffix(END).split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise ValueError("the request line is not well formed")
    if len(lines) > _MOST_FIELDS:
        raise ValueError("the request has too many fields")
    fields = []
    for text in lines:
        field = _FIELD.fullmatch(text)
        if field is None:
            raise ValueError("a field of the request is not well formed")
        fields.append((field[1], field[2]))
    method, target = line[1].decode(), line[2].decode()
    host: Host | None
    hosts = [value for name, value in fields if name.lower() == b"host"]
    if len(hosts) > 1:
        raise ValueError("the request has two Host fields")
    said = authority(hosts[0].decode("latin-1")) if hosts and hosts[0] else (None, None)
    if method == "CONNECT":
        host, port, path = *authority(target), ""
        if port is None:
            raise ValueError("CONNECT names no port")
        if hosts and said not in ((host, port), (host, None)):
            raise ValueError("the Host field is not what the request is for")
    else:
        host, port, path = _target(target, said, named=bool(hosts))
    return Head(method, host, port, path, _length(fields, method), _kept(fields))


def _target(target: str, said: tuple[Host | None, int | None], *, named: bool) -> tuple[Host | None, int | None, str]:
    scheme, colon, rest = target.partition("://")
    if target.startswith("/") or target == "*":
        return *said, target
    if not colon or scheme.lower() != "http":
        raise ValueError("the request is for no http:// address; for https:// a proxy is asked with CONNECT")
    place, slash, path = rest.partition("/")
    if "?" in place or "#" in rest:
        raise ValueError("the request's address is not well formed")
    host, port = authority(place)
    if named and (said[0], said[1] or 80) != (host, port or 80):
        raise ValueError("the Host field is not what the request is for")
    return host, port, f"{slash or '/'}{path}"


def authority(text: str) -> tuple[Host, int | None]:
    """Return host and port of ``HOST[:PORT]``.

    Raises:
        ValueError: where it is not of that form.
    """
    host, colon, number = text.rpartition(":")
    if not colon or text.endswith("]"):
        return host_of(text), None
    if not _PORT.fullmatch(number) or int(number) > 65535:
        raise ValueError("that is no port")
    return host_of(host), int(number)


def _length(fields: list[tuple[bytes, bytes]], method: str) -> int:
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    if any(name.lower() == b"transfer-encoding" for name, _ in fields):
        raise ValueError("a request of plain HTTP must say its Content-Length; it can't come in chunks")
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(value) for value in lengths):
        raise ValueError("the Content-Length is not well formed")
    if method == "CONNECT" and lengths:
        raise ValueError("CONNECT has no content")
    return int(lengths[0]) if lengths else 0


def _kept(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    named = b",".join(value for name, value in fields if name.lower() == b"connection").lower().split(b",")
    dropped = _OWN | ({each.strip() for each in named} - {b"host", b"content-length"})
    return [(name, value) for name, value in fields if name.lower() not in dropped]
