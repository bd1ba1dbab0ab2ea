"""Which readings of a text there are, how they map back to it, and what they may cost."""

import base64
import gzip
import html
import json
import time
import urllib.parse
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.scan.ways import PARTS, both_ways
from tidegate_scan import native
from tidegate_scan.budget import Gauge
from tidegate_scan.choosing import shipped
from tidegate_scan.decoders import runs
from tidegate_scan.engine import Engine
from tidegate_scan.inline import WAYS, Unicode, possible
from tidegate_scan.spans import Inline, Uncut, Whole
from tidegate_scan.views import Budget, OverBudget, View, _undone, views

__all__ = ["both_ways"]

NEEDLE = "tok_9f8e7d6c-Zz/Yy+Xx.Ww_0123"
"""What stands for a secret: letters, digits and marks, of no real kind."""


def found(text: str, needle: str = NEEDLE) -> list[tuple[View, int]]:
    """Return the views that hold the needle, and where."""
    return [(view, view.text.index(needle)) for view in views(text) if needle in view.text]


def all_percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CHARACTERWISE: dict[str, tuple[str, Callable[[str], str]]] = {
    "all percent": ("url", all_percent),
    "percent where needed": ("url", lambda s: urllib.parse.quote(s, safe="")),
    "percent twice": ("url", lambda s: all_percent(s).replace("%", "%25")),
    "decimal entities": ("html", lambda s: "".join(f"&#{ord(c)};" for c in s)),
    "entities without semicolon": ("html", lambda s: "".join(f"&#x{ord(c):x}" for c in s)),
    "entities twice": ("html", lambda s: html.escape("".join(f"&#{ord(c):05};" for c in s))),
    "named entities": ("html", lambda s: s.replace("_", "&lowbar;").replace("+", "&plus;").replace("/", "&sol;")),
    "one entity": ("html", lambda s: s.replace("8", "&#56;")),
    "unicode escapes": ("escape", lambda s: "".join(f"\\u{ord(c):04x}" for c in s)),
    "escaped escapes": ("escape", lambda s: "".join(f"\\\\\\\\u{ord(c):04X}" for c in s)),
    "one unicode escape": ("escape", lambda s: s.replace("f", "\\u0066")),
    "braced escapes": ("escape", lambda s: "".join(f"\\u{{{ord(c):x}}}" for c in s)),
    "long escapes": ("escape", lambda s: "".join(f"\\U{ord(c):08x}" for c in s)),
    "byte escapes": ("escape", lambda s: "".join(f"\\x{ord(c):02x}" for c in s)),
    "octal escapes": ("escape", lambda s: "".join(f"\\{ord(c):03o}" for c in s)),
    "escaped slashes": ("escape", lambda s: s.replace("/", "\\/")),
    "percent units": ("escape", lambda s: "".join(f"%u{ord(c):04x}" for c in s)),
    "code points": ("escape", lambda s: " ".join(f"U+{ord(c):04X}" for c in s)),
    "full width": ("unicode", full_width),
    "zero width": ("unicode", "\u200b".join),
    "soft hyphens": ("unicode", "\u00ad".join),
    "joiners and selectors": ("unicode", lambda s: s[:4] + "\u034f\ufe0f" + s[4:9] + "\U000e0100\u2060" + s[9:]),
    "bidi marks": ("unicode", lambda s: s[:5] + "\u202e\u2066" + s[5:]),
}


@pytest.mark.parametrize("case", CHARACTERWISE)
@pytest.mark.parametrize("around", [("", ""), ('x = "', '" # ünd mehr'), ("a%20b &lt; \\t ", " \\n &gt; %21")])
def test_a_disguise_of_characters_is_undone_with_the_exact_span(case: str, around: tuple[str, str]) -> None:
    name, disguise = CHARACTERWISE[case]
    hidden = disguise(NEEDLE)
    text = around[0] + hidden + around[1]
    (view, place), *_ = found(text)
    assert view.spans.of(place, place + len(NEEDLE)) == (len(around[0]), len(around[0]) + len(hidden))
    assert view.disguise(place, place + len(NEEDLE)) == (name,)
    assert name in view.how


@pytest.mark.parametrize("case", CHARACTERWISE)
def test_base64_disguised_character_by_character_comes_out(case: str) -> None:
    disguise = CHARACTERWISE[case][1]
    hidden = disguise(b64(NEEDLE * 3))
    views_of = found(f"({hidden})")
    view, place = views_of[-1]
    assert "base64" in view.how
    start, end = view.spans.of(place, place + len(NEEDLE))
    assert (start, end) == (1, 1 + len(hidden)) or case in {"named entities", "one entity", "one unicode escape"}


def test_the_leaf_comes_first_and_plain_text_has_no_other_view() -> None:
    text = "def handler(request): return some_module.long_function_name(request.path, 0x1234, 100 % 7) and a & b"
    assert [view.text for view in views(text)] == [text]
    assert next(views(text)).spans.of(3, 9) == (3, 9)
    assert next(views(text)).how == ()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: b64(f"{b64(s)} "),
        lambda s: b64(s).encode().hex(),
        lambda s: b64(all_percent(s)),
        lambda s: urllib.parse.quote(b64(json.dumps({"k": b64(s)}))),
        lambda s: base64.urlsafe_b64encode(gzip.compress(b64(s).encode())).decode(),
        lambda s: base64.b64encode(gzip.compress(zlib.compress(s.encode()))).decode(),
        lambda s: json.dumps(json.dumps({"k": "\n" + b64("\n" + s)})),
    ],
)
def test_disguises_inside_each_other_come_out(wrap: Callable[[str], str]) -> None:
    hidden = wrap(f"key: {NEEDLE}\n")
    text = f"see {hidden} there"
    view, place = found(text)[-1]
    start, end = view.spans.of(place, place + len(NEEDLE))
    assert 4 <= start < end <= 4 + len(hidden)
    assert "base64" in view.how


PIECES = st.sampled_from(
    ["a", "Z", "é", "中", "\U0001f600", "%41", "%C3%A9", "%ff", "%", "%25", "%2541", "&amp;", "&#65;", "&#x1F600;",
     "&lt", "&nosuch;", "&amp;amp;", "&", ";", "\\", "\\\\", "\\n", "\\u0041", "\\ud83d\\ude00", "\\ud83d", "\\x41",
     "\\xc3\\xa9", "\\u{1F600}", "\\101", "%u0041", "%ud83d%ude00", "U+0041", "U+1F600", " ", "\u200b", "\uff21",
     "\ufb01", "\u2026", "\ud800", "x", "1", "\u034f", "&shy;", "0"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join)


@given(TEXTS)
def test_the_map_and_the_text_of_a_view_agree(text: str) -> None:
    for way in WAYS:
        pieces = way.pieces(text)
        assert "".join(pieces) == text
        pieces[1::2] = map(way.decode, pieces[1::2])
        plain = way.undo(text)
        assert "".join(pieces) == plain
        spans = Inline(Whole(), way, Uncut(text, way))
        last = 0
        for place, character in enumerate(plain):
            start, end = spans.of(place, place + 1)
            assert last <= start < end <= len(text)
            assert character == text[start] or spans.how(place, place + 1) == (way.name,)
            last = start
        for coded in way.pieces(text)[1::2]:
            sizes = list(way.atoms(coded))
            assert (sum(a for a, _ in sizes), sum(b for _, b in sizes)) == (len(coded), len(way.decode(coded)))


@given(TEXTS, st.integers(1, 300))
def test_many_escapes_are_undone_as_few_are(text: str, times: int) -> None:
    padded = text + "\\/" * 2000 * (times > 150)
    escapes = WAYS[0]
    pieces = escapes.pieces(padded)
    pieces[1::2] = map(escapes.decode, pieces[1::2])
    assert "".join(pieces) == escapes.undo(padded)


@given(st.lists(PIECES | st.just(b64(NEEDLE)) | st.just(NEEDLE.encode().hex()), max_size=30).map("".join))
def test_every_view_maps_into_the_leaf(text: str) -> None:
    try:
        for view in views(text):
            for place in range(len(view.text)):
                start, end = view.spans.of(place, place + 1)
                assert 0 <= start <= end <= len(text)
            assert view.spans.of(0, len(view.text))[1] <= len(text)
    except OverBudget:
        pass


def test_compatibility_forms_are_stable() -> None:
    way = Unicode()
    for code in range(0x80, 0x110000):
        plain = way.decode(chr(code))
        assert way.decode(plain) == plain


def test_a_bomb_is_over_budget_before_it_fills_memory() -> None:
    bomb = gzip.compress(gzip.compress(bytes(200_000_000), 9), 9)
    started = time.monotonic()
    with pytest.raises(OverBudget, match="too much"):
        list(views(base64.b64encode(bomb).decode()))
    assert time.monotonic() - started < 20


def test_more_layers_than_the_depth_are_over_budget() -> None:
    text = NEEDLE
    for _ in range(4):
        text = b64(text)
    assert found(text)[-1][0].how == ("base64",) * 4
    with pytest.raises(OverBudget, match="layers"):
        list(views(b64(text)))


def test_depth_counts_layers_of_characters_too() -> None:
    text = "A"
    for _ in range(8):
        text = all_percent("".join(f"&#{ord(c)};" for c in text))[:3000]
    with pytest.raises(OverBudget):
        list(views(text, Budget(depth=2)))


@pytest.mark.parametrize("budget", [Budget(bytes=10), Budget(views=0), Budget(depth=0), Budget(seconds=-1.0)], ids=repr)
def test_each_limit_holds(budget: Budget) -> None:
    text = b64(NEEDLE)
    assert next(views(text, budget)).text == text
    with pytest.raises(OverBudget) as refusal:
        list(views(text, budget))
    assert NEEDLE not in str(refusal.value)


HOSTILE = [
    "A", "%41", "%25", "%", "&#65;", "&amp;", "&", "\\u0041", "\\", "\\\\u", "aGVsbG8gd29ybGQh.",
    "41 ", "41:", "0x41, ", "aGVsbG8gd29ybGQhIQ==\n", "4142434445464748 ", "\\x41", "H4sI", " H4sIAAAAAAAAAAAAAAAA",
    "78da", "\uff21", "\u200b",
    "\u0344", "%u0041", "U+0041 ", "\U000e0041", "&amp", "&#", "\\n", "VVVV", "Z", "5", "\ufdfa", "=", "-_",
    "dGVzdHRlc3R0ZXN0\\n", "&lt;%41\\t\u2026", " y0jNyclXKM8vyklRBADhBwQAhello",
]  # fmt: skip


@given(st.sampled_from(HOSTILE), st.sampled_from(HOSTILE), st.sampled_from([0, 1, 7]))
def test_work_grows_no_faster_than_the_text(one: str, other: str, times: int) -> None:
    unit = one + other * times
    text = unit * (20_000 // len(unit))
    try:
        made = list(views(text))
    except OverBudget:
        return
    assert len(made) <= 16
    assert sum(len(view.text) for view in made) <= 24 * len(text)


@given(st.text(st.sampled_from("ABab01+/-_=% \n&;\\ux#"), max_size=3000))
def test_work_is_bounded_for_any_text(text: str) -> None:
    try:
        made = list(views(text))
    except OverBudget:
        return
    assert sum(len(view.text) for view in made) <= 8 * len(text) + 64


@cache
def learning() -> Engine:
    """An engine that notes what it learns of texts."""
    with native.unused():
        return Engine(shipped("rules"))


@given(st.lists(PARTS, min_size=1, max_size=40).map("".join))
def test_a_reading_that_came_of_another_is_read_as_if_it_had_not(text: str) -> None:
    """What is known of the other one saves work, and changes nothing about literals, encoded runs and what is left."""
    text += "filler " * 1800
    engine = learning()
    stops: dict[str, Any] = {}
    signs: dict[int, Any] = {}
    with native.unused():
        told = list(views(text, Budget(seconds=100)))
    for view in told:
        data, scale = view.text.encode("utf-8", "surrogatepass"), 1 if view.text.isascii() else 4
        stops[view.text] = engine._prefilter.stops(data, scale)
        windows = engine._prefilter.windows(data, stops[view.text])
        assert engine._prefilter.all_windows(data, scale) == windows
        gauge = Gauge(Budget(seconds=100))
        found = runs(view.text, gauge)
        assert runs(view.text, gauge, view.since, signs) == found
        if view.since is not None:
            moved = engine._prefilter.moved(data, scale, stops[view.since.text], view.since.in_bytes)
            assert [[stop[:4] for stop in each] for each in moved.lists] == [
                [stop[:4] for stop in each] for each in stops[view.text].lists
            ]
            assert engine._prefilter.windows(data, moved) == windows
            following, other = _undone(view), _undone(view._replace(since=None))
            assert (following and following[:2]) == (other and other[:2])


def test_little_that_is_undone_in_much_is_told_with_the_text() -> None:
    much = "word " * 900
    with native.unused():
        _, view = views(f"{much}a\\tb%20c{much}")
    assert view.since is not None
    assert view.since.text == f"{much}a\\tb%20c{much}"
    assert view.since.edits == ([4501, 4504], [4503, 4507], [4501, 4503], [4502, 4504])
    assert view.since.in_bytes == view.since.edits
    with native.unused():
        _, view = views(f"{much}é\\tb{much}")
    assert view.since is not None
    assert view.since.in_bytes == ([4502], [4504], [4502], [4503])


@pytest.mark.parametrize(
    "text", ["a\\tb", "word " * 900 + "a\\tb", "a line of words\\n" * 600, f"{'word ' * 60}\\n" * 40]
)
def test_where_the_text_is_short_or_much_is_undone_it_is_read_anew(text: str) -> None:
    _, view = views(text)
    assert view.since is None


@given(st.text(st.sampled_from("ab \x7fé\u200b\uff21\uff22\ud800\udfff\U0001d56b\U0010ffffﬁ\u00a0²"), max_size=60))
def test_few_characters_beyond_ascii_are_undone_as_many_are(text: str) -> None:
    way = Unicode()
    for around in ("", "x" * 20_000):
        pieces = way.pieces(f"{text}{around}")
        plain = list(map(way.decode, text))
        assert "".join(pieces) == f"{text}{around}"
        assert "".join(pieces[1::2]) == "".join(one for one, other in zip(text, plain, strict=True) if one != other)
        assert all(pieces[2:-1:2])
        assert way.undo(f"{text}{around}") == f"{''.join(plain)}{around}"


@given(st.text(st.sampled_from("ab;41%&u0#xU+\\ é\u200b")))
def test_where_no_character_is_of_a_coded_piece_there_is_none(text: str) -> None:
    if not possible(text):
        assert all(way.undo(text) == text for way in WAYS)


@pytest.mark.parametrize(
    "text",
    [
        "&am%70;#65;",
        "&#%36%35;",
        "U+00\\x34\\x31",
        "&%23" + "0" * 300 + "65;",
        "&%61mp;" + "amp;" * 100 + "#65;",
        "%\\x341",
    ],
)
def test_a_piece_that_is_whole_only_when_others_are_undone_is_undone_too(text: str) -> None:
    for around in ("word, " * 900, "(" * 5000, "a-word " * 900):
        assert list(views(f"{around}({text}){around}"))[-1].text == f"{around}(A){around}"
