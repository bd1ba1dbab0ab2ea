"""All strings of a message as one text, and back: every place of that text is a place in the message."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from support import strategies
from tidegate_scan.leaves import SEPARATOR, SHORT, Leaves, Place, pointer

TREE = {
    "params": {"name": "echo", "arguments": {"a/b": "one", "long": "x" * (SHORT + 1), "list": ["in", {"k": "deep"}]}}
}


def at(leaves: Leaves, text: str) -> list[tuple[str, bool, str]]:
    """Where a text is found: pointer, whether in the key, and what stands there."""
    start = leaves.text.index(text)
    return [
        (pointer(place.node), place.in_key, place.text[slice(*place.span)])
        for place in leaves.places(start, start + len(text))
    ]


def test_a_short_member_is_a_line_with_its_key_and_others_stand_alone() -> None:
    lines = Leaves(TREE).text.split(SEPARATOR)
    assert "name=echo" in lines
    assert "a/b=one" in lines
    assert "list=in" in lines  # the array's own key says what its items are
    assert lines[lines.index("long") + 1] == "x" * (SHORT + 1)
    assert {"params", "arguments", "list"} <= set(lines)


def test_a_place_in_the_text_is_a_place_in_the_message() -> None:
    leaves = Leaves(TREE)
    assert at(leaves, "one") == [("/params/arguments/a~1b", False, "one")]
    assert at(leaves, "a/b") == [("/params/arguments/a~1b", True, "a/b")]
    assert at(leaves, "b=on") == [("/params/arguments/a~1b", True, "b"), ("/params/arguments/a~1b", False, "on")]
    assert at(leaves, "deep") == [("/params/arguments/list/1/k", False, "deep")]
    assert at(leaves, "in") == [("/params/arguments/list/0", False, "in")]
    assert at(leaves, "arguments") == [("/params/arguments", True, "arguments")]


@given(strategies.values)
def test_every_string_is_found_where_it_is(value: Any) -> None:
    leaves = Leaves(value)
    whole = leaves.places(0, len(leaves.text))
    found = sorted((pointer(place.node), place.in_key, place.text[slice(*place.span)]) for place in whole)
    assert found == sorted(strings(value, ""))
    assert all(place.span == (0, len(place.text)) for place in whole)


def strings(value: Any, where: str) -> list[tuple[str, bool, str]]:
    """All strings that aren't empty, keys too."""
    found: list[tuple[str, bool, str]] = []
    if isinstance(value, str) and value:
        found.append((where, False, value))
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        below = f"{where}/{str(key).replace('~', '~0').replace('/', '~1')}"
        if isinstance(key, str) and key:
            found.append((below, True, key))
        found += strings(item, below)
    return found


def test_what_stands_in_siblings_and_in_consecutive_items_is_put_together() -> None:
    tree = {"content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "a": "three", "b": "four"}
    together = Leaves(tree).together()
    assert together is not None
    assert "onetwo" in together.text
    assert "threefour" in together.text
    start = together.text.index("netw")
    found: list[Place] = together.places(start, start + 4)
    assert [(pointer(place.node), place.span) for place in found] == [
        ("/content/0/text", (1, 3)),
        ("/content/1/text", (0, 2)),
    ]
    start = together.text.index("one")
    assert together.places(start, start + 3) == []  # it is in one of them alone


@given(st.integers(min_value=0, max_value=50))
def test_one_string_alone_is_not_put_together_with_anything(size: int) -> None:
    assert Leaves({"a": "x" * size, "b": 1}).together() is None


def test_of_long_values_the_ends_are_put_together() -> None:
    first, second = "a" * 5000 + "ghp", "_12" + "b" * 5000
    together = Leaves([{"text": first}, {"text": second}]).together()
    assert together is not None
    assert len(together.text) < 1100
    start = together.text.index("ghp_12")
    assert [(pointer(place.node), place.text[slice(*place.span)]) for place in together.places(start, start + 6)] == [
        ("/0/text", "ghp"),
        ("/1/text", "_12"),
    ]
