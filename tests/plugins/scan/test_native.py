"""What is compiled says the same as Python does: nothing is found by the one and not by the other."""

import math
import random
from copy import copy
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.scan.corpus.embeddings import cases
from plugins.scan.finders import scanner
from plugins.scan.ways import PARTS
from tidegate_scan import native
from tidegate_scan.budget import OverBudget
from tidegate_scan.choosing import shipped
from tidegate_scan.decoders import _signs_in
from tidegate_scan.engine import Engine
from tidegate_scan.inline import WAYS, possible
from tidegate_scan.rules import load
from tidegate_scan.scanner import Scanner
from tidegate_scan.views import Budget, _edits, views

pytestmark = pytest.mark.native

SIGNS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *("1f8b08", "1F:8b", "78 9c", "789c", "7801", "\\x78\\x01", "0x1f, 0x8b,0x08", "0x78,0x9c", "x"),
                *("H4sIAAAAAAAAA0s", "eJwrTs5ILChJLS4", "eAEAAA", "aABkAGUAZgBnAGgA", "AGgAZQBsAGwAbwAg", "A" * 20),
                *(
                    "68 65 6c 6c 6f 20 74 68",
                    "68, 65,6c, 6c,6f, 20, 74, 68",
                    "68656c6c6f2074686579",
                    "6800650068006500",
                ),
                *("0x68 0x65,0x6c 0x6c:0x6f 0x20", "00680065006c006c006f00200074", "6b65793d31323334353637383930"),
                *(
                    "ZXlKaGJHY2lPaUpJVXpJMU5pSjk",
                    "word",
                    "f",
                    "7",
                    "8",
                    "0",
                    " ",
                    ":",
                    "-",
                    ", ",
                    "0x",
                    "\\",
                    "\n",
                    "é",
                ),
            ]
        ),
        st.text("0123456789abcdefABCDEFxX :,-\\", max_size=12),
        st.text("AQgweHJNF4sIbcdz+/_-", max_size=20),
    ),
    max_size=25,
).map("".join)


@given(SIGNS)
def test_signs_of_encoded_runs_are_told_alike(text: str) -> None:
    raw = text.encode("ascii", "replace")
    told = _signs_in(raw)
    with native.unused():
        assert _signs_in(raw) == told


@given(st.integers(32_700, 32_800), SIGNS)
def test_signs_are_told_alike_wherever_they_stand_in_a_long_text(before: int, text: str) -> None:
    raw = b"." * before + text.encode("ascii", "replace") + b"." * 200
    told = _signs_in(raw)
    with native.unused():
        assert _signs_in(raw) == told


STEP = st.lists(st.tuples(st.text("ab é", max_size=40), st.text("ab é", max_size=40)), min_size=1, max_size=12)


@given(STEP, st.data())
def test_what_steps_replaced_is_told_alike(first: list[tuple[str, str]], data: st.DataObject) -> None:
    middle = "".join(new for _, new in first)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(middle)), max_size=6)))
    old = [middle[one:other] for one, other in pairwise([0, *cuts, len(middle)])]
    new = [data.draw(st.sampled_from([piece, "", "xyz"])) for piece in old]
    steps = [([old for old, _ in first], [new for _, new in first]), (old, new)]
    told = _edits(steps)
    with native.unused():
        assert _edits(steps) == told


@given(st.lists(PARTS, min_size=1, max_size=30).map("".join))
def test_what_is_found_is_the_same_where_a_reading_came_of_another_that_is_known(text: str) -> None:
    engine = scanner()._own[0]
    known: dict[str, Any] = {}
    for view in views(text + "filler " * 1800, Budget(seconds=100)):
        told = engine.find(view.text, since=view.since, known=known)
        assert told == engine.find(view.text)


@given(st.text("ab;41%&u0#xU+\\ é\u200b"))
def test_what_has_no_piece_of_a_way_is_left_alone_by_it(text: str) -> None:
    ways = possible(text)
    for number, way in enumerate(WAYS):
        if not ways >> number & 1:
            assert way.undo(text) == text


@given(st.lists(PARTS, min_size=1, max_size=30).map("".join), st.sampled_from(["", "filler " * 1500]))
def test_the_readings_of_a_text_are_the_same(text: str, more: str) -> None:
    told = [(view.text, view.how, view.since) for view in views(text + more)]
    with native.unused():
        assert [(view.text, view.how, view.since) for view in views(text + more)] == told


@pytest.mark.parametrize("kind", ["rules", "pii"])
def test_what_is_found_in_the_corpus_is_the_same(kind: str) -> None:
    rules = shipped(kind)
    compiled = Scanner(rules)
    with native.unused():
        python = Scanner(list(map(copy, rules)))
    messages = [case.message for case in islice(cases(5, plain=1, disguises=1), 0, None, 9)]
    assert len(messages) > 100
    for message in messages:
        told = compiled.tree(message)
        with native.unused():
            assert python.tree(message) == told


@given(text=st.lists(PARTS, max_size=30).map("".join), broken=st.booleans())
def test_what_is_found_in_any_text_is_the_same(text: str, *, broken: bool) -> None:
    text += "\ud800" * broken
    engine = scanner()._own[0]
    prefilter = engine._prefilter
    told = engine.find(text)
    compiled, prefilter._compiled = prefilter._compiled, None
    try:
        assert engine.find(text) == told
    finally:
        prefilter._compiled = compiled


def test_all_shipped_rules_are_read() -> None:
    for kind in ("rules", "pii"):
        assert Engine(shipped(kind))._prefilter._compiled is not None


@pytest.mark.filterwarnings("ignore:Possible set difference")
def test_rules_that_are_not_read_there_are_searched_for_in_python(tmp_path: Path) -> None:
    path = tmp_path / "made.toml"
    path.write_text(
        "[[rule]]\nid = 'r'\ntitle = 't'\nregex = '''(key=[+--]\\w+)'''\nliterals = ['key=']\n"
        "confidence = 0.5\nexamples = ['x']\n"
    )
    engine = Engine(load([path]))
    assert engine._prefilter._compiled is None
    assert [(hit.start, hit.end) for hit in engine.find("a key=,zy9k3v0")] == [(2, 14)]


def test_a_search_that_is_late_is_over_budget() -> None:
    engine = scanner()._own[0]
    with pytest.raises(OverBudget):
        engine.find("token='" * 1000, until=-math.inf)


def test_a_long_text_of_many_kinds_of_characters_is_searched_alike() -> None:
    chance = random.Random(7)
    kinds = ["key = ", "password: ", "\u212aey", "\u017fecret=", "ghp_", "é", "日本", "token\u00a0=", "x" * 40, "\n"]
    text = "".join(chance.choice(kinds) for _ in range(4000))
    told = scanner()._own[0].find(text)
    with native.unused():
        assert Engine(shipped("rules")).find(text) == told


def test_where_it_is_not_used_nothing_is_compiled() -> None:
    with native.unused():
        assert native.compiled() is None
        assert native.coded("%41") is None
        assert native.edits([(["a"], ["b"])], 1) is None
        assert native.windows([], 1, 1, 1) is None


def test_one_that_was_installed_for_another_tidegate_is_not_used() -> None:
    assert native.found("tidegate_native") is native.compiled() is not None
    assert native.found("tidegate_native", native.INTERFACE + 1) is None
    assert native.found("json") is None
    assert native.found("no_such_module") is None
