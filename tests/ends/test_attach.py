"""A container's streams are told apart, however the bytes of the connection are cut."""

import struct
import weakref

from hypothesis import given
from hypothesis import strategies as st

from support.uncollected import uncollected
from tidegate.ends.attach import Attached
from tidegate.ends.buffers import Outbox

FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)))


class Aborted:
    """As much of a transport as the protocol uses here."""

    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


def attached() -> tuple[Attached, dict[int, bytearray], Aborted]:
    took, transport = {1: bytearray(), 2: bytearray()}, Aborted()
    protocol = Attached(took[1].extend, took[2].extend, lambda: None, Outbox())
    protocol.connection_made(transport)  # type: ignore[arg-type]  # as much of one as is used
    return protocol, took, transport


@given(FRAMES, st.lists(st.integers(0, 600)))
async def test_streams_are_the_same_however_the_bytes_are_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    protocol, took, transport = attached()
    data = b"".join(struct.pack(">BxxxI", stream, len(part)) + part for stream, part in frames)
    places = sorted({min(place, len(data)) for place in cuts})
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        protocol.data_received(data[start:end])
    assert not transport.aborted
    for stream, taken in took.items():
        assert bytes(taken) == b"".join(part for number, part in frames if number == stream)


async def test_a_stream_that_isnt_framed_is_ended() -> None:
    protocol, took, transport = attached()
    protocol.data_received(b"plain text of a terminal")
    assert transport.aborted
    assert not took[1]


class Owner:
    """Whom the streams are for, and who holds the connection."""

    def __init__(self) -> None:
        self.lost = False
        self.attached = Attached(self.take, self.take, self.end, Outbox())

    def take(self, data: bytes) -> None:
        raise AssertionError

    def end(self) -> None:
        self.lost = True


async def test_a_connection_that_has_ended_holds_nobody() -> None:
    with uncollected():
        owner = Owner()
        owner.attached.connection_lost(None)
        assert owner.lost
        held = weakref.ref(owner)
        del owner
        assert held() is None
