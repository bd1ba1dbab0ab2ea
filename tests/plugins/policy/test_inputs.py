"""The published schemas: whatever Tidegate shows a policy fits the one, and the other is what a decision may be."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docs.pages import ROOT
from plugins.policy.commands import call
from support.strategies import messages
from tidegate import Deny, Finding, Server, Session
from tidegate.testing import Clock, Rejected, Sample, flow, parse, result_of, samples, session
from tidegate_policy import decision, inputs
from tidegate_policy.sources import MEMBERS, Unit
from tidegate_policy.view import EVERYTHING, Bounds, View

REFERENCE = ROOT / "docs" / "reference"
DECISION = json.loads((REFERENCE / "policy-decision.schema.json").read_text())
UNIT = Unit("bundle", "data.tidegate.decision")


def fitting(made: dict[str, Any]) -> None:
    """Also as JSON, which is how OPA gets it."""
    assert not inputs.problems(made)
    assert not inputs.problems(json.loads(json.dumps(made)))


def test_both_schemas_are_json_schemas_themselves() -> None:
    for schema in (inputs.schema(), DECISION):
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_schema_is_that_of_the_reference() -> None:
    assert inputs.schema() == json.loads((REFERENCE / "policy-input.schema.json").read_text())


@pytest.mark.parametrize("sample", list(samples()), ids=str)
def test_the_input_of_every_method_fits_the_schema(sample: Sample) -> None:
    fitting(View().of(sample.message, sample.flow, [Finding("pii", "iban", "/params/a", None, 0.5)]))


def test_the_schema_names_all_members_and_no_other() -> None:
    sample = next(iter(samples()))
    made = View().of(sample.message, sample.flow)
    assert set(made) == set(inputs.schema()["properties"])
    optional = {name for name in EVERYTHING if "." not in name}
    assert set(inputs.schema()["required"]) == set(made) - optional
    assert set(inputs.schema()["properties"]["session"]["required"]) == {"id", "age_s", "labels"}


def conversation() -> Session:
    clock = Clock(1000.0)
    known = session(clock)
    known.label(["private"])
    for number in range(3):
        known.called("files", "tools/call", f"tool_{number}", ("private",))
        clock.advance(70)
    return known


@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    tree=messages,
    sender=st.sampled_from(["client", "server"]),
    bounds=st.sampled_from([Bounds(), Bounds(64, 8, 1024, 1)]),
)
def test_the_input_of_any_message_fits_the_schema(tree: dict[str, Any], sender: Any, bounds: Bounds) -> None:
    try:
        message = parse(json.dumps(tree), sender)
    except Rejected:
        return
    view = View(bounds=bounds)
    about = flow(message, server=Server("files", labels=("x",)), session=conversation())
    fitting(view.of(message, about))


@pytest.mark.parametrize("sample", [each for each in samples() if each.message.kind == "request"], ids=str)
def test_the_input_about_an_item_of_a_list_fits_the_schema(sample: Sample) -> None:
    reply = result_of(sample.message, {"tools": []})
    about = flow(reply, request=sample.message)
    for kind, item in (
        ("tool", {"name": "a", "annotations": []}),
        ("prompt", {"name": "a"}),
        ("resource", {"uri": "a:"}),
    ):
        fitting(View().of_item(reply, about, kind, item, "a"))


@pytest.mark.parametrize(
    "changed",
    [
        {"v": 2},
        {"phase": "answer"},
        {"direction": "up"},
        {"cut": "all"},
        {"target": {"kind": "tool"}},
        {"server": {"name": 1, "kind": "process", "trust": "low", "labels": []}},
        {"session": {"id": "a", "age_s": -1, "labels": []}},
        {"findings": [{"kind": "secret", "rule": "a", "pointer": "", "confidence": 2}]},
        {"more": 1},
    ],
    ids=str,
)
def test_what_is_no_input_does_not_fit(changed: dict[str, Any]) -> None:
    assert not inputs.problems(call())
    assert inputs.problems(call() | changed)


said = st.fixed_dictionaries({"rule": st.sampled_from(["a", "b/c"]), "reason": st.just("No.")})
redactions = st.fixed_dictionaries({"pointer": st.sampled_from(["", "/a"]), "label": st.sampled_from(["x", "y"])})
lists = {
    "deny": st.lists(said),
    "redact": st.lists(redactions),
    "hold": st.lists(said),
    "labels": st.lists(st.just("l")),
}
junk = st.one_of(st.none(), st.integers(), st.text(max_size=3), st.lists(st.one_of(st.integers(), said)), said)
decisions = st.one_of(
    st.fixed_dictionaries({}, optional=lists),
    st.dictionaries(st.sampled_from([*MEMBERS, "other"]), st.one_of(*lists.values(), junk)),
    junk,
)


@given(decisions)
def test_the_schema_of_decisions_says_what_tidegate_takes(answer: Any) -> None:
    fits = jsonschema.Draft202012Validator(DECISION).is_valid(answer)
    found = decision.said((UNIT,), (answer,))
    assert fits == (not found.failures)
    if not fits:
        assert any(isinstance(effect, Deny) for effect in found.effects)
