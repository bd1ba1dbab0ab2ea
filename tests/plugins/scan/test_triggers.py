"""What could be encoded letters, told from its digits: the same places wherever it stands."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_scan.triggers import digits_end, few_rows, triggers, triggers_in

SECRET = base64.b64encode(b"user:correct horse battery").decode()
PIECES = st.sampled_from(
    [
        SECRET,
        b"user:correct horse".hex(),
        "word",
        "a_long_name_of_a_thing",
        " ",
        "\n",
        "-",
        ".",
        "0123456789abcdef0123",
        "?",
    ]
)


@given(st.lists(PIECES, max_size=60).map("".join))
def test_rows_looked_at_one_by_one_say_the_same_as_the_whole_text(text: str) -> None:
    raw = (text + "some words and no more. " * 800).encode()
    rows = few_rows(raw)
    if rows is not None:
        assert triggers_in(raw, rows) == triggers(raw)


@given(st.integers(0, 9000), st.sampled_from(["", "=", "==", "===", ".", " A", "\n"]))
def test_a_run_of_base64_ends_with_its_digits_and_padding(count: int, behind: str) -> None:
    raw = b"..." + b"A9+/_-" * (count // 6) + behind.encode()
    assert digits_end(raw, 3) == 3 + count // 6 * 6 + len(behind[:2].rstrip(". A\n") if behind[:1] == "=" else "")


@pytest.mark.parametrize("before", ["", "x" * 5000, "word " * 2000])
def test_a_trigger_is_where_the_letters_begin(before: str) -> None:
    raw = f"{before} {SECRET} {b'user:correct'.hex()}.".encode()
    quads, pairs = triggers(raw)
    assert len(before) + 1 in quads
    assert len(before) + len(SECRET) + 2 in pairs
    assert triggers(raw, hexes=False) == (quads, [])


def test_where_rows_are_many_or_long_the_whole_text_is_looked_at() -> None:
    assert few_rows(b"abcd" * 3000) is None
    assert few_rows(b"some words " * 1000 + b"abcd" * 3000) is None
    assert few_rows(b"0123456789abcdef " * 1000) is None
    assert few_rows(b"some words " * 1000 + b"0123456789abcdef " * 1000) is None
    assert few_rows(b"some words " * 1000 + b"0123456789abcdef") == [(11_000, 11_016)]


def test_a_short_text_is_looked_at_as_a_whole() -> None:
    assert few_rows(b"some words 0123456789abcdef") is None
