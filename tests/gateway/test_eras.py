"""Single messages from one era to the other: what is kept, what is taken out, and that nothing else changes."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import methods as oracle

from support import strategies
from tidegate import methods, wire
from tidegate.gateway import eras
from tidegate.message import Message
from tidegate.methods import MODERN, V2025_11
from tidegate.testing import error_of, notification, request, result_of, samples

CLIENT = {"name": "editor", "version": "3"}
ABLE: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}}

MODERN_ONLY = {
    methods.VERSION_KEY,
    methods.CLIENT_KEY,
    methods.SUBSCRIPTION_KEY,
    eras.CAPABILITIES_KEY,
    eras.LEVEL_KEY,
    eras.SERVER_KEY,
}
META_KEYS = sorted({*MODERN_ONLY, eras.RELATED_TASK_KEY, "progressToken", "traceparent", "com.example/mine", "name"})

metas = st.one_of(st.dictionaries(st.sampled_from(META_KEYS), strategies.values, max_size=5), strategies.values)
bodies = st.builds(
    lambda known, more: {**more, **known},
    st.fixed_dictionaries(
        {},
        optional={
            "_meta": metas,
            "inputResponses": strategies.values,
            "requestState": strategies.values,
            "task": strategies.values,
            "resultType": st.one_of(st.sampled_from(["complete", "input_required", "task"]), strategies.values),
            "ttlMs": strategies.values,
            "cacheScope": strategies.values,
            "structuredContent": strategies.values,
            "content": strategies.values,
            "tools": st.lists(st.fixed_dictionaries({}, optional={"outputSchema": strategies.values}), max_size=3),
        },
    ),
    strategies.params,
)
client_methods = st.sampled_from(sorted(name for name, method in methods.METHODS.items() if method.client))
codes = st.one_of(st.sampled_from([-32002, -32042, -32020, -32021, -32022, -32602, -32601]), st.integers())


@st.composite
def replies(draw: st.DrawFn) -> Message:
    asked = Message("request", "client", draw(strategies.ids), draw(client_methods), {})
    if draw(st.booleans()):
        tree: dict[str, Any] = {"result": draw(st.one_of(bodies, strategies.values))}
    else:
        tree = {"error": {"code": draw(codes), "message": draw(strategies.text), "data": draw(strategies.values)}}
    return wire.classify({"jsonrpc": "2.0", "id": asked.id, **tree}, "server").answering(asked.method)


@st.composite
def requests(draw: st.DrawFn) -> Message:
    tree = {"jsonrpc": "2.0", "id": draw(strategies.ids), "method": draw(client_methods)}
    return wire.classify({**tree, **draw(st.one_of(st.just({}), st.builds(dict, params=bodies)))}, "client")


@st.composite
def notices(draw: st.DrawFn) -> Message:
    known = sorted(name for name, method in methods.METHODS.items() if not method.request)
    tree = {"jsonrpc": "2.0", "method": draw(st.sampled_from(known))}
    return wire.classify({**tree, **draw(st.one_of(st.just({}), st.builds(dict, params=bodies)))}, "server")


def modern(message: Message, level: str | None = None) -> Message:
    return eras.modern_request(message, client=CLIENT, capabilities=ABLE, level=level)


def plain(message: Message) -> dict[str, Any]:
    """A request's tree, without params that say nothing."""
    tree = dict(message.tree)
    params = dict(tree.pop("params", {}))
    if params.get("_meta") == {}:
        del params["_meta"]
    return {**tree, **({"params": params} if params else {})}


def test_a_request_of_a_legacy_client_says_all_that_a_modern_server_needs() -> None:
    said = {"progressToken": 7, "traceparent": "00-1", "com.example/mine": None}
    asked = request("tools/call", {"name": "add", "arguments": {"a": 1}, "_meta": said})
    sent = modern(asked, "info")
    assert sent.tree["params"]["_meta"] == {
        **said,
        methods.VERSION_KEY: MODERN,
        methods.CLIENT_KEY: CLIENT,
        eras.CAPABILITIES_KEY: ABLE,
        eras.LEVEL_KEY: "info",
    }
    assert sent.tree["params"]["arguments"] == {"a": 1}
    assert (sent.id, sent.method, sent.kind, sent.sender) == (asked.id, asked.method, asked.kind, asked.sender)


def test_what_a_legacy_client_says_under_modern_names_means_nothing() -> None:
    forged = {eras.LEVEL_KEY: "debug", eras.CAPABILITIES_KEY: {"sampling": {}}, eras.RELATED_TASK_KEY: {"taskId": "t"}}
    params = {"name": "add", "requestState": "s", "inputResponses": {"a": {}}, "task": {"ttl": 1}, "_meta": forged}
    sent = modern(request("tools/call", params)).tree["params"]
    assert sent.keys() == {"name", "_meta"}
    assert sent["_meta"].keys() == {methods.VERSION_KEY, methods.CLIENT_KEY, eras.CAPABILITIES_KEY}
    assert sent["_meta"][eras.CAPABILITIES_KEY] == ABLE


@pytest.mark.parametrize("sample", [one for one in samples(MODERN) if one.message.kind == "request"], ids=str)
def test_a_modern_request_is_one_for_a_legacy_server(sample: Any) -> None:
    sent = eras.legacy_request(sample.message)
    assert "_meta" not in sent.tree.get("params", {})
    if (sent.method, V2025_11) in oracle.CLIENT_REQUESTS:
        oracle.validate_client_request(sent.method or "", V2025_11, sent.tree.get("params"))


@pytest.mark.parametrize("sample", [one for one in samples(V2025_11) if one.message.kind == "request"], ids=str)
def test_a_legacy_request_is_one_for_a_modern_server(sample: Any) -> None:
    sent = modern(sample.message, "error")
    if sent.sender == "client" and (sent.method, MODERN) in oracle.CLIENT_REQUESTS:
        oracle.validate_client_request(sent.method or "", MODERN, sent.tree["params"])


@given(requests())
def test_nothing_of_a_modern_request_gets_to_a_legacy_server(asked: Message) -> None:
    before = copy.deepcopy(asked.tree)
    sent = eras.legacy_request(asked)
    assert asked.tree == before
    params = sent.tree.get("params", {})
    assert not MODERN_ONLY & sent.meta.keys() - {eras.SERVER_KEY}
    assert asked.method not in eras.ASKING or not {"inputResponses", "requestState"} & params.keys()
    assert eras.legacy_request(sent) is sent


@given(requests(), st.sampled_from([None, "info"]))
def test_a_legacy_request_comes_back_as_it_was(asked: Message, level: str | None) -> None:
    asked = eras.legacy_request(asked)
    if type(asked.tree.get("params", {}).get("_meta", {})) is not dict or eras.RELATED_TASK_KEY in asked.meta:
        return
    before = copy.deepcopy(asked.tree)
    there = modern(asked, level)
    assert asked.tree == before
    assert plain(eras.legacy_request(there)) == plain(asked)


@pytest.mark.parametrize("sample", [one for one in samples(V2025_11) if one.message.kind == "result"], ids=str)
def test_a_legacy_result_is_one_for_a_modern_client(sample: Any) -> None:
    method = sample.message.method
    if sample.message.sender == "server" and (method, MODERN) in oracle.SERVER_RESULTS:
        got = eras.modern_reply(sample.message, method=method, server=CLIENT)
        oracle.validate_server_result(method, MODERN, got.tree["result"])
        assert got.meta == {eras.SERVER_KEY: CLIENT}
        assert ("ttlMs" in got.tree["result"]) is (method in oracle.CACHEABLE_METHODS)


def test_the_cached_and_the_asking_methods_are_those_of_the_schema() -> None:
    assert eras.CACHED == oracle.CACHEABLE_METHODS
    assert eras.ASKING == oracle.INPUT_REQUIRED_METHODS


@pytest.mark.parametrize("sample", [one for one in samples(MODERN) if one.message.kind == "result"], ids=str)
def test_a_modern_result_is_one_for_a_legacy_client(sample: Any) -> None:
    method = sample.message.method
    got = eras.legacy_reply(sample.message, method=method, version=V2025_11)
    assert not {"resultType", "cacheScope", "ttlMs"} & got.tree["result"].keys()
    if (method, V2025_11) in oracle.SERVER_RESULTS:
        oracle.validate_server_result(method, V2025_11, got.tree["result"])


@given(replies(), st.sampled_from([None, ABLE]))
def test_nothing_of_a_legacy_reply_is_mistaken_by_a_modern_client(reply: Message, able: Any) -> None:
    before = copy.deepcopy(reply.tree)
    got = eras.modern_reply(reply, method=reply.method or "", capabilities=able)
    assert reply.tree == before
    assert (got.id, got.method, got.sender) == (reply.id, reply.method, "server")
    if got.kind == "error":
        code = got.tree["error"]["code"]
        assert not -32099 <= code <= -32020 or (code == -32021 and able is None)
        assert code != -32002
    elif type(reply.tree.get("result")) is dict:
        assert got.tree["result"]["resultType"] == "complete"
        assert eras.RELATED_TASK_KEY not in got.meta


@given(replies(), st.sampled_from(methods.VERSIONS[:4]))
def test_nothing_of_a_modern_reply_gets_to_a_legacy_client(reply: Message, version: str) -> None:
    before = copy.deepcopy(reply.tree)
    got = eras.legacy_reply(reply, method=reply.method or "", version=version)
    assert reply.tree == before
    assert (got.id, got.method, got.sender) == (reply.id, reply.method, "server")
    if got.kind == "error":
        assert got.tree["error"]["code"] not in (-32020, -32021, -32022)
    elif type(got.tree["result"]) is dict:
        assert "resultType" not in got.tree["result"]
        assert not {eras.SERVER_KEY, methods.SUBSCRIPTION_KEY} & got.meta.keys()
        assert reply.tree["result"].get("resultType", "complete") == "complete"
    again = eras.legacy_reply(got, method=reply.method or "", version=version)
    assert again is got or got.kind == "error"


@given(replies(), st.sampled_from(methods.VERSIONS[:4]))
def test_a_legacy_result_comes_back_as_it_was(reply: Message, version: str) -> None:
    method = reply.method or ""
    legacy = eras.legacy_reply(reply, method=method, version=version)
    if legacy.kind == "error" or eras.RELATED_TASK_KEY in legacy.meta or legacy.tree["result"] == {}:
        return
    there = eras.modern_reply(legacy, method=method)
    assert eras.legacy_reply(there, method=method, version=version).tree == legacy.tree


@pytest.mark.parametrize("kind", ["input_required", "task", "vendor", 7, None])
def test_a_result_of_a_type_without_counterpart_is_an_error_to_a_legacy_client(kind: Any) -> None:
    reply = result_of(request("tools/call", {"name": "add"}), {"resultType": kind, "inputRequests": {}})
    got = eras.legacy_reply(reply, method="tools/call", version=V2025_11)
    assert (got.kind, got.tree["error"]["code"]) == ("error", -32603)


def test_structured_content_that_is_no_object_becomes_text_where_there_is_no_other() -> None:
    asked = request("tools/call", {"name": "add"})
    for content, expected in (([], [{"type": "text", "text": "[1,2]"}]), ([{"type": "text", "text": "1 2"}], None)):
        reply = result_of(asked, {"resultType": "complete", "content": content, "structuredContent": [1, 2]})
        got = eras.legacy_reply(reply, method="tools/call", version=V2025_11).tree["result"]
        assert got == {"content": expected or content}
        oracle.validate_server_result("tools/call", V2025_11, got)


def test_output_schemas_that_are_not_of_objects_stay_with_modern_clients() -> None:
    tools = [
        {"name": "a", "inputSchema": {"type": "object"}, "outputSchema": {"type": "array"}},
        {"name": "b", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}},
    ]
    reply = result_of(request("tools/list"), {"resultType": "complete", "tools": tools})
    got = eras.legacy_reply(reply, method="tools/list", version=V2025_11).tree["result"]
    assert ["outputSchema" in tool for tool in got["tools"]] == [False, True]
    oracle.validate_server_result("tools/list", V2025_11, got)


def test_how_a_tool_stands_to_tasks_is_not_told_to_modern_clients() -> None:
    tool = {"name": "a", "inputSchema": {"type": "object"}}
    assert eras.untasked({**tool, "execution": {"taskSupport": "optional"}}) == tool
    assert eras.untasked(tool) is tool
    assert eras.untasked("no tool") == "no tool"


@pytest.mark.parametrize(
    ("method", "code", "data", "expected"),
    [
        ("resources/read", -32602, {"uri": "file:///a"}, -32002),
        ("resources/read", -32602, None, -32602),
        ("tools/call", -32602, {"uri": "file:///a"}, -32602),
        ("tools/call", -32020, None, -32603),
        ("tools/call", -32021, {"requiredCapabilities": {}}, -32600),
        ("tools/call", -32022, {"supported": []}, -32602),
        ("tools/call", -32601, None, -32601),
        ("tools/call", -31403, None, -31403),
    ],
)
def test_error_codes_are_those_that_legacy_clients_know(method: str, code: int, data: Any, expected: int) -> None:
    reply = error_of(request(method, {"name": "a", "uri": "file:///a"}), code, data=data)
    got = eras.legacy_reply(reply, method=method, version=V2025_11)
    assert got.tree["error"] == {**reply.tree["error"], "code": expected}
    assert (got is reply) is (code == expected)


@pytest.mark.parametrize(("code", "expected"), [(-32002, -32602), (-32020, -32000), (-32099, -32000), (-32000, -32000)])
def test_error_codes_are_those_that_modern_clients_know(code: int, expected: int) -> None:
    reply = error_of(request("resources/read", {"uri": "file:///a"}), code, data={"uri": "file:///a"})
    got = eras.modern_reply(reply, method="resources/read")
    assert got.tree["error"] == {**reply.tree["error"], "code": expected}


OPEN_FIRST = {"elicitations": [{"mode": "url", "elicitationId": "e", "url": "https://a.example", "message": "Log in."}]}


def test_urls_that_are_to_be_opened_first_are_asked_of_a_modern_client() -> None:
    reply = error_of(request("tools/call", {"name": "a"}), -32042, "Log in first.", OPEN_FIRST)
    got = eras.modern_reply(reply, method="tools/call", capabilities=ABLE)
    (asked,) = got.tree["result"]["inputRequests"].values()
    assert asked["params"] == {"mode": "url", "url": "https://a.example", "message": "Log in."}
    oracle.validate_server_result("tools/call", MODERN, got.tree["result"])
    assert "requestState" not in got.tree["result"]


@pytest.mark.parametrize("able", [{}, {"elicitation": {}}, {"elicitation": {"form": {}}}, {"elicitation": None}])
def test_a_client_that_opens_no_urls_is_told_what_it_would_need(able: Any) -> None:
    reply = error_of(request("tools/call", {"name": "a"}), -32042, "Log in first.", OPEN_FIRST)
    got = eras.modern_reply(reply, method="tools/call", capabilities=able).tree["error"]
    needed: dict[str, Any] = {"requiredCapabilities": {"elicitation": {"url": {}}}}
    assert got == {"code": -32021, "message": "Log in first.", "data": needed}


@pytest.mark.parametrize("data", [None, {}, {"elicitations": []}, {"elicitations": [{"url": 1}]}, {"elicitations": 7}])
def test_a_retired_error_that_names_no_url_is_an_ordinary_one(data: Any) -> None:
    reply = error_of(request("tools/call", {"name": "a"}), -32042, "Log in first.", data)
    assert eras.modern_reply(reply, method="tools/call", capabilities=ABLE).tree["error"]["code"] == -32000
    reply = error_of(request("completion/complete", {}), -32042, "Log in first.", OPEN_FIRST)
    assert eras.modern_reply(reply, method="completion/complete", capabilities=ABLE).tree["error"]["code"] == -32000


def test_a_notification_carries_the_subscription_of_its_stream_in_the_modern_era_only() -> None:
    said = notification("notifications/tools/list_changed", sender="server")
    there = eras.modern_notification(said, "listen-1")
    assert there is not None
    assert there.tree["params"] == {"_meta": {methods.SUBSCRIPTION_KEY: "listen-1"}}
    oracle.parse_server_notification(there.method or "", MODERN, there.tree["params"])
    back = eras.legacy_notification(there)
    assert back is not None
    assert back.tree["params"] == {}
    assert eras.legacy_notification(said) is said


@given(notices(), st.one_of(st.none(), strategies.ids), st.sampled_from(methods.VERSIONS[:4]))
def test_only_notifications_that_an_era_has_get_there(said: Message, subscription: Any, version: str) -> None:
    before = copy.deepcopy(said.tree)
    there, here = eras.modern_notification(said, subscription), eras.legacy_notification(said, version)
    assert said.tree == before
    assert (there is not None) is methods.may_send("server", said.method or "", MODERN)
    assert (here is not None) is methods.may_send("server", said.method or "", version)
    if there is not None:
        assert there.meta.get(methods.SUBSCRIPTION_KEY) == subscription
        assert eras.RELATED_TASK_KEY not in there.meta
    if here is not None:
        assert not {methods.SUBSCRIPTION_KEY, methods.VERSION_KEY} & here.meta.keys()


def test_what_a_made_message_is_can_be_read_again() -> None:
    made = eras.failed(error_of(request("ping")), -32603, "No.", {"a": 1})
    assert wire.parse(made.encoded, "server").tree == made.tree
    assert json.loads(made.encoded)["error"] == {"code": -32603, "message": "No.", "data": {"a": 1}}
