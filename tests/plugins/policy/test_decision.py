"""From answers to effects: what a decision says is done, and whatever isn't a decision denies."""

from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate import Deny, Hold, Redact
from tidegate.verdict import CODES
from tidegate_policy.decision import said
from tidegate_policy.sources import Failure, Unit

BUNDLE, PACK = Unit("bundle", "data.tidegate.decision"), Unit("paths", "data.tidegate.packs.paths.decision")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def test_what_a_decision_says_is_done() -> None:
    answer = {
        "deny": [{"rule": "r1", "reason": "No."}],
        "redact": [{"pointer": "/result/content/0/text", "label": "name"}],
        "hold": [{"rule": "r2", "reason": "Ask."}],
        "labels": ["private"],
    }
    told = said([BUNDLE], [answer])
    assert told.effects == [
        Deny("No.", "denied", "r1"),
        Hold("Ask.", rule="r2"),
        Redact("/result/content/0/text", None, "name"),
    ]
    assert told.labels == ("private",)
    assert told.failures == []


def test_silence_passes_and_members_may_be_left_out() -> None:
    answers: list[Any] = [{}, {"deny": []}, {"deny": [], "redact": [], "hold": [], "labels": []}]
    for answer in answers:
        assert said([BUNDLE], [answer]) == ([], (), [])


def test_the_effects_of_several_units_add_up() -> None:
    answers = [{"deny": [{"rule": "a", "reason": "A."}]}, {"deny": [{"rule": "b", "reason": "B."}], "labels": ["x"]}]
    told = said([BUNDLE, PACK], answers)
    assert [effect.rule for effect in told.effects if isinstance(effect, Deny)] == ["a", "b"]
    assert told.labels == ("x",)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        True,
        [],
        "deny",
        {"deny": {}},
        {"deny": None},
        {"deny": False},
        {"deny": ["no"]},
        {"deny": [{"rule": "r"}]},
        {"deny": [{"rule": "r", "reason": "No.", "more": 1}]},
        {"deny": [{"rule": 1, "reason": "No."}]},
        {"deny": [{"rule": "r", "reason": None}]},
        {"deny": [{"rule": "r", "reason": "\ud800"}]},
        {"allow": True},
        {"deny": [], "allow": []},
        {"redact": [{"pointer": 1, "label": "x"}]},
        {"labels": "private"},
        {"labels": [1]},
        {"labels": [""]},
        {"hold": "yes"},
    ],
    ids=repr,
)
def test_what_has_another_shape_denies(answer: Any) -> None:
    told = said([PACK], [answer])
    assert told.effects == [Deny("The policy's decision has the wrong shape.", "broken", "paths/shape")]
    assert told.failures == [("paths", Failure("shape"))]


@given(JSON)
def test_no_answer_raises_and_none_but_a_decision_passes(answer: Any) -> None:
    told = said([BUNDLE], [answer])
    decision = isinstance(answer, dict) and answer.keys() <= {"deny", "redact", "hold", "labels"}
    assert told.failures or decision
    assert all(isinstance(effect, Deny) for effect in told.effects) or decision


@pytest.mark.parametrize("kind", get_args(get_type_hints(Failure)["kind"]))
def test_every_failure_denies_with_a_reason_that_says_which(kind: Any) -> None:
    told = said([BUNDLE, PACK], [{}, Failure(kind, "paths.rego:12")])
    (deny,) = told.effects
    assert isinstance(deny, Deny)
    assert deny.rule == f"paths/{kind}"
    assert deny.code in CODES
    assert told.failures == [("paths", Failure(kind, "paths.rego:12"))]


def test_a_failure_beside_decisions_takes_nothing_from_them() -> None:
    told = said([BUNDLE, PACK], [Failure("error"), {"deny": [{"rule": "b", "reason": "B."}]}])
    assert [effect.rule for effect in told.effects if isinstance(effect, Deny)] == ["bundle/error", "b"]
