"""The server name of TLS: real ClientHellos, cut, changed and made up."""

import ssl
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.egress.hello import LONGEST, Incomplete, is_tls, server_name


def hello(name: str | None) -> bytes:
    """Return the ClientHello of the ssl module."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


HELLO = hello("api.example.com")


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def extension(name: bytes = b"api.example.com", kind: int = 0) -> bytes:
    return struct.pack(">H", 0) + vector(2, vector(2, bytes([kind]) + vector(2, name)))


def made(extensions: bytes | None, *, tail: bytes = b"", suites: bytes = b"\x13\x01", session: bytes = b"") -> bytes:
    """Return a ClientHello of one's own in one record."""
    body = b"\x03\x03" + bytes(32) + vector(1, session) + vector(2, suites) + vector(1, b"\x00")
    body += b"" if extensions is None else vector(2, extensions)
    return b"\x16\x03\x01" + vector(2, b"\x01" + vector(3, body) + tail)


def records(message: bytes, size: int) -> bytes:
    """Return the same message in records of a size."""
    whole = message[5:]
    return b"".join(b"\x16\x03\x01" + vector(2, whole[at : at + size]) for at in range(0, len(whole), size))


def test_the_name_of_a_real_client_is_found_however_it_is_cut() -> None:
    assert server_name(HELLO) == "api.example.com"
    assert server_name(made(extension())) == "api.example.com"
    for size in (1, 7, 100):
        assert server_name(records(HELLO, size)) == "api.example.com"


def test_case_is_one() -> None:
    assert server_name(made(extension(b"API.Example.COM"))) == "api.example.com"


def test_what_comes_later_is_awaited() -> None:
    for end in range(len(HELLO)):
        with pytest.raises(Incomplete):
            server_name(HELLO[:end])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (hello(None), "without a server name"),
        (made(b""), "without a server name"),
        (made(None), "without a server name"),
        (made(extension() + extension()), "not well formed"),
        (made(extension(kind=1)), "not well formed"),
        (made(struct.pack(">H", 0) + vector(2, vector(2, (b"\x00" + vector(2, b"a.example")) * 2))), "not well formed"),
        (made(extension()[:-1]), "not well formed"),
        (made(extension() + b"\x00"), "not well formed"),
        (made(extension(), tail=b"\x00"), "not well formed"),
        (made(extension(), suites=b""), "not well formed"),
        (made(extension(), suites=b"\x13"), "not well formed"),
        (made(extension(), session=bytes(33)), "not well formed"),
        (made(extension(b"")), "no host name"),
        (made(extension(b"api.example.com.")), "no host name"),
        (made(extension(b"api.example.com\x00.evil.test")), "no host name"),
        (made(extension("é.example".encode())), "no host name"),
        (made(extension(b"1.2.3.4")), "odd notation"),
        (b"\x16\x03\x01\x00\x00", "not well formed"),
        (b"\x16\x03\x01\x40\x01", "not well formed"),
        (b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", "not well formed"),
        (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", "not well formed"),
        (b"\x16\x03\x01\x00\x01\x01\x15\x03\x01\x00\x02\x02\x28", "not well formed"),
    ],
)
def test_what_names_none_or_could_be_read_otherwise_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        server_name(data)


@given(st.binary(max_size=400) | st.binary(max_size=80).map(lambda data: b"\x16\x03\x01" + data))
def test_any_bytes_name_a_host_or_are_refused_or_awaited(data: bytes) -> None:
    try:
        server_name(data)
    except (ValueError, Incomplete):
        assert True  # nothing else may come of it


@given(st.integers(0, len(HELLO) - 1), st.integers(0, 255))
def test_a_changed_byte_is_noticed_or_changes_no_meaning(at: int, value: int) -> None:
    changed = HELLO[:at] + bytes([value]) + HELLO[at + 1 :]
    try:
        name = server_name(changed)
    except (ValueError, Incomplete):
        return
    assert name == "api.example.com" or name.encode() in changed.lower()


def test_no_more_is_awaited_than_the_limit() -> None:
    with pytest.raises(ValueError, match="not well formed"):
        server_name(b"\x16\x03\x01\x40\x00\x01" + (LONGEST + 1).to_bytes(3, "big") + bytes(16380))


@pytest.mark.parametrize(
    ("data", "yes"), [(b"\x16", True), (b"\x16\x03\x01", True), (b"\x16\x02", False), (b"GET", False)]
)
def test_tls_is_told_by_its_first_bytes(data: bytes, yes: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_tls(data) is yes
