"""What is compiled says the same as Python does: nothing is found by the one and not by the other."""

import binascii
import math
import random
from base64 import b64encode
from copy import copy
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugins.scan.corpus.embeddings import cases
from plugins.scan.finders import scanner
from plugins.scan.ways import PARTS
from tidegate_scan import native
from tidegate_scan.budget import OverBudget
from tidegate_scan.choosing import shipped
from tidegate_scan.decoders import _from_base64, _is_readable
from tidegate_scan.engine import Engine
from tidegate_scan.leaves import compiled
from tidegate_scan.prefilter import Known
from tidegate_scan.rules import load
from tidegate_scan.scanner import Scanner
from tidegate_scan.signs import signs_in
from tidegate_scan.views import Budget, views

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


@given(st.text("AZaz09+/-_=\\\n é", max_size=40) | st.binary(max_size=40).map(lambda data: b64encode(data).decode()))
def test_base64_is_decoded_alike(text: str) -> None:
    run = text.encode("ascii", "replace")
    told = _decoded(run)
    with native.unused():
        assert _decoded(run) == told


def _decoded(run: bytes) -> bytes | None:
    try:
        return _from_base64(run)
    except binascii.Error:  # of what isn't looked for
        return None


@given(st.binary(max_size=200))
def test_what_can_be_read_is_told_alike(data: bytes) -> None:
    told = _is_readable(data), _is_readable(data.translate(None, b"\x00"))
    with native.unused():
        assert (_is_readable(data), _is_readable(data.translate(None, b"\x00"))) == told


@given(SIGNS)
def test_signs_of_encoded_runs_are_told_alike(text: str) -> None:
    raw = text.encode("ascii", "replace")
    told = signs_in(raw)
    with native.unused():
        assert signs_in(raw) == told


@given(st.integers(32_700, 32_800), SIGNS)
@example(32_760, "0x41, 0x00, " * 8)
@example(32_767, ".1f8b08")
def test_signs_are_told_alike_wherever_they_stand_in_a_long_text(before: int, text: str) -> None:
    raw = b"." * before + text.encode("ascii", "replace") + b"." * 200
    told = signs_in(raw)
    with native.unused():
        assert signs_in(raw) == told


DISGUISED = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(
                    "\\",
                    "\\\\",
                    "\\u0041",
                    "\\ud83d\\ude00",
                    "\\ud83d",
                    "\\\\ud83d\\\\\\ude00",
                    "\\u{1F600}",
                    "\\x{110000}",
                    "\\u{}",
                ),
                *(
                    "\\x41",
                    "\\xc3\\xa9",
                    "\\xe9",
                    "\\x4",
                    "\\U0001F600",
                    "\\U00110000",
                    "\\101",
                    "\\377",
                    "\\400",
                    "\\n",
                    "\\'",
                    "\\w",
                ),
                *(
                    "%",
                    "%41",
                    "%2541",
                    "%25",
                    "%2525",
                    "%252",
                    "%c3%a9",
                    "%e9",
                    "%u0041",
                    "%ud83d%ude00",
                    "%ude00",
                    "%u004",
                    "25",
                    "41",
                ),
                *(
                    "U+",
                    "U+0041",
                    "U+1F600",
                    "U+0000",
                    "U+0041, ",
                    "U+0041   ",
                    "U+1234567",
                    "U+00411",
                    "U+110000",
                    ",",
                    ";",
                ),
                *(
                    "&",
                    "&amp;",
                    "&amp;amp;lt;",
                    "&lt",
                    "&ltx",
                    "&lt;",
                    "&nosuch;",
                    "&nosuchamp;",
                    "&#65",
                    "&#65;",
                    "&#x41",
                    "&#X0041;",
                ),
                *(
                    "&#",
                    "&#x",
                    "&#0;",
                    "&#00000000000;",
                    "&#1114112;",
                    "&#12345678;",
                    "&#xD800;",
                    "&amp",
                    "amp;",
                    "#65;",
                    "&NotEqualTilde;",
                ),
                *(
                    "\u200b",
                    "\uff21",
                    "\ufb01",
                    "\u2122",
                    "\U000e0041",
                    "\ufdfa",
                    "\u00e9",
                    "\u2014",
                    "\u65e5\u672c",
                    "\U0001f600",
                    "e\u0301",
                    "\x00",
                ),
                *("a", " ", "\n", "A1", "u", "x", "0", "7f"),
            ]
        ),
        st.text("\\%&#;{}uUxX+a0123456789AFamp \u200b\uff21", max_size=12),
        st.text(max_size=4),
    ),
    max_size=20,
).map("".join)


def _readings(text: str) -> list[tuple[Any, ...]]:
    found = []
    for view in views(text, Budget(views=1000, depth=100, seconds=100)):
        places = [(view.spans.of(at, at + 1), view.spans.how(at, at + 1)) for at in range(min(len(view.text), 300))]
        found.append((view.text, view.how, places))
    return found


@given(DISGUISED)
@example("&#" + "0" * 5000 + "65;")
def test_disguises_are_undone_alike_to_the_character(text: str) -> None:
    told = _readings(text)
    with native.unused():
        assert _readings(text) == told


@given(DISGUISED, st.integers(0, 3))
def test_what_undoing_replaced_is_told_alike(text: str, between: int) -> None:
    text = ("filler " * 700).join([text] * (between + 1)) + "filler " * 1800
    told = [view.since for view in views(text)]
    with native.unused():
        assert [view.since for view in views(text)] == told


@given(st.lists(PARTS, min_size=1, max_size=30).map("".join), st.sampled_from(["", "filler " * 200]))
def test_all_that_is_in_readings_is_found_where_what_is_known_of_one_is_left_out_of_the_next(
    text: str, between: str
) -> None:
    engine = scanner()._own[0]
    known = Known()
    told: set[tuple[Any, ...]] = set()
    everything: set[tuple[Any, ...]] = set()
    for view in views(between.join([text] * (3 if between else 1)) + "filler " * 1800, Budget(seconds=100)):
        for hits, found in (
            (engine.find(view.text, since=view.since, known=known), told),
            (engine.find(view.text), everything),
        ):
            found |= {(hit.rule.id, view.text[hit.start : hit.end], view.spans.of(hit.start, hit.end)) for hit in hits}
        assert told == everything


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
        assert native.ways({}, str, native.Worth(1, 1, 1, 1))("%41", settled=False) is None
        assert native.windows([], 1, 1, 1, 1) is None
        assert compiled() is None


def test_one_that_was_installed_for_another_tidegate_is_not_used() -> None:
    assert native.found("tidegate_native") is native.compiled() is not None
    assert native.found("tidegate_native", native.INTERFACE + 1) is None
    assert native.found("json") is None
    assert native.found("no_such_module") is None
