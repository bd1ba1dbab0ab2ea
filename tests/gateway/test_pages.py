"""Pages of merged lists: whole, in order, as the list was, and for nobody but whom they were given to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway.pages import MOST_OF_ONE, Pages
from tidegate.verdict import CODES
from tidegate.wire import Rejected

ANN, BOB = ("ann", "", "s1", "tools/list"), ("bob", "", "s1", "tools/list")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def items(count: int) -> list[dict[str, Any]]:
    return [{"name": f"t{number}"} for number in range(count)]


def refused(pages: Pages, owner: object, cursor: str) -> None:
    with pytest.raises(Rejected) as caught:
        pages.next(owner, cursor)
    assert CODES[caught.value.code][0] == -32602
    assert caught.value.reason == "The cursor is none of this list's, or has expired; list it from its beginning."


def walked(pages: Pages, owner: object, whole: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    page, cursor = pages.first(owner, whole)
    out = [page]
    while cursor is not None:
        page, cursor = pages.next(owner, cursor)
        out.append(page)
    return out


@given(st.integers(0, 50), st.integers(1, 12))
def test_the_pages_together_are_the_list(count: int, size: int) -> None:
    whole = items(count)
    out = walked(Pages(size), ANN, whole)
    assert [item for page in out for item in page] == whole
    assert all(len(page) == size for page in out[:-1])
    assert len(out[-1]) in range(1 if count else 0, size + 1)


def test_a_list_of_one_page_has_no_cursor_and_is_not_kept() -> None:
    pages = Pages(3)
    assert pages.first(ANN, items(3)) == (items(3), None)
    assert len(pages) == 0


def test_the_same_cursor_gives_the_same_page_again() -> None:
    pages = Pages(2)
    _, cursor = pages.first(ANN, items(5))
    assert cursor is not None
    assert pages.next(ANN, cursor) == pages.next(ANN, cursor)


def test_a_cursor_leads_through_the_list_as_it_was() -> None:
    pages = Pages(2)
    _, cursor = pages.first(ANN, items(4))
    pages.first(ANN, items(9))
    assert cursor is not None
    assert pages.next(ANN, cursor) == (items(4)[2:], None)


def test_a_cursor_of_somebody_elses_or_of_another_list_is_refused() -> None:
    pages = Pages(1)
    _, cursor = pages.first(ANN, items(3))
    assert cursor is not None
    for other in (
        BOB,
        ("ann", "work", "s1", "tools/list"),
        ("ann", "", "s2", "tools/list"),
        (*ANN[:3], "prompts/list"),
    ):
        refused(pages, other, cursor)
    assert pages.next(ANN, cursor)[0] == items(3)[1:2]


def test_no_cursor_comes_twice() -> None:
    pages = Pages(1)
    found = {pages.first((number,), items(2))[1] for number in range(100)}
    assert len(found) == 100
    assert all(cursor is not None and len(cursor) == 26 for cursor in found)


@pytest.mark.parametrize("end", ["", ".0", ".1", ".02", ".2 ", ".-2", ".3", ".4", ".5", ".99999999999", ".²", ".2\n"])
def test_a_cursor_that_was_changed_is_refused(end: str) -> None:
    pages = Pages(2)
    _, cursor = pages.first(ANN, items(4))
    assert cursor is not None
    refused(pages, ANN, cursor.partition(".")[0] + end)


@given(st.text())
def test_a_cursor_that_was_made_up_is_refused(cursor: str) -> None:
    pages = Pages(2)
    pages.first(ANN, items(4))
    refused(pages, ANN, cursor)


def test_a_cursor_expires_unless_it_is_used() -> None:
    clock = Clock()
    pages = Pages(1, 10.0, clock)
    _, cursor = pages.first(ANN, items(3))
    assert cursor is not None
    clock.now = 9.0
    pages.next(ANN, cursor)
    clock.now = 18.0
    pages.next(ANN, cursor)
    clock.now = 28.0
    refused(pages, ANN, cursor)
    assert len(pages) == 0


def test_the_same_list_is_kept_once_for_one_owner() -> None:
    pages, whole = Pages(1), items(3)
    cursors = {pages.first(ANN, whole)[1] for _ in range(5)}
    assert len(cursors) == 1
    assert pages.first(BOB, whole)[1] not in cursors
    assert len(pages) == 2


def test_one_owner_pushes_out_its_own_lists_and_nobody_elses() -> None:
    pages = Pages(1)
    _, kept = pages.first(BOB, items(2))
    cursors = [pages.first(ANN, items(2))[1] for _ in range(MOST_OF_ONE + 1)]
    assert len(pages) == MOST_OF_ONE + 1
    assert kept is not None
    assert pages.next(BOB, kept)[0] == items(2)[1:]
    refused(pages, ANN, str(cursors[0]))
    assert pages.next(ANN, str(cursors[1]))[0] == items(2)[1:]


def test_no_more_lists_are_kept_than_may_be() -> None:
    pages = Pages(1, max_snapshots=3)
    cursors = [pages.first((number,), items(2))[1] for number in range(4)]
    assert len(pages) == 3
    refused(pages, (0,), str(cursors[0]))
    assert pages.next((3,), str(cursors[3]))[0] == items(2)[1:]


def test_what_is_kept_for_an_owner_can_be_let_go() -> None:
    pages = Pages(1)
    _, cursor = pages.first(ANN, items(2))
    pages.first(BOB, items(2))
    pages.forget(ANN)
    pages.forget(("nobody",))
    assert len(pages) == 1
    refused(pages, ANN, str(cursor))


def test_lists_that_are_too_large_together_give_way_to_newer_ones_of_the_same_owner_or_in_the_end_of_another() -> None:
    size = len('[{"name":"t0"},{"name":"t1"}]')
    pages = Pages(1, max_bytes=(2 * size, 3 * size))
    cursors = [pages.first(ANN, items(2))[1] or "" for _ in range(3)]
    refused(pages, ANN, cursors[0])
    assert pages.next(ANN, cursors[1]) == (items(2)[1:], None)
    others = [pages.first(BOB, items(2))[1] or "" for _ in range(2)]
    refused(pages, ANN, cursors[2])
    for owner, cursor in ((ANN, cursors[1]), (BOB, others[0]), (BOB, others[1])):
        assert pages.next(owner, cursor) == (items(2)[1:], None)
    whole = items(9)
    assert [each for page in walked(pages, ANN, whole) for each in page] == whole, "the last one is kept at any size"
