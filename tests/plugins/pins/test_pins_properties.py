"""What holds for any server that changes anything, and for any approval."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.pins.offering import SERVER, call, listed, names, other, show
from tidegate.testing import Harness, harness
from tidegate_pins import spelling
from tidegate_pins.book import Book, Item, approved

pytestmark = pytest.mark.requirement("approved-is-offered")

NAMES = ("read", "write", "send", "list", "drop")
CHANGES = st.sampled_from(["", "title", "schema", "annotations"])
VERSIONS = st.dictionaries(st.sampled_from(NAMES), CHANGES, min_size=1)

# A pipeline and a file are made for each example: no haste, and fewer of them.
patiently = settings(deadline=None, max_examples=25)


def version(name: str, change: str) -> dict[str, Any]:
    """One of the ways in which a tool may be defined."""
    members: dict[str, dict[str, Any]] = {
        "title": {"title": "T"},
        "schema": {"inputSchema": {}},
        "annotations": {"annotations": {}},
    }
    return other(name, **members.get(change, {}))


def run(work: Callable[[Harness, Path], Awaitable[None]], **config: Any) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as made:
            async with harness("pins", config, folder=Path(made), servers=(SERVER,)) as h:
                await work(h, Path(made))

    asyncio.run(main())


def approve(h: Harness, chosen: set[str]) -> None:
    """Approve some tools, as `tidegate pins approve` does."""

    def change(_scope: object, _kind: str, name: str, item: Item) -> Item:
        return approved(item, "approved", "now") if name in chosen else item

    def changed(book: Book) -> Book:
        return book.mapped(change)

    h.interceptor._judge.store.change(changed)


@patiently
@given(VERSIONS, VERSIONS, st.sets(st.sampled_from(NAMES)))
def test_approving_some_unhides_none_of_the_others(
    first: dict[str, str], second: dict[str, str], chosen: set[str]
) -> None:
    async def work(h: Harness, _folder: Path) -> None:
        await show(h, *(version(*one) for one in first.items()))
        now = [version(*one) for one in second.items()]
        before = set(await show(h, *now))
        assert before == {name for name in second if first.get(name) == second[name]}
        approve(h, chosen)
        assert set(await show(h, *now)) == before | (chosen & set(second))
        for name in second:
            allowed = (await h.judge(*call(name))).allowed
            assert allowed is (name in before | chosen)

    run(work)


@patiently
@given(VERSIONS, VERSIONS, st.randoms(use_true_random=False), st.integers(1, 3))
def test_the_order_of_pages_and_of_items_does_not_matter(
    first: dict[str, str], second: dict[str, str], random: Any, size: int
) -> None:
    async def work(h: Harness, _folder: Path) -> None:
        await show(h, *(version(*one) for one in first.items()))
        expected = {name for name in second if first.get(name) == second[name]}
        for _ in range(2):
            order = list(second.items())
            random.shuffle(order)
            pages = [order[start : start + size] for start in range(0, len(order), size)]
            seen: set[str] = set()
            for number, page in enumerate(pages):
                cursor = str(number) if number else None
                following = str(number + 1) if number + 1 < len(pages) else None
                message, about = listed([version(*one) for one in page], cursor=cursor, following=following)
                seen |= set(names(await h.judge(message, about)))
            assert seen == expected

    run(work)


@patiently
@given(st.lists(VERSIONS, min_size=1, max_size=4))
def test_what_a_list_shows_is_what_may_be_called(rounds: list[dict[str, str]]) -> None:
    async def work(h: Harness, _folder: Path) -> None:
        first: dict[str, str] = {}
        for number, versions in enumerate(rounds):
            shown = set(await show(h, *(version(*one) for one in versions.items())))
            if not number:
                first = versions
            assert shown == {name for name in versions if first.get(name) == versions[name]}
            for name in versions:
                assert (await h.judge(*call(name))).allowed is (name in shown)

    run(work)


def spelt(text: str, random: Any) -> str:
    """Another spelling of a name."""
    out = ""
    for char in text:
        kind = random.randrange(5)
        full = chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char
        out += {0: char.upper(), 1: full, 2: char + "\u200b", 3: char + "_"}.get(kind, char)
    before, after = random.choice(["", " ", "\t", "-", "."]), random.choice(["", " ", "\n", "_"])
    return f"{before}{out}{after}"


@patiently
@given(st.sampled_from(NAMES), st.randoms(use_true_random=False))
def test_no_spelling_of_a_hidden_tool_can_be_called(name: str, random: Any) -> None:
    async def work(h: Harness, _folder: Path) -> None:
        await show(h, *(version(one, "") for one in NAMES))
        await show(h, *(version(one, "title" if one == name else "") for one in NAMES))
        for _ in range(20):
            assert not (await h.judge(*call(spelt(name, random)))).allowed

    run(work, unlisted="allow")


@given(st.text("abc/.", min_size=1, max_size=12), st.integers(0, 2))
def test_encoding_a_uri_changes_nothing(path: str, rounds: int) -> None:
    uri = f"file:///{path}"
    encoded = uri
    for _ in range(rounds):
        encoded = "file:///" + quote(encoded.removeprefix("file:///"), safe="")
    assert spelling.folded_uri(encoded) == spelling.folded_uri(uri)


@given(st.lists(st.text("ab/", max_size=4), min_size=2, max_size=4), st.lists(st.text("abc/", max_size=4), min_size=3))
def test_a_template_fits_whatever_is_made_from_it(literals: list[str], values: list[str]) -> None:
    template = "{v}".join(literals)
    made = literals[0] + "".join(value + part for value, part in zip(values, literals[1:], strict=False))
    if len(values) >= len(literals) - 1:
        assert spelling.fits(template, made)


@pytest.mark.parametrize(("template", "uri"), [("a/{x}/b", "a/b"), ("a/{x}", "b/a"), ("a", "ab"), ("a{x}a", "a")])
def test_a_template_fits_nothing_without_its_parts(template: str, uri: str) -> None:
    assert not spelling.fits(template, uri)
