"""Lists of servers that page on and on, repeat themselves, or aren't lists: read as far as they can be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway.catalogue import IncompleteError, distinct, merged, walk


class Server:
    """Gives pages by cursor, and notes which were asked for."""

    def __init__(self, pages: dict[str | None, Any]) -> None:
        self.pages = pages
        self.asked: list[str | None] = []

    async def __call__(self, cursor: str | None) -> tuple[Any, int]:
        self.asked.append(cursor)
        return self.pages[cursor], 100


def page(*names: str, **more: Any) -> dict[str, Any]:
    return {"tools": [{"name": name} for name in names], **more}


def names(items: list[dict[str, Any]]) -> list[str]:
    return [item["name"] for item in items]


async def incomplete(pages: dict[str | None, Any], *, max_pages: int = 9, max_items: int = 99) -> tuple[str, list[str]]:
    with pytest.raises(IncompleteError) as caught:
        await walk(Server(pages), "tools", max_pages=max_pages, max_items=max_items)
    return str(caught.value), names(caught.value.items)


async def test_all_pages_are_read_in_their_order() -> None:
    server = Server(
        {
            None: page("a", "b", nextCursor="2"),
            "2": page(nextCursor="3"),
            "3": page("c", nextCursor=None),
        }
    )
    assert names(await walk(server, "tools", max_items=3)) == ["a", "b", "c"]
    assert server.asked == [None, "2", "3"]


async def test_an_empty_cursor_is_a_cursor() -> None:
    server = Server({None: page("a", nextCursor=""), "": page("b")})
    assert names(await walk(server, "tools", max_items=9)) == ["a", "b"]
    assert server.asked == [None, ""]


async def test_a_cursor_that_comes_again_ends_the_list_however_late() -> None:
    again = {
        None: page("a", nextCursor="1"),
        "1": page("b", nextCursor="2"),
        "2": page("c", nextCursor="1"),
    }
    assert await incomplete(again) == (
        "The list has a cursor that comes again, so its pages have no end.",
        ["a", "b", "c"],
    )


async def test_pages_without_end_are_read_up_to_a_limit() -> None:
    class Endless(Server):
        async def __call__(self, cursor: str | None) -> tuple[Any, int]:
            self.asked.append(cursor)
            return page(f"t{len(self.asked)}", nextCursor=f"{len(self.asked)}"), 100

    server = Endless({})
    with pytest.raises(IncompleteError, match=r"^The list has more than 3 pages\.$") as caught:
        await walk(server, "tools", max_pages=3, max_items=99)
    assert names(caught.value.items) == ["t1", "t2", "t3"]
    assert len(server.asked) == 3


async def test_items_without_end_are_read_up_to_a_limit() -> None:
    pages: dict[str | None, Any] = {None: page("a", "b", nextCursor="1"), "1": page("c", "d")}
    assert await incomplete(pages, max_items=3) == ("The list has more than 3 items.", ["a", "b", "c"])
    assert names(await walk(Server(pages), "tools", max_items=4)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("odd", [None, [], "x", {}, {"tools": None}, {"tools": {}}, {"tools": ["x"]}, {"prompts": []}])
async def test_a_page_of_another_shape_ends_the_list(odd: Any) -> None:
    said, read = await incomplete({None: page("a", nextCursor="1"), "1": odd})
    assert said == "The list has a page without a list of objects as its tools."
    assert read == ["a"]


@pytest.mark.parametrize("odd", [1, False, {}, ["x"]])
async def test_a_cursor_that_is_no_string_ends_the_list(odd: Any) -> None:
    assert await incomplete({None: page("a", nextCursor=odd)}) == (
        "The list has a page whose nextCursor is no string.",
        ["a"],
    )


async def test_what_asking_raises_goes_through() -> None:
    with pytest.raises(KeyError):
        await walk(Server({None: page("a", nextCursor="lost")}), "tools", max_items=9)


@given(
    st.lists(st.lists(st.text(max_size=3), max_size=4), min_size=1, max_size=6), st.integers(1, 8), st.integers(1, 8)
)
async def test_what_is_read_is_always_how_the_list_begins(
    pages: list[list[str]], max_pages: int, max_items: int
) -> None:
    given: dict[str | None, Any] = {
        str(number) if number else None: page(
            *its, **({"nextCursor": str(number + 1)} if number + 1 < len(pages) else {})
        )
        for number, its in enumerate(pages)
    }
    whole = [name for its in pages for name in its]
    try:
        read = names(await walk(Server(given), "tools", max_pages=max_pages, max_items=max_items))
    except IncompleteError as error:
        read = names(error.items)
        assert len(pages) > max_pages or len(whole) > max_items
        assert read == whole[: len(read)]
    else:
        assert read == whole
    assert len(read) <= max_items


def test_lists_are_merged_in_the_order_of_the_servers_and_each_in_its_own() -> None:
    first, second = page("b", "a")["tools"], page("d", "c")["tools"]
    assert names(merged([("z", first), ("empty", []), ("y", second)])) == ["b", "a", "d", "c"]


def test_of_items_with_one_name_the_last_counts_where_the_first_stood() -> None:
    items: list[dict[str, Any]] = [{"name": "a", "n": 1}, {"name": "b"}, {"name": "a", "n": 2}, {}, {"name": 1}]
    assert distinct(items, "name") == [{"name": "a", "n": 2}, {"name": "b"}]
    assert distinct(items, "uri") == []


async def test_a_list_of_few_items_with_too_many_bytes_is_cut_before_the_page_that_is_too_much() -> None:
    server = Server({None: page("a", nextCursor="1"), "1": page("b", nextCursor="2"), "2": page("c")})
    assert names(await walk(server, "tools", max_items=9, max_bytes=300)) == ["a", "b", "c"]
    with pytest.raises(IncompleteError, match="more than 299 bytes") as caught:
        await walk(server, "tools", max_items=9, max_bytes=299)
    assert names(caught.value.items) == ["a", "b"]
