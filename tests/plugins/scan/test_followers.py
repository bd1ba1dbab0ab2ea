"""What may follow a literal in a tail: never less than what a match of the tail holds there."""

import pytest

from tidegate_scan.followers import followers

HEX = frozenset(b"0123456789abcdef")
BEYOND = frozenset(range(0x80, 0x100))


@pytest.mark.parametrize(
    ("tail", "literal", "ignore_case", "expected"),
    [
        (r"AC[0-9a-f]{32}\b", "AC", False, [HEX, HEX]),
        (r"key(?:s|_id)?\s?=", "key", False, [frozenset(b"s_= \t\n\r\f\v\x1c\x1d\x1e\x1f")]),
        (r"(?:pat|token)[:=]x", "pat", False, [frozenset(b":="), frozenset(b"x")]),
        (r"(?i:abc[0-9]d)", "abc", False, [frozenset(b"0123456789"), frozenset(b"dD")]),
        (r"abc[^a]x", "abc", False, [None]),  # beyond ASCII a character has several bytes, so nothing more is said
        (r"abck", "abc", True, [frozenset(b"kK") | BEYOND]),  # the Kelvin sign
        (r"abc\b", "abc", False, []),
        (r"abc(?:\d)?$", "abc", False, []),
        (r"xyz", "abc", False, [frozenset(), frozenset()]),
        (r"ключ=", "ключ", False, []),
        (r"abc(?-i:x)", "abc", False, []),
    ],
)
def test_the_bytes_behind_a_literal_are_told_as_far_as_they_are_plain(
    tail: str, literal: str, *, ignore_case: bool, expected: list[frozenset[int] | None]
) -> None:
    found = followers(tail, literal, ignore_case=ignore_case, most=2)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert other is None or one == other
