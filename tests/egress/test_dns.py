"""The name server of the sidecar: it knows the allowed names, and asks nobody about the others."""

import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.egress.dns import Reply, answer

HERE = IPv4Address("198.18.0.2")


def query(name: str, kind: int = 1, *, flags: int = 0x0100, group: int = 1, count: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    return struct.pack(">HHHHHH", 7, flags, count, 0, 0, 0) + labels + b"\x00" + struct.pack(">HH", kind, group)


def ask(data: bytes) -> Reply:
    reply = answer(data, HERE, lambda name: name == "api.example.com" or name.endswith(".wild.example"))
    assert reply is not None
    return reply


def code(reply: Reply) -> int:
    return reply.data[3] & 15


@pytest.mark.parametrize("name", ["api.example.com", "API.EXAMPLE.com", "a.b.wild.example"])
def test_an_allowed_name_is_the_sidecar(name: str) -> None:
    reply = ask(query(name))
    assert (code(reply), reply.refused) == (0, "")
    assert reply.data.endswith(HERE.packed)
    assert reply.data[:2] == b"\x00\x07"


@pytest.mark.parametrize("kind", [28, 16, 15, 255, 65])
def test_an_allowed_name_has_an_address_and_nothing_else(kind: int) -> None:
    reply = ask(query("api.example.com", kind))
    assert (code(reply), reply.refused) == (0, "")
    assert reply.data[6:8] == b"\x00\x00"  # no answers


@pytest.mark.parametrize(
    "name", ["evil.test", "c2VjcmV0.api.example.com", "wild.example", "localhost", "1.0.0.127.in-addr.arpa"]
)
def test_another_name_doesnt_exist(name: str) -> None:
    reply = ask(query(name))
    assert (code(reply), reply.refused) == (3, name)


@pytest.mark.parametrize(
    "data",
    [
        query("api.example.com", count=0),
        query("api.example.com", count=2),
        query("api.example.com", group=3),
        query("api.example.com", flags=0x2800),
        query("api.example.com")[:-3],
        struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0) + b"\xc0\x0c\x00\x01\x00\x01",
        struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0) + b"\x3fabc",
    ],
)
def test_what_is_no_plain_question_is_called_that(data: bytes) -> None:
    assert (code(ask(data)), ask(data).refused) == (1, "")


@pytest.mark.parametrize("data", [b"", b"short", query("api.example.com", flags=0x8000), bytes(600)])
def test_what_is_no_question_gets_no_answer(data: bytes) -> None:
    assert answer(data, HERE, lambda _: True) is None


@given(st.binary(max_size=600))
def test_any_bytes_are_answered_with_no_more_than_they_ask(data: bytes) -> None:
    reply = answer(data, HERE, lambda _: False)
    if reply is not None:
        assert len(reply.data) <= len(data)
        assert reply.refused.isprintable()
