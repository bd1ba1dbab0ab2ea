"""What a server asks in the middle of a request, in both eras."""

import copy
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import methods as oracle

from support import strategies
from tidegate import wire
from tidegate.gateway import asking
from tidegate.gateway.eras import QUESTIONS, RELATED_TASK_KEY
from tidegate.message import Message
from tidegate.methods import MODERN, V2024, V2025_06, V2025_11
from tidegate.testing import error_of, request, result_of
from tidegate.wire import Rejected

ABLE: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FORM = {"message": "Which city?", "requestedSchema": SCHEMA}
URL = {"mode": "url", "message": "Log in.", "url": "https://a.example/in"}
PROMPT = {"messages": [{"role": "user", "content": {"type": "text", "text": "Hi"}}], "maxTokens": 10}

CITY = {"action": "accept", "content": {"city": "Utrecht"}}
SAID = {"role": "assistant", "content": {"type": "text", "text": "Ho"}, "model": "m"}
ROOTS = {"roots": [{"uri": "file:///home"}]}

FORM_ASKED = request("elicitation/create", {**FORM, "task": {"ttl": 1}, "_meta": {RELATED_TASK_KEY: {}}}, id="s-1")
URL_ASKED = request("elicitation/create", {**URL, "elicitationId": "e-1"}, id="s-2")
SAMPLING_ASKED = request("sampling/createMessage", {**PROMPT, "_meta": {"progressToken": 4, "a/b": 1}}, id=3)
ROOTS_ASKED = request("roots/list", id=4)
HELD = asking.keyed([FORM_ASKED, URL_ASKED, SAMPLING_ASKED, ROOTS_ASKED])
GIVEN = dict(zip(HELD, [CITY, {"action": "accept"}, SAID, ROOTS], strict=True))

CALL = request("tools/call", {"name": "add", "arguments": {"a": 1}, "_meta": {"progressToken": 1}}, id=7)
NEEDED = {
    "city": {"method": "elicitation/create", "params": FORM},
    "log in": {"method": "elicitation/create", "params": URL},
    "words": {"method": "sampling/createMessage", "params": PROMPT},
    "folders": {"method": "roots/list"},
}


def retry(given: Any, **more: Any) -> Message:
    return request("tools/call", {"name": "add", "inputResponses": given, "requestState": "s", **more}, id=8)


def needing(needed: Any = None, asked: Message = CALL, **more: Any) -> Message:
    said = {"inputRequests": needed} if needed is not None else {}
    return result_of(asked, {"resultType": "input_required", **said, **more})


def questions(reply: Message, able: Any = None, version: str = V2025_11, **bounds: int) -> dict[str, Message]:
    ids: itertools.count[int] = itertools.count(100)
    able = ABLE if able is None else able
    return asking.questions(reply, lambda: next(ids), capabilities=able, version=version, **bounds)


def test_what_a_legacy_server_asks_becomes_one_result_for_a_modern_client() -> None:
    before = copy.deepcopy([each.tree for each in HELD.values()])
    result = asking.input_required(HELD, "state")
    oracle.validate_server_result("tools/call", MODERN, result)
    assert [each.tree for each in HELD.values()] == before
    assert result["resultType"] == "input_required"
    assert result["requestState"] == "state"
    assert list(result["inputRequests"].values()) == [
        {"method": "elicitation/create", "params": FORM},
        {"method": "elicitation/create", "params": URL},
        {"method": "sampling/createMessage", "params": {**PROMPT, "_meta": {"a/b": 1}}},
        {"method": "roots/list"},
    ]


def test_a_retry_answers_the_held_requests() -> None:
    replies, missing = asking.answered(retry(GIVEN), HELD)
    assert not missing
    assert [(each.id, each.method, each.sender) for each in replies] == [
        ("s-1", "elicitation/create", "client"),
        ("s-2", "elicitation/create", "client"),
        (3, "sampling/createMessage", "client"),
        (4, "roots/list", "client"),
    ]
    for each in replies:
        oracle.validate_client_result(each.method or "", V2025_11, each.tree["result"])


@given(st.sets(st.sampled_from(sorted(HELD))), st.dictionaries(strategies.text, strategies.values, max_size=3))
def test_what_was_not_answered_is_missing_and_what_was_not_asked_is_ignored(
    keys: set[str], more: dict[str, Any]
) -> None:
    given = {**{key: value for key, value in more.items() if key not in HELD}, **{key: GIVEN[key] for key in keys}}
    replies, missing = asking.answered(retry(given), HELD)
    assert set(missing) == HELD.keys() - keys
    assert [each.id for each in replies] == [each.id for key, each in HELD.items() if key in keys]


def test_a_retry_without_answers_answers_nothing() -> None:
    assert asking.answered(request("tools/call", {"name": "add"}), HELD) == ([], HELD)
    assert asking.answered(request("tools/call"), HELD) == ([], HELD)


@pytest.mark.parametrize("given", [7, None, [], "all"])
def test_answers_that_are_no_object_are_refused(given: Any) -> None:
    with pytest.raises(Rejected, match="inputResponses") as caught:
        asking.answered(retry(given), HELD)
    assert (caught.value.code, caught.value.id) == ("invalid", 8)


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        (0, {"action": "maybe"}),
        (0, {"action": ["accept"]}),
        (0, {"action": "accept", "content": "Utrecht"}),
        (0, SAID),
        (2, CITY),
        (2, {**SAID, "content": "Ho"}),
        (2, {"content": [], "role": "assistant"}),
        (3, {"roots": {}}),
        (3, None),
        (3, "roots"),
    ],
)
def test_an_answer_to_something_else_is_refused(at: int, answer: Any) -> None:
    key = list(HELD)[at]
    with pytest.raises(Rejected, match="none to what was asked"):
        asking.answered(retry({key: answer}), HELD)
    asked = needing({"a": {"method": HELD[key].method, "params": {}}})
    with pytest.raises(Rejected, match="none to what the server asked"):
        asking.retried(CALL, asked, {"a": result_of(HELD[key], answer)}, 9)


def test_a_result_type_that_a_client_puts_on_its_answer_stays_in_its_era() -> None:
    (reply,) = asking.answered(retry({"roots-4": {**ROOTS, "resultType": "complete"}}), HELD).replies
    assert reply.tree["result"] == ROOTS


def test_a_person_s_refusal_is_seen() -> None:
    assert asking.declined(retry({"a": CITY, "b": {"action": "decline"}}))
    assert asking.declined(retry({"b": {"action": "cancel"}}))
    assert not asking.declined(retry({"a": CITY, "b": 7}))
    assert not asking.declined(request("tools/call"))


def test_nothing_but_questions_can_be_asked() -> None:
    with pytest.raises(Rejected):
        asking.input_required({"a": request("ping", sender="server")}, "state")


@pytest.mark.parametrize(
    ("asked", "able", "version", "lacking"),
    [
        (FORM_ASKED, ABLE, V2025_11, None),
        (FORM_ASKED, {"elicitation": {}}, V2025_06, None),
        (FORM_ASKED, {"elicitation": {"url": {}}}, MODERN, {"elicitation": {"form": {}}}),
        (FORM_ASKED, {}, MODERN, {"elicitation": {}}),
        (FORM_ASKED, {"elicitation": True}, MODERN, {"elicitation": {}}),
        (FORM_ASKED, ABLE, V2024, {"elicitation": {}}),
        (URL_ASKED, ABLE, MODERN, None),
        (URL_ASKED, ABLE, V2025_06, {"elicitation": {"url": {}}}),
        (URL_ASKED, {"elicitation": {}}, V2025_11, {"elicitation": {"url": {}}}),
        (request("elicitation/create", {"mode": "x"}), ABLE, MODERN, {"elicitation": {"x": {}}}),
        (request("elicitation/create", {"mode": 7}), ABLE, MODERN, {"elicitation": {}}),
        (SAMPLING_ASKED, ABLE, V2024, None),
        (SAMPLING_ASKED, {"roots": {}}, V2024, {"sampling": {}}),
        (request("sampling/createMessage", {"tools": []}), ABLE, MODERN, {"sampling": {"tools": {}}}),
        (request("sampling/createMessage", {"toolChoice": {}}), {"sampling": {"tools": {}}}, MODERN, None),
        (ROOTS_ASKED, ABLE, V2024, None),
        (ROOTS_ASKED, {}, MODERN, {"roots": {}}),
        (request("vendor/ask", sender="server"), ABLE, MODERN, {}),
    ],
)
def test_a_client_is_asked_only_what_it_declared(asked: Message, able: Any, version: str, lacking: Any) -> None:
    assert asking.undeclared(asked, able, version) == lacking


@pytest.mark.parametrize(
    ("lacking", "code"), [({"roots": {}}, -32601), ({"sampling": {"tools": {}}}, -32602), ({}, -32601)]
)
def test_a_server_is_told_that_its_client_can_not_be_asked(lacking: Any, code: int) -> None:
    reply = asking.refusal(ROOTS_ASKED, lacking)
    assert (reply.kind, reply.sender, reply.id, reply.method) == ("error", "client", 4, "roots/list")
    assert wire.parse(reply.encoded, "client").tree["error"]["code"] == code


def test_what_a_modern_server_needs_is_asked_of_a_legacy_client() -> None:
    reply = needing(NEEDED, requestState="s")
    assert asking.is_asking(reply)
    before = copy.deepcopy(reply.tree)
    asked = questions(reply)
    assert reply.tree == before
    assert list(asked) == list(NEEDED)
    assert [(each.id, each.sender, each.kind) for each in asked.values()] == [
        (number, "server", "request") for number in range(100, 104)
    ]
    for each in asked.values():
        oracle.parse_server_request(each.method or "", V2025_11, each.tree.get("params"))
    params = asked["log in"].tree["params"]
    assert params == {**URL, "elicitationId": params["elicitationId"]}
    assert str(asked["log in"].id) not in params["elicitationId"]


def test_the_answers_of_a_legacy_client_are_the_retry_of_its_request() -> None:
    reply = needing(NEEDED, requestState=" é\u0000\\ ")
    before = copy.deepcopy((CALL.tree, reply.tree))
    said = dict(
        zip(NEEDED, [CITY, {"action": "decline"}, {**SAID, "_meta": {RELATED_TASK_KEY: {}}}, ROOTS], strict=True)
    )
    answers = {key: result_of(asked, said[key]) for key, asked in questions(reply).items()}
    again = asking.retried(CALL, reply, answers, 9)
    assert (CALL.tree, reply.tree) == before
    assert (again.id, again.method, again.sender, again.tree["id"]) == (9, "tools/call", "client", 9)
    assert again.tree["params"] == {
        **CALL.tree["params"],
        "inputResponses": {**said, "words": SAID},
        "requestState": " é\u0000\\ ",
    }
    third = asking.retried(again, needing(None, again, requestState="t"), {}, 10)
    assert third.tree["params"] == {**CALL.tree["params"], "requestState": "t"}
    fourth = asking.retried(third, needing({}, third), {}, 11)
    assert fourth.tree["params"] == {**CALL.tree["params"], "inputResponses": {}}


def test_a_client_that_refuses_a_form_cancels_and_one_that_refuses_anything_else_ends_the_request() -> None:
    reply = needing({"a": NEEDED["city"], "b": NEEDED["folders"]})
    asked = questions(reply)
    roots = result_of(asked["b"], ROOTS)
    again = asking.retried(CALL, reply, {"a": error_of(asked["a"]), "b": roots}, 9)
    assert again.tree["params"]["inputResponses"] == {"a": {"action": "cancel"}, "b": ROOTS}
    for answers in ({"a": roots, "b": error_of(asked["b"])}, {"b": roots}, {"a": result_of(asked["a"], CITY)}):
        with pytest.raises(Rejected):
            asking.retried(CALL, reply, answers, 9)


@pytest.mark.parametrize(
    "reply",
    [
        needing(),
        needing({}),
        needing([]),
        needing(NEEDED, requestState=7),
        needing({"a": 7}),
        needing({"a": {"method": "ping"}}),
        needing({"a": {"method": ["roots/list"]}}),
        needing({"a": {"method": "roots/list", "params": 7}}),
        needing({"a": {"method": "tools/call", "params": {"name": "add"}}}),
        needing(NEEDED, request("tools/list", id=7)),
        needing(NEEDED, request("completion/complete", {}, id=7)),
    ],
)
def test_a_result_that_asks_in_another_way_is_refused(reply: Message) -> None:
    with pytest.raises(Rejected) as caught:
        questions(reply)
    assert caught.value.id == 7


@pytest.mark.parametrize("able", [{}, {"elicitation": {}}, {"elicitation": {"form": {}, "url": {}}, "roots": {}}])
def test_a_legacy_client_is_not_asked_what_it_did_not_declare(able: Any) -> None:
    with pytest.raises(Rejected, match="declared") as caught:
        questions(needing(NEEDED), able)
    assert (caught.value.code, caught.value.id) == ("invalid", 7)


def test_rounds_and_questions_are_bounded() -> None:
    assert questions(needing({}, requestState="s"), rounds=3, most=3) == {}
    many = {str(at): NEEDED["folders"] for at in range(QUESTIONS + 1)}
    for reply, rounds in ((needing({}, requestState="s"), 4), (needing(many), 1)):
        with pytest.raises(Rejected) as caught:
            questions(reply, rounds=rounds, most=3)
        assert caught.value.code == "limit"
    with pytest.raises(Rejected):
        asking.input_required(HELD, "s", rounds=asking.ROUNDS + 1)
    with pytest.raises(Rejected):
        asking.input_required(asking.keyed([ROOTS_ASKED] * (QUESTIONS + 1)), "s")


def test_a_result_that_is_complete_asks_nothing() -> None:
    assert not asking.is_asking(result_of(CALL, {"resultType": "complete", "inputRequests": NEEDED}))
    assert not asking.is_asking(result_of(CALL, 7))
    assert not asking.is_asking(error_of(CALL))


@given(st.lists(st.sampled_from([FORM_ASKED, SAMPLING_ASKED, ROOTS_ASKED]), max_size=5))
def test_what_is_asked_across_both_eras_arrives_as_it_was(asked: list[Message]) -> None:
    held = asking.keyed(asked)
    reply = result_of(CALL, asking.input_required(held, "s"))
    for key, each in questions(reply).items():
        assert each.method == held[key].method
        params = dict(held[key].tree.get("params", {}))
        params.pop("task", None)
        meta = {name: value for name, value in params.pop("_meta", {}).items() if name == "a/b"}
        assert each.tree.get("params", {}) == {**params, **({"_meta": meta} if meta else {})}
