"""What is compiled takes the strings of a message apart as Python does, and forgets none that wasn't looked at."""

from copy import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_scan import native
from tidegate_scan.choosing import shipped
from tidegate_scan.leaves import MOST_NEW, SEPARATOR, Clean, Leaves, compiled
from tidegate_scan.scanner import Scanner

pytestmark = pytest.mark.native

TEXTS = st.one_of(
    st.sampled_from(
        [
            *("", "a", "b=c", "x" * 127, "x" * 128, "x" * 129, "x" * 512, "y" * 513, "é" * 512, "日" * 513, "é" * 2048),
            *("two\nlines", "nul\0", "\n\0\n", "jsonrpc", "method", "type", "\U0001f600" * 513, "ab" * 300 + "\0"),
        ]
    ),
    st.text(max_size=8),
)
NUMBERS = st.sampled_from(
    [0, -1, 9_999_999, 10_000_000, -10_000_000, 10**39, 10**50, 0.5, 1e7, 1e300, True, False, None]
)
TREES = st.recursive(
    TEXTS | NUMBERS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(tree=TREES, numbers=st.booleans())
def test_the_strings_of_a_message_are_put_together_alike(tree: Any, *, numbers: bool) -> None:
    strings = compiled()
    assert strings is not None
    told = strings.new_in(tree, numbers=numbers)
    leaves = Leaves(tree, numbers=numbers)
    together = leaves.together()
    if told is None:
        assert numbers or len(leaves.text.encode()) + len(together.text.encode() if together else b"") > MOST_NEW
        return
    assert told.pieces == leaves.text
    assert sorted(told.runs.split(SEPARATOR)) == sorted(together.text.split(SEPARATOR) if together else [""])


@given(TREES, TREES)
def test_only_what_was_looked_at_is_known(first: Any, second: Any) -> None:
    strings, clean, clean_runs = compiled(), Clean(), Clean()
    assert strings is not None
    told = strings.new_in(first, numbers=False)
    if told is None:
        return
    strings.learn(told.pieces, together=False)
    strings.learn(told.runs, together=True)
    clean.add(told.pieces.split(SEPARATOR))
    clean_runs.add(told.runs.split(SEPARATOR))
    for tree in (first, second):
        leaves = Leaves(tree, clean, clean_runs)
        together = leaves.together()
        known = strings.known(tree, numbers=False)
        assert known == (not leaves.pieces and together is None) or (not known and "\\x00" in repr(tree))
        again = strings.new_in(tree, numbers=False)
        if again is not None:
            assert again.pieces == leaves.text
            assert len(again.runs) == len(together.text if together else "")


@pytest.mark.parametrize("odd", ["\ud800", {"\ud800": 1}, (), {1: "a"}, b"a"])
def test_what_is_not_read_there_is_left_to_python(odd: object) -> None:
    strings = compiled()
    assert strings is not None
    assert strings.new_in([odd], numbers=False) is None
    assert not strings.known([odd], numbers=False)
    deep: Any = []
    for _ in range(1000):
        deep = [deep]
    assert strings.new_in(deep, numbers=False) is None


def test_a_secret_in_a_message_whose_other_strings_are_known_is_found() -> None:
    one = Scanner(shipped("rules"))
    message: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "echo", "arguments": {"text": "hello"}},
    }
    assert one.tree(message) == one.tree(message) == []
    key = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    message["params"]["arguments"]["text"] = f"token={key}"
    found = one.tree(message)
    assert found
    assert one.tree(message) == found
    with native.unused():
        assert Scanner(list(map(copy, shipped("rules")))).tree(message) == found
