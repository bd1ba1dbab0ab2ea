"""What is in a record: its members, their order and their bounds."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from plugins.audit.building import call, decided, recorded
from tidegate import Client, Decision, Deny, Edit, Finding, Flow, Hold, Note, Redact, Server, Step, Target
from tidegate.testing import error_of, flow, notification, request, result_of
from tidegate_audit import chain
from tidegate_audit.record import FIELDS, MOST_ITEMS, Recorder, event
from tidegate_audit.words import CUT, LONGEST

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs" / "reference" / "audit-record.schema.json").read_text(encoding="utf-8")
)
ASKED = request("tools/call", {"name": "now", "arguments": {}})
FOUND = Finding("secret", "aws-key", "/params/arguments/text", (3, 23), 0.9, "abcd", view="url+base64")


def as_written(record: dict[str, Any]) -> dict[str, Any]:
    """A record as the writer completes it and JSON reads it."""
    record |= {"seq": 1, "time": "2026-07-28T12:00:00.000001Z", "prev": chain.GENESIS}
    line, _ = chain.seal(record)
    read: dict[str, Any] = json.loads(line)
    return read


EVERY_SORT = {
    "an allowed request": decided(),
    "a notification": decided(notification("notifications/progress", {"progressToken": 1, "progress": 0.5})),
    "a result": decided(result_of(ASKED, {"content": []})),
    "an error": decided(error_of(ASKED)),
    "a denied request": decided(effects=(("lists", Deny("Not allowed.", rule="x")),), verdict="deny"),
    "a held request": decided(effects=(("people", Hold("Ask first.")),), verdict="hold"),
    "a redacted request": decided(
        call(text="it is x").replace("/params/arguments/text", "it is [redacted:k]", label="k"),
        effects=(("secrets", Redact("/params/arguments/text", (6, 7), "k")),),
        verdict="redact",
        findings=(("secrets", FOUND),),
    ),
    "one that reports only": decided(
        steps=(Step("new", "decide", "deny", 900, report_only=True),), reported=(("new", Deny("No.", rule="r9")),)
    ),
    "one with notes": decided(notes=(("policy", Note("policy revision 1f", ("private",))), ("policy", Note()))),
    "rejected bytes": Decision(
        "d", None, (("tidegate", Deny("Bad.", code="parse")),), verdict="deny", event="rejected", size=12
    ),
    "an instance that starts": Decision("d", None, event="instance", note="It started."),
    "a message beyond the bounds": decided(
        call().replace("/params/arguments", {"k" * 999: "v"}, label="l" * 999),
        findings=tuple(("i", Finding("k" * 999, "r", "/" + "p" * 999, None, 1)) for _ in range(MOST_ITEMS + 5)),
    ),
}


@pytest.mark.parametrize("decision", EVERY_SORT.values(), ids=EVERY_SORT.keys())
def test_every_sort_of_decision_makes_a_record_that_fits_the_schema(decision: Decision) -> None:
    record = as_written(Recorder().record(decision, flow(decision.message)))
    jsonschema.validate(record, SCHEMA)
    assert tuple(record) == FIELDS


def test_an_event_without_a_server_and_the_logs_own_events_fit_the_schema() -> None:
    lone = Decision("d", None, (("tidegate", Deny("No token.", code="unauthorized")),), verdict="deny", event="login")
    record = as_written(Recorder().record(lone, Flow("f", Server(""))))
    jsonschema.validate(record, SCHEMA)
    assert record["server"] is None
    assert record["profile"] is None
    assert record["server_kind"] is None
    own = as_written(event("The log was repaired."))
    jsonschema.validate(own, SCHEMA)
    assert tuple(own) == FIELDS


def test_an_allowed_message_is_recorded_with_who_talked_to_whom_about_what() -> None:
    message = call("now", zone="UTC")
    about = Flow(
        "f-1",
        Server("time", "container"),
        client=Client("editor", "2.1"),
        version="2025-11-25",
        targets=(Target("tool", "now"),),
        profile="work",
    )
    record = recorded(decided(message, steps=(Step("a", "decide", "pass", 1290),)), about)
    expected = {
        "decision": "test-1",
        "flow": "f-1",
        "direction": "client_to_server",
        "kind": "request",
        "server": "time",
        "server_kind": "container",
        "method": "tools/call",
        "target": "now",
        "principal": "anonymous",
        "profile": "work",
        "client": {"name": "editor", "version": "2.1"},
        "protocol": "2025-11-25",
        "verdict": "allow",
        "by": None,
        "rule": None,
        "reason": None,
        "findings": [],
        "edits": [],
        "steps": [["a", "decide", "pass", 1.2]],
        "notes": [],
        "bytes": len(message.encoded),
        "digest": message.digest,
    }
    assert {name: record[name] for name in expected} == expected


def test_a_reply_has_the_other_direction_and_the_method_and_target_of_its_request() -> None:
    record = recorded(decided(result_of(ASKED, {})), flow(request=ASKED))
    assert [record[name] for name in ("direction", "kind", "method", "target")] == [
        "server_to_client",
        "result",
        "tools/call",
        "now",
    ]


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ((("a", Deny("No.", rule="r1")), ("b", Deny("Nor this."))), ["a", "r1", "No."]),
        ((("a", Deny("It failed.", code="broken")),), ["a", "broken", "It failed."]),
        ((("a", Hold("Ask.", rule="r2")), ("b", Deny("No.", rule="r3"))), ["b", "r3", "No."]),
        ((("a", Hold("Ask.")),), ["a", "held", "Ask."]),
    ],
)
def test_a_stopped_message_is_recorded_with_who_stopped_it_by_which_rule_and_why(
    effects: tuple[Any, ...], expected: list[str]
) -> None:
    record = recorded(decided(effects=effects, verdict="deny"))
    assert [record["by"], record["rule"], record["reason"]] == expected


def test_a_redacted_message_has_its_edits_but_nobody_who_stopped_it() -> None:
    record = recorded(EVERY_SORT["a redacted request"])
    assert record["verdict"] == "redact"
    assert record["by"] is None
    assert record["edits"] == [{"pointer": "/params/arguments/text", "label": "k"}]


def test_findings_keep_their_place_their_fingerprint_and_who_found_them() -> None:
    assert recorded(decided(findings=(("secrets", FOUND),)))["findings"] == [
        {
            "kind": "secret",
            "rule": "aws-key",
            "pointer": "/params/arguments/text",
            "span": [3, 23],
            "confidence": 0.9,
            "fingerprint": "abcd",
            "view": "url+base64",
            "in_key": False,
            "by": "secrets",
        }
    ]


@pytest.mark.parametrize(
    ("outcome", "effect", "rule"),
    [
        ("deny", Deny("No.", rule="r9"), "r9"),
        ("timeout", Deny("Late.", code="late"), "late"),
        ("redact", Redact("/params/arguments", label="key"), "key"),
        ("hold", Hold("Ask."), "held"),
    ],
)
def test_a_step_that_only_reports_says_what_it_would_have_done(outcome: Any, effect: Any, rule: str) -> None:
    steps = (
        Step("new", "inspect", "pass", 100, report_only=True),
        Step("new", "decide", outcome, 900, report_only=True),
    )
    record = recorded(decided(steps=steps, reported=(("new", effect),)))
    assert record["verdict"] == "allow"
    assert record["steps"] == [
        ["new", "inspect", "pass", 0.1, "report_only", ""],
        ["new", "decide", outcome, 0.9, "report_only", rule],
    ]


def test_an_event_has_its_note_and_its_size_and_no_message() -> None:
    record = recorded(EVERY_SORT["rejected bytes"])
    assert [record[name] for name in ("kind", "bytes", "digest", "method", "direction")] == [
        "rejected",
        12,
        None,
        None,
        None,
    ]
    assert [record["by"], record["rule"], record["reason"]] == ["tidegate", "parse", "Bad."]
    assert recorded(EVERY_SORT["an instance that starts"])["reason"] == "It started."


def test_what_peers_say_is_bounded_and_printable() -> None:
    message = request("evil\x1b[2J\u202emethod", {"x": 1})
    about = flow(message, client=Client("n" * 300, "1\n2"))
    record = recorded(decided(message), about)
    assert record["method"] == "evil\ufffd[2J\ufffdmethod"
    assert record["client"] == {"name": "n" * (LONGEST - 1) + CUT, "version": "1\ufffd2"}


def test_more_findings_and_edits_than_a_record_holds_are_counted_in_it() -> None:
    edits = tuple(Edit("/params/arguments", f"e{n}") for n in range(MOST_ITEMS + 7))
    plain = call()
    message = type(plain)(plain.kind, plain.sender, plain.id, plain.method, plain.tree, edits)
    found = tuple(("i", Finding("k", f"r{n}")) for n in range(MOST_ITEMS + 5))
    record = recorded(decided(message, findings=found))
    assert len(record["findings"]) == len(record["edits"]) == MOST_ITEMS + 1
    assert record["findings"][-1]["kind"] == "omitted"
    assert record["findings"][-1]["rule"] == "5 more"
    assert record["edits"][-1] == {"pointer": "", "label": "omitted: 7 more"}


def test_neither_body_nor_id_of_a_message_is_in_its_record() -> None:
    message = request("tools/call", {"name": "now", "arguments": {"text": "body-text"}}, id="the-id-9")
    text = json.dumps(recorded(decided(message)))
    assert "body-text" not in text
    assert "the-id-9" not in text
