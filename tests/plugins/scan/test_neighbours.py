"""What may stand beside a literal: never less than what a match holds there."""

import pytest

from tidegate_scan.neighbours import Following, preceding
from tidegate_scan.tails import alternatives, tail

HEX = frozenset(b"0123456789abcdef")
BEYOND = frozenset(range(0x80, 0x100))
ANY = frozenset(range(0x100))
WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
BLANKS = frozenset(b" \t\n\r\f\v\x1c\x1d\x1e\x1f")


@pytest.mark.parametrize(
    ("tail_", "literal", "ignore_case", "first", "second"),
    [
        (r"AC[0-9a-f]{32}\b", "AC", False, HEX, HEX),
        (r"key(?:s|_id)?\s?=", "key", False, frozenset(b"s_=") | BLANKS, frozenset(b"=") | BLANKS),
        (r"(?:pat|token)[:=]x", "pat", False, frozenset(b":="), frozenset(b"x")),
        (r"Abc[0-9]d", "abc", True, frozenset(b"0123456789"), frozenset(b"dD")),
        (r"abc[^\x01-\x7f]x", "abc", False, BEYOND | {0}, BEYOND | frozenset(b"x")),
        (r"abck", "abc", True, frozenset(b"kK"), ANY),
        (r"abc\b", "abc", False, ANY, ANY),
        (r"abc(?:\d)?$", "abc", False, ANY, ANY),
        (r"xyz", "abc", False, frozenset(), frozenset()),
        (r"ключ=", "ключ", False, ANY, ANY),
        (r"abc(?-i:x)", "abc", False, ANY, ANY),
    ],
)
def test_the_bytes_behind_a_literal_are_told_as_far_as_they_are_plain(
    tail_: str, literal: str, *, ignore_case: bool, first: frozenset[int], second: frozenset[int]
) -> None:
    ways = [tuple(way) for way in alternatives(tail_, 0)[0]]
    following = Following(ways, literal, fold=ignore_case)
    assert following.first == first
    assert following.second(max(first, default=0)) == second


@pytest.mark.parametrize(
    ("regex", "literal", "expected"),
    [
        (r"(?:\b|\\[nrt]|_)(sk_[0-9a-f]{4})", "sk_", ANY - WORD | frozenset(b"nrt_")),
        (r"(?:^|[^A-Za-z])(?:abc)", "abc", ANY - frozenset(range(0x41, 0x5B)) - frozenset(range(0x61, 0x7B))),
        (r"^abc", "abc", frozenset(b"\x00\n")),
        (r"\b#abc", "#abc", WORD),
        (r"[ab]c?abc", "abc", frozenset(b"abc")),
        (r"x\d*abc", "abc", frozenset(b"x0123456789")),
        (r"x\d+abc", "abc", frozenset(b"0123456789")),
        (r"(?:(?:x|y)_?key|zkey)=", "key", frozenset(b"xyz_")),
        (r"[a-c]{0,9}abc", "abc", ANY),
        (r"(?-i:x)abc", "abc", ANY),
        (r"$abc", "abc", ANY),
    ],
)
def test_the_byte_before_a_literal_is_told_as_far_as_that_is_plain(
    regex: str, literal: str, expected: frozenset[int]
) -> None:
    found = tail(regex, (literal,), ignore_case=False)
    assert found is not None
    assert preceding(found.leads, literal, fold=False) == expected
