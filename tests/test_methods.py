"""The vocabulary of MCP: against the SDK's tables, and against messages that mean to be misread."""

from typing import Any

import mcp_types.methods as sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import strategies
from tidegate import methods
from tidegate.message import Message
from tidegate.methods import MODERN, VERSIONS, Target
from tidegate.testing import error_of, notification, request, result_of

# Tasks are experimental in 2025-11-25 and an extension in 2026-07-28, so the SDK's tables leave them out.
BEYOND_THE_SDK = {
    ("client", "tasks/get", "2025-11-25"),
    ("client", "tasks/get", "2026-07-28"),
    ("client", "tasks/list", "2025-11-25"),
    ("client", "tasks/cancel", "2025-11-25"),
    ("client", "tasks/cancel", "2026-07-28"),
    ("client", "tasks/result", "2025-11-25"),
    ("client", "tasks/update", "2026-07-28"),
    ("client", "notifications/tasks/status", "2025-11-25"),
    ("server", "tasks/get", "2025-11-25"),
    ("server", "tasks/list", "2025-11-25"),
    ("server", "tasks/cancel", "2025-11-25"),
    ("server", "tasks/result", "2025-11-25"),
    ("server", "notifications/tasks/status", "2025-11-25"),
    ("server", "notifications/tasks", "2026-07-28"),
}


@pytest.mark.requirement("nothing-unjudged")
def test_the_table_has_every_method_of_every_version_in_each_direction_and_no_other() -> None:
    expected = {
        (side, name, version, request)
        for table, side, request in (
            (sdk.CLIENT_REQUESTS, "client", True),
            (sdk.CLIENT_NOTIFICATIONS, "client", False),
            (sdk.SERVER_REQUESTS, "server", True),
            (sdk.SERVER_NOTIFICATIONS, "server", False),
        )
        for name, version in table
    }
    known = {
        (side, method.name, version, method.request)
        for method in methods.METHODS.values()
        for side, versions in (("client", method.client), ("server", method.server))
        for version in versions
    }
    assert expected <= known
    assert {item[:3] for item in known - expected} == BEYOND_THE_SDK


@pytest.mark.parametrize("method", methods.METHODS.values(), ids=lambda method: method.name)
def test_may_send_says_what_the_table_says(method: methods.Method) -> None:
    for version in VERSIONS:
        assert methods.may_send("client", method.name, version) == (version in method.client)
        assert methods.may_send("server", method.name, version) == (version in method.server)
    assert methods.may_send("client", method.name + "x", MODERN)


def call(method: str, params: Any) -> Message:
    return Message("request", "client", 1, method, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


@pytest.mark.parametrize(
    ("method", "params", "targets", "unreadable"),
    [
        ("tools/call", {"name": "add"}, [("tool", "add")], []),
        ("tools/call", {"name": ""}, [("tool", "")], []),
        ("tools/call", {}, [], ["tool"]),
        ("tools/call", {"name": ["add"]}, [], ["tool"]),
        ("tools/call", {"name": None}, [], ["tool"]),
        ("tools/call", {"name": 5}, [], ["tool"]),
        ("prompts/get", {"name": "p"}, [("prompt", "p")], []),
        ("resources/read", {"uri": "a:b"}, [("resource", "a:b")], []),
        ("resources/subscribe", {"uri": "a:b"}, [("resource", "a:b")], []),
        ("resources/unsubscribe", {"uri": {}}, [], ["resource"]),
        ("notifications/resources/updated", {"uri": "a:b"}, [("resource", "a:b")], []),
        ("tasks/get", {"taskId": "t"}, [("task", "t")], []),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}}, [("prompt", "p")], []),
        ("completion/complete", {"ref": {"type": "ref/resource", "uri": "u"}}, [("resource", "u")], []),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "p", "uri": "u"}},
            [("prompt", "p"), ("resource", "u")],
            [],
        ),
        ("completion/complete", {"ref": {"name": 5}}, [], ["prompt"]),
        ("completion/complete", {"ref": "p"}, [], ["prompt"]),
        ("completion/complete", {}, [], ["prompt"]),
        (
            "subscriptions/listen",
            {"notifications": {"resourceSubscriptions": ["a", "b"]}},
            [("resource", "a"), ("resource", "b")],
            [],
        ),
        (
            "subscriptions/listen",
            {"notifications": {"resourceSubscriptions": ["a", 5]}},
            [("resource", "a")],
            ["resource"],
        ),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": "a"}}, [("resource", "a")], []),
        ("subscriptions/listen", {"resourceSubscriptions": ["a"]}, [("resource", "a")], []),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": {"a": 1}}}, [], ["resource"]),
        ("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, [], []),
        ("tools/list", {"name": "add"}, [], []),
        ("never/heard", {"name": "add"}, [], []),
    ],
)
def test_what_a_message_is_about(
    method: str, params: dict[str, Any], targets: list[tuple[str, str]], unreadable: list[str]
) -> None:
    message = call(method, params)
    assert list(methods.targets(message)) == targets
    assert list(methods.unreadable(message)) == unreadable


def test_a_message_without_params_names_nothing_that_can_be_read() -> None:
    bare = Message("request", "client", 1, "tools/call", {"jsonrpc": "2.0", "id": 1, "method": "tools/call"})
    assert methods.targets(bare) == ()
    assert methods.unreadable(bare) == ("tool",)


def test_a_reply_has_no_targets_of_its_own() -> None:
    reply = result_of(request("tools/call", {"name": "add"}), {"name": "other"})
    assert methods.targets(reply) == ()
    assert methods.unreadable(reply) == ()


@given(strategies.known_methods, strategies.objects)
def test_targets_are_found_or_called_unreadable_whatever_the_params(method: str, params: dict[str, Any]) -> None:
    message = call(method, params)
    for target in methods.targets(message):
        assert isinstance(target, Target)
        assert isinstance(target.name, str)
    if methods.METHODS[method].target:
        assert len(methods.targets(message)) + len(methods.unreadable(message)) == 1


def test_the_version_and_the_client_are_read_from_where_each_era_says_them() -> None:
    info = {"name": "c", "version": "1"}
    legacy = request("initialize", {"protocolVersion": "2025-11-25", "clientInfo": info})
    assert (methods.version_in(legacy), methods.client_in(legacy)) == ("2025-11-25", ("c", "1"))
    answer = result_of(legacy, {"protocolVersion": "2025-06-18"})
    assert methods.version_in(answer) == "2025-06-18"
    modern = request("tools/list", {"_meta": {methods.VERSION_KEY: MODERN, methods.CLIENT_KEY: info}})
    assert (methods.version_in(modern), methods.client_in(modern)) == (MODERN, ("c", "1"))
    assert methods.version_in(request("tools/list", {"protocolVersion": MODERN})) is None
    assert methods.client_in(request("tools/list", {"clientInfo": info})) is None


@given(strategies.messages, st.sampled_from(["client", "server"]))
def test_reading_what_a_message_says_never_fails(tree: dict[str, Any], sender: Any) -> None:
    kinds: list[Any] = ["request" if "id" in tree else "notification"] if "method" in tree else ["result", "error"]
    message = Message(
        kinds[0] if kinds[0] in tree or "method" in tree else kinds[1], sender, 1, tree.get("method"), tree
    )
    assert isinstance(message.meta, dict)
    assert isinstance(methods.version_in(message), str | None)
    assert isinstance(methods.client_in(message), tuple | None)
    assert methods.listing(message) is None or message.kind == "result"


# -- payload --------------------------------------------------------------------------------------------------

STATE = '{"token":"t","resultType":"x"}'
CALL = request(
    "tools/call",
    {
        "name": STATE,
        "arguments": {"name": "n", "type": "t", "uri": "u", "deep": [{"cursor": "c"}], "json": STATE},
        "requestState": STATE,
        "inputResponses": {"a": {"action": "accept", "content": {"x": "y"}}},
        "_meta": {"progressToken": "p", "io.modelcontextprotocol/clientInfo": {"name": "n"}, "vendor/x": {"a": "b"}},
    },
    extra={"a": "b"},
    bare="c",
)
LISTEN = request("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["a:b"]}})
RESULT = result_of(
    CALL,
    {
        "content": [
            {"type": "text", "text": "t"},
            {"type": "resource_link", "uri": "a:b", "name": "n"},
            {"type": "resource", "resource": {"uri": "a:b", "text": "t", "mimeType": "m"}},
        ],
        "structuredContent": {"type": "t", "uri": "u", "role": "r", "method": "m"},
        "resultType": "input_required",
        "inputRequests": {"a": {"method": "elicitation/create", "params": {"message": "m"}}},
        "nextCursor": STATE,
    },
)
LIST = result_of(request("tools/list", {}), {"tools": [{"name": STATE, "title": "t", "description": "d"}]})
RESOURCES = result_of(
    request("resources/list", {}), {"resources": [{"uri": "a:b", "name": "n", "description": "d"}], "nextCursor": "c"}
)
ERROR = error_of(CALL, -32000, "m", {"a": "b"})
DISCOVERED = result_of(request("server/discover", {}), {"supportedVersions": ["2026-07-28"], "instructions": "i"})
PROGRESS = notification(
    "notifications/progress", {"progressToken": "p", "progress": 1, "message": "m"}, sender="server"
)


@pytest.mark.parametrize(
    ("message", "pointer"),
    [
        (CALL, "/params/arguments/name"),
        (CALL, "/params/arguments/type"),
        (CALL, "/params/arguments/uri"),
        (CALL, "/params/arguments/deep/0/cursor"),
        (CALL, "/params/arguments/json"),
        (CALL, "/params/arguments/json/~2/resultType"),
        (CALL, "/params/inputResponses/a/content/x"),
        (CALL, "/params/_meta/vendor~1x/a"),
        (CALL, "/extra/a"),
        (RESULT, "/result/content/0/text"),
        (RESULT, "/result/content/2/resource/text"),
        (RESULT, "/result/structuredContent/type"),
        (RESULT, "/result/structuredContent/method"),
        (RESULT, "/result/inputRequests/a/params/message"),
        (LIST, "/result/tools/0/description"),
        (LIST, "/result/tools/0/title"),
        (RESOURCES, "/result/resources/0/description"),
        (ERROR, "/error/message"),
        (ERROR, "/error/data/a"),
        (DISCOVERED, "/result/instructions"),
        (PROGRESS, "/params/message"),
    ],
)
def test_payload_may_be_redacted(message: Message, pointer: str) -> None:
    assert isinstance(message.get(pointer), str)
    assert methods.is_payload(message, pointer)


@pytest.mark.parametrize(
    ("message", "pointer"),
    [
        (CALL, ""),
        (CALL, "/jsonrpc"),
        (CALL, "/id"),
        (CALL, "/method"),
        (CALL, "/bare"),
        (CALL, "/params/name"),
        (CALL, "/params/name/~2/token"),
        (CALL, "/params/requestState"),
        (CALL, "/params/requestState/~2/token"),
        (CALL, "/params/inputResponses/a/action"),
        (CALL, "/params/_meta/progressToken"),
        (CALL, "/params/_meta/io.modelcontextprotocol~1clientInfo/name"),
        (LISTEN, "/params/notifications/resourceSubscriptions/0"),
        (RESULT, "/result/content/0/type"),
        (RESULT, "/result/content/1/uri"),
        (RESULT, "/result/content/2/resource/uri"),
        (RESULT, "/result/content/2/resource/mimeType"),
        (RESULT, "/result/resultType"),
        (RESULT, "/result/inputRequests/a/method"),
        (RESULT, "/result/nextCursor"),
        (RESULT, "/result/nextCursor/~2/token"),
        (LIST, "/result/tools/0/name"),
        (LIST, "/result/tools/0/name/~2/token"),
        (RESOURCES, "/result/resources/0/uri"),
        (RESOURCES, "/result/resources/0/name"),
        (RESOURCES, "/result/nextCursor"),
        (ERROR, "/error/code"),
        (DISCOVERED, "/result/supportedVersions/0"),
        (PROGRESS, "/params/progressToken"),
        (CALL, "no pointer"),
    ],
)
def test_what_routes_a_message_or_tells_how_to_read_it_may_not_be_redacted(message: Message, pointer: str) -> None:
    assert not methods.is_payload(message, pointer)
