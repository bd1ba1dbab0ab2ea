"""A container's streams are told apart, however the bytes of the connection are cut."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from tidegate.ends.attach import Attached, Removal
from tidegate.ends.buffers import Outbox

HEAD = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nUpgrade: tcp\r\n\r\n"
WAITING = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)))


class Aborted:
    """As much of a transport as the protocol uses here."""

    def __init__(self) -> None:
        self.written = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True


def attached() -> tuple[Attached, dict[int, bytearray], Aborted]:
    took, transport = {1: bytearray(), 2: bytearray()}, Aborted()
    protocol = Attached("name", took[1].extend, took[2].extend, lambda: None, Outbox())
    protocol.connection_made(transport)  # type: ignore[arg-type]  # as much of one as is used
    return protocol, took, transport


@given(FRAMES, st.lists(st.integers(0, 600)))
async def test_streams_are_the_same_however_the_bytes_are_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    protocol, took, transport = attached()
    data = HEAD + b"".join(struct.pack(">BxxxI", stream, len(part)) + part for stream, part in frames)
    places = sorted({min(place, len(data)) for place in cuts})
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        protocol.data_received(data[start:end])
    assert protocol.head.done()
    assert not transport.aborted
    for stream, taken in took.items():
        assert bytes(taken) == b"".join(part for number, part in frames if number == stream)


async def test_a_connection_is_asked_for_once_and_as_a_stream_of_its_own() -> None:
    _, _, transport = attached()
    assert transport.written.startswith(b"POST /containers/name/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\n")
    assert b"\r\nUpgrade: tcp\r\n" in transport.written


async def test_what_is_no_such_answer_is_refused() -> None:
    for answer in (b"HTTP/1.1 404 Not Found\r\n\r\n", b"SSH-2.0\r\n\r\n", b"x" * 70_000):
        protocol, _, transport = attached()
        protocol.data_received(answer)
        assert protocol.head.exception() is not None
        assert transport.aborted


async def test_a_stream_that_isnt_framed_is_ended() -> None:
    protocol, took, transport = attached()
    protocol.data_received(HEAD + b"plain text of a terminal")
    assert transport.aborted
    assert not took[1]


async def test_an_exit_code_is_found_in_pieces_too() -> None:
    removal = Removal("name")
    removal.connection_made(Aborted())  # type: ignore[arg-type]  # as much of one as is used
    for byte in WAITING + b'1f\r\n{"StatusCode": 137,"Error":null}\r\n0\r\n\r\n':
        removal.data_received(bytes([byte]))
    assert removal.status.result() == 137


async def test_a_wait_without_an_answer_ends_with_none() -> None:
    removal = Removal("name")
    removal.connection_made(Aborted())  # type: ignore[arg-type]  # as much of one as is used
    removal.data_received(WAITING)
    removal.connection_lost(None)
    assert removal.status.result() is None
