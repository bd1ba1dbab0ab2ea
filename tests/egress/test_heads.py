"""Heads of requests: what they are for, and what is refused because it could be read in two ways."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.egress.heads import Head, is_http, parse


def head(*lines: str) -> Head:
    return parse("\r\n".join([*lines, "", ""]).encode("latin-1"))


def test_connect_names_a_host_and_a_port() -> None:
    found = head("CONNECT API.example.com.:443 HTTP/1.1", "Host: api.example.com:443", "Proxy-Authorization: x")
    assert (found.method, found.host, found.port, found.fields) == (
        "CONNECT",
        "api.example.com",
        443,
        [(b"Host", b"api.example.com:443")],
    )
    assert head("CONNECT 192.0.2.1:80 HTTP/1.0").host == IPv4Address("192.0.2.1")
    assert head("CONNECT [2600::1]:80 HTTP/1.1", "Host: [2600::1]").host == IPv6Address("2600::1")


def test_a_request_for_an_address_goes_on_as_one_for_a_path_and_alone() -> None:
    found = head(
        "POST http://api.example.com:8080/a?b=c HTTP/1.1",
        "Host: api.example.com:8080",
        "Connection: keep-alive, X-Gone",
        "Keep-Alive: 5",
        "Proxy-Connection: keep-alive",
        "X-Gone: 1",
        "X-Kept:  two words \t",
        "Content-Length: 3",
    )
    assert (found.host, found.port, found.length) == ("api.example.com", 8080, 3)
    assert found.encoded() == (
        b"POST /a?b=c HTTP/1.1\r\nHost: api.example.com:8080\r\nX-Kept: two words\r\nContent-Length: 3\r\n"
        b"Connection: close\r\n\r\n"
    )


def test_a_request_for_a_path_is_for_its_host() -> None:
    found = head("GET / HTTP/1.1", "host: One.example")
    assert (found.host, found.port, found.path) == ("one.example", None, "/")
    assert head("GET / HTTP/1.0").host is None
    assert head("GET http://one.example HTTP/1.1").path == "/"


GET = "GET http://one.example/ HTTP/1.1"


@pytest.mark.parametrize(
    "lines",
    [
        ("CONNECT one.example HTTP/1.1",),
        ("CONNECT one.example:443/ HTTP/1.1",),
        ("CONNECT one.example:443@evil.test:443 HTTP/1.1",),
        ("CONNECT one.example:443:80 HTTP/1.1",),
        ("CONNECT one.example:0443 HTTP/1.1",),
        ("CONNECT http://one.example:443 HTTP/1.1",),
        ("CONNECT one.example:443 HTTP/1.1", "Host: evil.test:443"),
        ("CONNECT one.example:443 HTTP/1.1", "Host: one.example:80"),
        ("CONNECT one.example:443 HTTP/1.1", "Host:"),
        ("CONNECT one.example:443 HTTP/1.1", "Content-Length: 5"),
        ("CONNECT 0x7f.1:80 HTTP/1.1",),
        ("CONNECT 2130706433:80 HTTP/1.1",),
        ("CONNECT ::1:80 HTTP/1.1",),
        ("CONNECT [::1%eth0]:80 HTTP/1.1",),
        ("CONNECT one.example:443  HTTP/1.1",),
        ("CONNECT\tone.example:443 HTTP/1.1",),
        ("CONNECT one.example:443 HTTP/2.0",),
        ("CONNECT one.example:443 http/1.1",),
        ("CONNECT one.example:443",),
        (GET, "Host: evil.test"),
        (GET, "Host: one.example:81"),
        (GET, "Host: one.example", "Host: one.example"),
        (GET, " folded"),
        (GET, "Host : one.example"),
        (GET, "Bad Name: 1"),
        (GET, "NoColon"),
        (GET, "A: b\nHost: evil.test"),
        (GET, "A: b\rHost: evil.test"),
        (GET, "A: b\x00"),
        (GET, "Content-Length: 1", "Content-Length: 1"),
        (GET, "Content-Length: +1"),
        (GET, "Content-Length: 1, 1"),
        (GET, "Content-Length: 1", "Transfer-Encoding: chunked"),
        (GET, "Transfer-Encoding: chunked"),
        (GET, *(f"A{number}: b" for number in range(101))),
        ("GET https://one.example/ HTTP/1.1",),
        ("GET ftp://one.example/ HTTP/1.1",),
        ("GET http://user@one.example/ HTTP/1.1",),
        ("GET http://one.example#@evil.test/ HTTP/1.1",),
        ("GET http://one.example?@evil.test/ HTTP/1.1",),
        ("GET one.example/ HTTP/1.1",),
        ("GET / HTTP/1.1", "Host: one.example, evil.test"),
        ("GET / HTTP/1.1", "Host: one.example evil.test"),
        ("", "GET / HTTP/1.1"),
        ("PRI * HTTP/2.0",),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"."):
        head(*lines)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"GET / HTTP/1.1\r\n", True),
        (b"get / http/1.1\n", True),
        (b"GET\t/\tHTTP/1.1\n", True),
        (b"GET\x0b/ HTTP/1.1\n", True),
        (b"\r\n GET / HTTP/1.1\r\n", True),
        (b"GET /\x01\xff HTTP/1.1\r\n", True),
        (b"PRI * HTTP/2.0\r\n", True),
        (b"GET / HTT", None),
        (b"GET", None),
        (b"\r\n", None),
        (b"GET /\r\n", False),
        (b"SSH-2.0-x\r\n", False),
        (b"EHLO a\r\n", False),
        (b"AMQP\x00\x00\x09\x01", False),
        (b"\x00\x00\x00\x08", False),
        (b"0\x0c\x02\x01", False),
        (b"A" * 20_000, False),
    ],
)
def test_a_request_is_told_from_other_protocols(data: bytes, said: bool | None) -> None:  # noqa: FBT001 - a column
    assert is_http(data) is said


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_refused(data: bytes) -> None:
    try:
        found = parse(data + b"\r\n\r\n")
    except ValueError:
        return
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")
    assert is_http(data + b"\r\n\r\n") is True
    assert found.encoded().endswith(b"\r\n\r\n")


FIELDS = st.sampled_from(["Host: one.example", "Host: evil.test", "Connection: Host", "A: b", "Content-Length: 0", ""])


@given(st.lists(FIELDS, max_size=6), st.sampled_from(["/", "http://one.example/", "http://one.example:80/", "*"]))
def test_what_goes_on_names_the_host_that_was_judged(fields: list[str], target: str) -> None:
    try:
        found = head(f"GET {target} HTTP/1.1", *[field for field in fields if field])
    except ValueError:
        return
    again = parse(found.encoded())
    assert again.host in (found.host, None)
    assert again.length == found.length
    assert found.encoded().count(b"\r\n\r\n") == 1
