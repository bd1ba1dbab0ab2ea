"""The corpus of definitions: large enough, in two halves, and found as well as wanted."""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from plugins.poison.corpus.making import HALVES, Half, ordinary, poisoned
from plugins.poison.corpus.measure import Report, measure
from tidegate_poison.config import CLASSES


@cache
def report() -> Report:
    return measure()


def test_there_are_200_poisoned_and_500_ordinary_definitions_half_of_them_not_looked_at() -> None:
    bad = {json.dumps(case.tool) for half in HALVES for case in poisoned(half)}
    good = {json.dumps(case.tool) for half in HALVES for case in ordinary(half)}
    assert len(bad) >= 200
    assert len(good) >= 500
    sizes = [len(list(poisoned(half))) for half in HALVES]
    assert min(sizes) >= 0.45 * sum(sizes)
    assert not {json.dumps(case.tool) for case in poisoned("seen")} & {
        json.dumps(case.tool) for case in poisoned("unseen")
    }


def test_every_class_is_in_both_halves() -> None:
    for half in HALVES:
        assert {case.rule for case in poisoned(half)} == set(CLASSES)


@pytest.mark.parametrize("half", HALVES)
def test_nine_of_ten_poisoned_definitions_are_found(half: Half) -> None:
    assert report().total(half).rate >= 0.9


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("rule", CLASSES)
def test_nine_of_ten_are_found_in_every_class(half: Half, rule: str) -> None:
    assert report().recall[half, rule].rate >= 0.9


@pytest.mark.parametrize("half", HALVES)
def test_at_most_one_ordinary_definition_of_a_hundred_is_taken_for_one(half: Half) -> None:
    assert report().ordinary[half].rate <= 0.01


def test_the_page_has_the_figures_that_are_measured() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "poison.md").read_text()
    rows = re.findall(r"(?m)^\| `(\w+)` \| (\d+) of (\d+) \| (\d+) of (\d+) \|$", page)
    tallies = {rule: [report().recall[half, rule] for half in HALVES] for rule in CLASSES}
    assert {row[0]: tuple(map(int, row[1:])) for row in rows} == {
        rule: tuple(number for tally in both for number in (tally.found, tally.cases)) for rule, both in tallies.items()
    }
    poisoned_ones, ordinary_ones = (
        sum(one.cases for one in each)
        for each in ([report().total(half) for half in HALVES], [report().ordinary[half] for half in HALVES])
    )
    assert f"{poisoned_ones} poisoned definitions and {ordinary_ones} ordinary" in page
