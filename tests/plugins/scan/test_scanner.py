"""The scanner as a whole, on the corpus and on messages that could mislead it."""

import base64
import sys
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.scan.corpus.embeddings import cases
from plugins.scan.corpus.measure import measure
from plugins.scan.finders import scanner, tidegate
from tidegate_scan.choosing import shipped
from tidegate_scan.leaves import Clean
from tidegate_scan.scanner import HELD, LEFT_OVER, Scanner, _best, _Hit
from tidegate_scan.views import Budget


def found(message: Any) -> list[tuple[str, tuple[int, int], str]]:
    return tidegate(message)


@pytest.mark.slow
@pytest.mark.parametrize("half", ["seen", "unseen"])
def test_the_corpus_is_found_plain_and_in_disguise_with_few_false_alarms_and_to_the_character(half: Any) -> None:
    report = measure(tidegate, 1, [half])
    plain, disguised = report.total(half, plain=True), report.total(half, plain=False)
    assert plain.recall >= 0.95
    assert disguised.recall >= 0.90
    assert plain.exactness >= 0.95
    assert disguised.exactness >= 0.95
    assert report.negatives >= 3000
    assert report.false_positive_rate <= 0.005


def test_what_was_looked_at_before_changes_nothing_about_what_is_found() -> None:
    """Lines that were clean before are passed over; that must not take away what another line's meaning rests on."""
    scan = scanner()
    messages = [case.message for case in islice(cases(3, plain=1, disguises=0), 0, None, 5)]
    scan._clean = Clean()
    fresh = []
    for message in messages:
        scan._clean = Clean()
        fresh.append(found(message))
    for message in messages:  # each string of each message by itself, so that all that is clean is known to be
        for text in strings(message):
            scan.tree({"x": text})
            scan.tree([text])
            scan.tree({text: 1})
    for key, value in [pair for message in messages for pair in members(message)]:
        scan.tree({key: value})
    assert [found(message) for message in messages] == fresh


def test_what_was_only_looked_at_as_parts_of_one_is_not_known_by_itself() -> None:
    """Parts put together are looked at by fewer rules, and not in disguise: so that says nothing of a string alone."""
    scan = scanner()
    for parts in (["password=", "x7Kq9oP2vWn"], ["password%3", "dx7Kq9oP2vWn"]):
        assert scan.tree(parts) == []
        assert [each.rule for each in scan.tree("".join(parts))] != []


def test_a_line_means_nothing_for_the_next_one() -> None:
    scan = scanner()
    key = "7f3c9a1e5b8d4f2a6c0e9b7d1f3a5c8e"
    for tree in ({"service": "heroku api key", "x": key}, ["datadog_api_key:", key], {"password:": {"x": key}}):
        scan._clean = Clean()
        first = found(tree)
        scan.tree({"service": "heroku api key"})
        scan.tree(["datadog_api_key:"])
        scan.tree({"password:": {}})
        assert found(tree) == first


def test_no_rule_reads_across_the_mark_between_two_texts() -> None:
    engine = scanner()._own[0]
    key = "7f3c9a1e5b8d4f2a6c0e9b7d1f3a5c8e"
    together = f"heroku api key: {key}"
    assert engine.find(together)
    for at in range(1, len(together)):
        apart = f"{together[:at]}\x00{together[at:]}"
        for hit in engine.find(apart):
            assert "\x00" not in apart[hit.start : hit.end]
            alone = [part for part in apart.split("\x00") if engine.find(part)]
            assert alone


def test_a_long_array_and_a_deep_tree_are_looked_at_to_the_end() -> None:
    rows = [{"id": number, "text": f"row {number}"} for number in range(3000)]
    secret = "AKIA" + "Q3EXW7B5ZV4TNM2R"
    rows[-1]["text"] = f"the key is {secret}"
    assert [pointer for pointer, _, _ in found({"rows": rows})] == ["/rows/2999/text"]
    deep: Any = f"the key is {secret}"
    for _ in range(60):
        deep = {"a": [deep]}
    assert len(found(deep)) == 1


def test_the_same_secret_in_several_disguises_of_one_string_is_one_finding() -> None:
    secret = "AKIA" + "Q3EXW7B5ZV4TNM2R"
    (hit,) = found({"a": f"key%3D{secret}"})
    assert hit[0] == "/a"
    assert f"key%3D{secret}"[slice(*hit[1])] == secret


def test_a_secret_in_two_disguises_side_by_side_is_found_in_both() -> None:
    secret = "AKIA" + "Q3EXW7B5ZV4TNM2R"
    written = (base64.b64encode(secret.encode()).decode(), secret.encode().hex(), secret)
    text = f"one {written[0]} two {written[1]} three {written[2]} end"
    assert [text[slice(*span)] for _, span, _ in found({"a": text})] == list(written)


def test_what_stands_out_of_a_surer_match_is_found_too() -> None:
    long, short = _Hit("long", 0.6, 0, 40, "", "x"), _Hit("short", 0.9, 10, 20, "", "y")
    best = _best([long, short])
    assert [(hit.rule, hit.start, hit.end) for hit in best] == [("long", 0, 10), ("short", 10, 20), ("long", 20, 40)]
    close = _best([_Hit("long", 0.6, 8, 21, "", "x"), short])
    assert [(hit.rule, hit.start, hit.end) for hit in close] == [("short", 10, 20)]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30), st.sampled_from([0.5, 0.9])), max_size=12))
def test_of_matches_nothing_that_is_kept_overlaps_and_little_is_lost(spans: list[tuple[int, int, float]]) -> None:
    hits = [_Hit(f"r{number}", sure, at, at + size, "", "") for number, (at, size, sure) in enumerate(spans)]
    best = _best(hits)
    assert all(one.end <= other.start for one, other in pairwise(best))
    covered = {at for hit in best for at in range(hit.start, hit.end)}
    for hit in hits:
        bare = "".join("_" if at in covered else "x" for at in range(hit.start, hit.end))
        assert max(map(len, bare.split("_"))) < LEFT_OVER


@pytest.mark.requirement("no-blind-spot")
def test_a_nul_in_a_string_hides_nothing() -> None:
    secret = "AKIA" + "Q3EXW7B5ZV4TNM2R"
    ((pointer, span, _),) = found({"a": "see " + "\0".join(secret)})
    assert (pointer, span) == ("/a", (4, 4 + 2 * len(secret) - 1))
    assert found({"a": "password:\0 x7Kq9oP2vWnZ8h"})


def test_nothing_is_found_where_there_are_no_rules() -> None:
    assert Scanner([]).tree({"password": "hunter2hunter2"}) == []
    assert Scanner([]).text("password=hunter2hunter2") == []


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in strings(item))]
    return [text for item in value for text in strings(item)] if isinstance(value, list) else []


def members(value: Any) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        out += members(item)
    if isinstance(value, dict):
        out += [(key, item) for key, item in value.items() if isinstance(item, str)]
    return out


CARD = 4111111111111111  # a number for tests, in the range of Visa, with its check digit


def pii() -> Scanner:
    return Scanner(shipped("pii"), numbers=True)


@pytest.mark.parametrize("number", [CARD, -CARD, float(CARD)])
def test_a_whole_number_is_read_as_its_digits(number: float) -> None:
    found = pii().tree({"params": {"arguments": {"size": number, "list": [1, number]}}})
    assert [(each.rule, each.pointer, each.span, each.value) for each in found] == [
        ("payment-card", "/params/arguments/size", (0, 16), str(CARD)),
        ("payment-card", "/params/arguments/list/1", (0, 16), str(CARD)),
    ]


def test_short_numbers_fractions_ids_and_progress_tokens_are_not_read() -> None:
    message = {
        "jsonrpc": "2.0",
        "id": CARD,
        "method": "tools/call",
        "params": {"_meta": {"progressToken": CARD}, "a": 4111111, "b": CARD + 0.5, "c": True, "d": 1e300},
    }
    assert pii().tree(message) == []
    assert pii().tree({"id": CARD, "progressToken": CARD}) != []  # no message, but what one holds


def test_a_number_in_a_json_text_is_found_in_its_place() -> None:
    found = pii().tree({"text": f'{{"rows": [{{"card": {CARD}}}]}}'})
    assert [(each.pointer, each.span) for each in found] == [("/text/~2/rows/0/card", (0, 16))]


def test_a_held_value_of_digits_is_found_as_a_number_and_without_one_no_number_is_read() -> None:
    message = {"params": {"arguments": {"pin": 8273645190}}}
    (found,) = Scanner([], ["8273645190"]).tree(message)
    assert (found.rule, found.pointer, found.span) == (HELD, "/params/arguments/pin", (0, 10))
    assert Scanner([], ["secret-of-letters"]).tree(message) == []


def _steps(scanner: Scanner, text: str) -> int:
    """How many calls looking at a text takes."""
    count = 0

    def called(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(called)
    try:
        scanner.text(text)
    finally:
        sys.setprofile(None)
    return count


LITERALS = sorted({literal for rule in shipped("rules") for literal in rule.literals})
DISGUISED = ["%41", "ZXlK", "6579", "\\u0041", "&#65;", "%2541", "H4sI", "7b22 ", "0x41,", "eyJ.eyJ.", "\u200b"]


@settings(max_examples=150, deadline=None)
@given(
    piece=st.tuples(
        st.sampled_from(LITERALS + DISGUISED), st.sampled_from(["", "=", ":", "='", '":"', " ", "/", "a1", "\n"])
    ).map("".join)
)
def test_the_work_grows_with_a_text_and_no_faster_whatever_it_repeats(piece: str) -> None:
    scanner = Scanner(shipped("rules"), budget=Budget(bytes=1 << 30, views=1 << 20, seconds=1e6))
    small, large = (_steps(scanner, piece * (size // len(piece))) for size in (10_000, 40_000))
    assert large <= 4.5 * small + 2000
