"""Edits of a text: what is new, and where the rest went, also over several of them."""

from functools import reduce
from operator import itemgetter

from hypothesis import given
from hypothesis import strategies as st

from tidegate_scan.edits import Edits, utf8

LETTERS = "abé"
PIECES = st.lists(st.tuples(st.text(LETTERS, max_size=4), st.text(LETTERS, min_size=1, max_size=3)), max_size=5)


def edited(text: str, cuts: list[tuple[int, int, str]]) -> tuple[str, list[str], list[str]]:
    """A text with something in place of parts of it, and the pieces before and after."""
    old, new = [], []
    at = 0
    for begin, length, other in cuts:
        start = min(max(at, begin), len(text))
        end = min(start + length, len(text))
        if start < end:
            old += [text[at:start], text[start:end]]
            new += [text[at:start], other]
            at = end
    return "".join((*new, text[at:])), [*old, text[at:]], [*new, text[at:]]


CUTS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 4), st.text(LETTERS, max_size=3)), max_size=5).map(
    lambda cuts: sorted(cuts, key=itemgetter(0))
)


@given(text=st.text(LETTERS, max_size=30), rounds=st.lists(CUTS, min_size=1, max_size=3), as_bytes=st.booleans())
def test_what_is_kept_is_found_where_it_went_and_all_else_is_new(
    text: str, rounds: list[list[tuple[int, int, str]]], *, as_bytes: bool
) -> None:
    size = utf8 if as_bytes else len
    steps = []
    last = text
    for cuts in rounds:
        last, old, new = edited(last, cuts)
        steps.append(Edits.between(old, new, size))
    edits = reduce(Edits.then, steps)
    before, after = (text.encode(), last.encode()) if as_bytes else (text, last)
    kept = [at for at in range(len(before)) if edits.kept(at, at + 1)]
    for at in kept:
        assert before[at] == after[at + edits.shift(at)]
        assert not edits.is_new(at + edits.shift(at), at + edits.shift(at) + 1)
    assert [at + edits.shift(at) for at in kept] == [at for at in range(len(after)) if not edits.is_new(at, at + 1)]
    pairs = [at for at in range(len(before) - 1) if edits.kept(at, at + 2)]
    assert all(before[at : at + 2] == after[at + edits.shift(at) :][:2] for at in pairs)


def test_nothing_is_edited_where_pieces_stay_alike() -> None:
    edits = Edits.between(["a", "%41", "b", "%zz", ""], ["a", "A", "b", "%zz", ""])
    assert edits == ([1], [4], [1], [2])
    assert list(edits.around(1, 6)) == [(0, 3)]
    assert list(edits.around(9, 6)) == [(0, 6)]


def test_stretches_round_edits_are_joined_where_they_meet() -> None:
    edits = Edits([0, 10, 30], [2, 11, 31], [0, 9, 29], [1, 10, 29])
    assert list(edits.around(4, 40)) == [(0, 14), (25, 33)]
    assert list(edits.around(3, 30)) == [(0, 4), (6, 13), (26, 30)]
    assert list(Edits([], [], [], []).around(3, 30)) == []
