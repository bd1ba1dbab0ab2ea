"""The frames that carry connections: read as they were written, however they are cut, and nothing else is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.egress.frames import CLOSE, CREDIT, DATA, LONGEST, OPEN, WINDOW, Frame, Frames, Malformed, cut, encode

NUMBER = st.integers(0, 2**32 - 1)
FRAME = st.one_of(
    st.tuples(st.sampled_from([OPEN, CLOSE]), NUMBER, st.just(b""), st.just(0)),
    st.tuples(st.just(DATA), NUMBER, st.binary(min_size=1, max_size=300), st.just(0)),
    st.tuples(st.just(CREDIT), NUMBER, st.just(b""), st.integers(1, WINDOW)),
).map(Frame._make)


@given(st.lists(FRAME, max_size=8), st.integers(1, 50))
def test_frames_are_read_as_they_were_written(frames: list[Frame], step: int) -> None:
    data = b"".join(map(encode, frames))
    reader = Frames()
    found = [frame for at in range(0, len(data), step) for frame in reader.feed(data[at : at + step])]
    assert found == frames


def test_long_data_is_cut_into_frames() -> None:
    data = b"x" * (2 * LONGEST + 1)
    assert [len(frame.data) for frame in Frames().feed(cut(7, data))] == [LONGEST, LONGEST, 1]


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0, 1),
        Frame(7, 1),
        Frame(OPEN, 1, credit=1),
        Frame(DATA, 1),
        Frame(DATA, 1, b"x" * (LONGEST + 1)),
        Frame(CREDIT, 1),
        Frame(CREDIT, 1, credit=WINDOW + 1),
    ],
)
def test_what_no_side_sends_is_refused(frame: Frame) -> None:
    with pytest.raises(Malformed):
        Frames().feed(encode(frame))
