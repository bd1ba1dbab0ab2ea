"""Redactions: they change payload, add up, and touch nothing else; what can't be done so is a deny."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import strategies
from tidegate import enforce, methods, values, wire
from tidegate.message import Message
from tidegate.testing import request, result_of
from tidegate.verdict import Deny, Redact

ARGUMENTS = {"text": "0123456789", "empty": "", "number": 5, "json": json.dumps({"a": "x", "b": {"c": "y"}, "n": 1.5})}
CALL = request("tools/call", {"name": "add", "arguments": ARGUMENTS})
TEXT = "/params/arguments/text"


def redacted(*redactions: Redact, message: Message = CALL) -> Message:
    made = enforce.redact(message, redactions)
    assert isinstance(made, Message)
    return made


def refused(*redactions: Redact, message: Message = CALL) -> None:
    made = enforce.redact(message, redactions)
    assert isinstance(made, Deny)
    assert made.code == "unredactable"


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([None], "[redacted:x]"),
        ([(0, 10)], "[redacted:x]"),
        ([(2, 4)], "01[redacted:x]456789"),
        ([(2, 4), (6, 7)], "01[redacted:x]45[redacted:x]789"),
        ([(6, 7), (2, 4)], "01[redacted:x]45[redacted:x]789"),
        ([(2, 5), (4, 7)], "01[redacted:x]789"),
        ([(2, 9), (4, 5)], "01[redacted:x]9"),
        ([(2, 4), (4, 6)], "01[redacted:x][redacted:x]6789"),
        ([(2, 4), None], "[redacted:x]"),
    ],
)
def test_spans_are_marked_and_add_up(spans: list[tuple[int, int] | None], expected: str) -> None:
    made = redacted(*(Redact(TEXT, span, "x") for span in spans))
    assert made.get(TEXT) == expected
    assert [edit.pointer for edit in made.edits] == [TEXT]


@pytest.mark.parametrize("span", [(0, 11), (-1, 3), (3, 3), (5, 2), (10, 11), (11, 12), (-5, -2)])
def test_a_span_outside_of_the_string_denies(span: tuple[int, int]) -> None:
    refused(Redact(TEXT, span))


def test_a_number_in_a_json_text_of_a_server_becomes_a_marker_and_elsewhere_denies() -> None:
    text = json.dumps({"a": "x", "n": 5, "f": 1.5, "t": True})
    reply = result_of(CALL, {"content": [{"type": "text", "text": text}], "structuredContent": {"n": 5}})
    inside = "/result/content/0/text/~2"
    made = redacted(Redact(f"{inside}/n", (0, 1), "x"), Redact(f"{inside}/f", label="y"), message=reply)
    assert json.loads(made.get("/result/content/0/text")) == {
        "a": "x",
        "n": "[redacted:x]",
        "f": "[redacted:y]",
        "t": True,
    }
    refused(Redact(f"{inside}/t"), message=reply)
    refused(Redact("/result/structuredContent/n"), message=reply)


def test_an_empty_string_can_be_redacted_whole() -> None:
    assert redacted(Redact("/params/arguments/empty", label="x")).get("/params/arguments/empty") == "[redacted:x]"


@pytest.mark.parametrize(
    "pointer",
    [
        "/params/name",
        "/id",
        "/method",
        "/jsonrpc",
        "/params",
        "/params/arguments",
        "/params/arguments/number",
        "/params/arguments/json/~2",
        "/params/arguments/json/~2/n",
        "/params/arguments/json/~2/nothing",
        "/params/arguments/text/~2/a",
        "/params/arguments/nothing",
        "/nothing/at/all",
        "params",
        "",
    ],
)
def test_what_is_no_string_of_the_payload_is_not_redacted_but_denied(pointer: str) -> None:
    refused(Redact(pointer))


def test_json_inside_a_string_stays_json() -> None:
    made = redacted(
        Redact("/params/arguments/json/~2/b/c", label="x"), Redact("/params/arguments/json/~2/a", label="y")
    )
    assert json.loads(made.get("/params/arguments/json")) == {"a": "[redacted:y]", "b": {"c": "[redacted:x]"}, "n": 1.5}


def test_a_string_and_a_part_of_its_json_text_are_not_redacted_together() -> None:
    refused(Redact("/params/arguments/json", (0, 1)), Redact("/params/arguments/json/~2/a"))


@pytest.mark.parametrize("text", ['{"a":"x","a":"y"}', '{"a":"x","n":1e999}', '{"a":"x","n":NaN}', '{"a":"x"'])
def test_json_text_that_could_not_be_written_again_is_not_redacted_inside(text: str) -> None:
    refused(
        Redact("/params/arguments/a/~2/a"), message=request("tools/call", {"name": "add", "arguments": {"a": text}})
    )


def test_two_ways_to_name_one_string_are_not_two_strings() -> None:
    message = request("tools/call", {"name": "add", "arguments": {"~2": "0123456789"}})
    refused(Redact("/params/arguments/~02", (0, 5)), Redact("/params/arguments/~2", (6, 9)), message=message)


def test_labels_of_one_string_stand_in_its_edit_in_order() -> None:
    made = redacted(Redact(TEXT, (0, 1), "b"), Redact(TEXT, (2, 3), "a"))
    assert made.edits[0].label == "a,b"


# -- for any message, any redactions ---------------------------------------------------------------------------


def shape(value: Any) -> Any:
    """Return a value with its strings blanked: what a redaction must keep."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else "s" if isinstance(value, str) else value


@st.composite
def messages_with_redactions(draw: st.DrawFn) -> tuple[Message, list[Redact]]:
    inner = draw(strategies.values)
    text = json.dumps(inner)
    tree = draw(strategies.objects)
    if draw(st.booleans()):
        name = draw(st.sampled_from(["tools/call", "prompts/get", "resources/read", "x/y"]))
        message = request(name, {"name": "n", "uri": "u", "arguments": {"j": text, "t": tree}, **tree}, vendor=tree)
    else:
        listing = {"tools": [{"name": "n", "description": text, **tree}], "nextCursor": text, "content": [tree]}
        message = result_of(request(draw(st.sampled_from(["tools/list", "tools/call"])), {}), listing, vendor=tree)
    pointers = [leaf.pointer for leaf in message.strings()]
    spans = st.one_of(st.none(), st.tuples(st.integers(-1, 12), st.integers(-1, 12)))
    labels = st.sampled_from(["secret", "pii", 'odd" \\ label'])
    made = st.builds(Redact, st.sampled_from(pointers), spans, labels)
    return message, draw(st.lists(made, min_size=1, max_size=4))


@given(messages_with_redactions())
def test_a_redaction_changes_strings_of_the_payload_and_nothing_else(case: tuple[Message, list[Redact]]) -> None:
    message, wanted = case
    made = enforce.redact(message, wanted)
    if isinstance(made, Deny):
        return
    assert all(methods.is_payload(message, redaction.pointer) for redaction in wanted)
    assert json.loads(made.encoded) == made.tree
    again = wire.parse(made.encoded, made.sender)
    assert (again.kind, again.id) == (message.kind, message.id)
    assert shape(made.tree) == shape(message.tree)
    touched = {redaction.pointer.split("/~2")[0] for redaction in wanted}
    for leaf in values.strings(message.tree):
        if not leaf.is_key and "/~2" not in leaf.pointer and leaf.pointer not in touched:
            assert made.get(leaf.pointer) == leaf.value


@given(messages_with_redactions(), st.randoms(use_true_random=False))
@pytest.mark.requirement("order-free")
def test_the_order_of_redactions_does_not_matter(case: tuple[Message, list[Redact]], random: Any) -> None:
    message, wanted = case
    one = enforce.redact(message, wanted)
    shuffled = list(wanted)
    random.shuffle(shuffled)
    other = enforce.redact(message, shuffled)
    assert type(one) is type(other)
    if isinstance(one, Message) and isinstance(other, Message):
        assert one.encoded == other.encoded
        assert sorted(one.edits) == sorted(other.edits)


@pytest.mark.requirement("judged-is-sent")
def test_a_message_that_was_changed_in_place_is_not_redacted_but_denied() -> None:
    message = result_of(request("tools/call", {"name": "t"}), {"content": [{"type": "text", "text": "one"}], "a": 1})
    assert message.encoded
    message.tree["result"]["a"] = 2
    assert isinstance(enforce.redact(message, [Redact("/result/content/0/text", None, "x")]), Deny)


def test_an_empty_string_that_is_redacted_twice_gets_one_marker() -> None:
    message = result_of(request("tools/call", {"name": "t"}), {"content": [{"type": "text", "text": ""}]})
    made = enforce.redact(message, [Redact("/result/content/0/text", None, "x")] * 2)
    assert isinstance(made, Message)
    assert made.get("/result/content/0/text") == "[redacted:x]"


@given(messages_with_redactions())
def test_what_is_redacted_whole_is_gone(case: tuple[Message, list[Redact]]) -> None:
    message, wanted = case
    whole = [Redact(redaction.pointer, None, "x") for redaction in wanted]
    made = enforce.redact(message, whole)
    if isinstance(made, Message):
        for redaction in whole:
            assert made.get(redaction.pointer) == "[redacted:x]"
