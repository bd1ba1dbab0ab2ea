"""The name in the first message of TLS (RFC 8446, section 4.1.2; RFC 6066, section 3), read strictly."""

from __future__ import annotations

from tidegate.egress.rules import name_of

LONGEST = 32 * 1024
"""Bytes that a ClientHello may have, with its records' heads."""

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_LARGEST_RECORD = 16384
_SERVER_NAME, _HOST_NAME = 0, 0


class Incomplete(Exception):  # noqa: N818 - no error: the rest is on its way
    """More bytes are needed."""


def is_tls(data: bytes) -> bool:
    """Whether a connection begins as TLS does; of too few bytes, whether it may."""
    return data[:2] in (b"\x16", b"\x16\x03")


def server_name(data: bytes) -> str:
    """Return the name that a ClientHello says, in its one form.

    Args:
        data: what a connection began with.

    Raises:
        Incomplete: where it isn't all there.
        ValueError: where it says none, or isn't well formed.
    """
    hello = _Reader(_message(data))
    hello.take(2 + 32)
    if len(hello.vector(1)) > 32:
        raise ValueError("the ClientHello is not well formed")
    suites = hello.vector(2)
    if not suites or len(suites) % 2 or not hello.vector(1):
        raise ValueError("the ClientHello is not well formed")
    if hello.done():
        raise ValueError("TLS without a server name")
    extensions = _Reader(hello.vector(2))
    if not hello.done():
        raise ValueError("the ClientHello is not well formed")
    found: dict[int, bytes] = {}
    while not extensions.done():
        kind = extensions.number(2)
        if kind in found:
            raise ValueError("the ClientHello is not well formed")
        found[kind] = extensions.vector(2)
    if _SERVER_NAME not in found:
        raise ValueError("TLS without a server name")
    return _host_name(found[_SERVER_NAME])


def _host_name(extension: bytes) -> str:
    outer = _Reader(extension)
    names = _Reader(outer.vector(2))
    kind, name = names.number(1), names.vector(2)
    if not outer.done() or not names.done() or kind != _HOST_NAME:
        raise ValueError("the ClientHello is not well formed")
    try:
        text = name.decode("ascii")
    except UnicodeDecodeError:
        raise ValueError("the server name of TLS is no host name") from None
    if text.endswith("."):
        raise ValueError("the server name of TLS is no host name")
    return name_of(text)


def _message(data: bytes) -> bytes:
    """Return the body of the ClientHello, put together from its records."""
    message, at = b"", 0
    while True:
        if len(message) >= 4:
            size = int.from_bytes(message[1:4], "big")
            if message[0] != _CLIENT_HELLO or size > LONGEST or len(message) > 4 + size:
                raise ValueError("the ClientHello is not well formed")
            if len(message) == 4 + size:
                return message[4:]
        head = data[at : at + 5]
        if not is_tls(head[:2]) and head:
            raise ValueError("the ClientHello is not well formed")
        if len(head) < 5:
            raise Incomplete
        size = int.from_bytes(head[3:], "big")
        if not 0 < size <= _LARGEST_RECORD:
            raise ValueError("the ClientHello is not well formed")
        part = data[at + 5 : at + 5 + size]
        if len(part) < size:
            raise Incomplete
        message += part
        at += 5 + size


class _Reader:
    """Takes numbers and vectors off bytes, as TLS writes them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def done(self) -> bool:
        return self._at == len(self._data)

    def take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise ValueError("the ClientHello is not well formed")
        self._at += size
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))
