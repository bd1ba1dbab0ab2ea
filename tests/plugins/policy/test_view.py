"""What a policy sees: every member of the contract, bounded, and what is cut is named."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate import Finding, Principal, Server
from tidegate.testing import Clock, flow, notification, request, result_of, samples, session
from tidegate_policy.view import EVERYTHING, Bounds, View

HOUR = 3_600_000_000_000


def seen(message: Any, context: Any = None, view: View | None = None, findings: Any = ()) -> dict[str, Any]:
    return (view or View()).of(message, context or flow(message), findings)


def call(**arguments: Any) -> Any:
    return request("tools/call", {"name": "read", "arguments": arguments})


def strings(given: dict[str, Any]) -> dict[str, str]:
    return {item["pointer"]: item["value"] for item in given["params"]["strings"]}


def test_a_call_is_seen_with_who_what_and_where() -> None:
    tool = {"name": "read", "description": "Reads.", "annotations": {"readOnlyHint": True}, "inputSchema": {}}
    message = call(path="/data/a", n=3)
    context = flow(
        message,
        server=Server("files", "container", "high", ("private",)),
        principal=Principal("ann", "token", ("dev",)),
        tool=tool,
        profile="work",
    )
    given = seen(message, context, View(now=lambda: 1_795_000_000_000_000_000))
    assert (given["v"], given["phase"], given["direction"]) == (1, "request", "client_to_server")
    assert given["method"] == "tools/call"
    assert given["principal"] == {"name": "ann", "roles": ["dev"], "claims": {}, "auth": "token"}
    assert given["profile"] == "work"
    assert given["server"] == {"name": "files", "kind": "container", "trust": "high", "labels": ["private"]}
    assert given["target"] == {"kind": "tool", "name": "read"}
    assert given["tool"] == {
        "name": "read",
        "annotations": {"readOnlyHint": True},
        "description_sha256": hashlib.sha256(b"Reads.").hexdigest(),
        "pinned": False,
    }
    assert given["arguments"] == {"path": "/data/a", "n": 3}
    assert given["message"] == {"size": len(message.encoded), "digest": message.digest}
    assert given["time"] == {"unix_ns": 1_795_000_000_000_000_000, "weekday": "wednesday", "hour": 11, "minute": 6}
    assert given["cut"] == []


def test_time_is_that_of_the_zone_asked_for() -> None:
    clock = View(zone="Asia/Tokyo", now=lambda: 20 * HOUR)
    assert seen(call(), view=clock)["time"] == {"unix_ns": 20 * HOUR, "weekday": "friday", "hour": 5, "minute": 0}


def test_every_string_and_odd_key_is_among_the_strings_with_its_other_readings() -> None:
    given = seen(call(path="%2e%2e/x", list=["a", {"deep": "b"}], text='{"inner": "c"}', **{"../key": "d"}))
    by = {(item["pointer"], item.get("is_key", False)): item for item in given["params"]["strings"]}
    assert by["/params/arguments/path", False]["decoded"] == ["../x"]
    assert by["/params/arguments/path", False]["key"] == "path"
    assert by["/params/arguments/list/0", False] == {
        "pointer": "/params/arguments/list/0",
        "value": "a",
        "key": "list",
        "decoded": [],
    }
    assert by["/params/arguments/list/1/deep", False]["key"] == "deep"
    assert by["/params/arguments/text/~2/inner", False]["value"] == "c"
    assert by["/params/arguments/..~1key", True]["value"] == "../key"
    assert by["/params/arguments/..~1key", False]["key"] == "../key"
    assert ("/params/arguments/path", True) not in by


def test_what_the_protocol_itself_says_is_not_among_the_strings() -> None:
    meta = {"io.modelcontextprotocol/clientInfo": {"name": "x"}, "progressToken": "p", "vendor/thing": "y"}
    given = seen(request("tools/call", {"name": "read", "_meta": meta}))
    assert "y" in strings(given).values()
    assert not {"x", "p"} & set(strings(given).values())


def test_a_reply_is_seen_by_its_strings() -> None:
    asked = call()
    reply = result_of(asked, {"content": [{"type": "text", "text": "hello"}], "isError": True})
    given = seen(reply, flow(reply, request=asked))
    assert (given["phase"], given["direction"]) == ("reply", "server_to_client")
    assert given["result"]["is_error"] is True
    assert given["result"]["size"] == len(reply.encoded)
    assert {"pointer": "/result/content/0/text", "value": "hello"} in given["result"]["strings"]
    assert given["target"]["name"] == "read"
    assert given["params"] == {"strings": []}


def test_findings_and_history_are_seen() -> None:
    clock = Clock(100.0)
    memory = session(clock, "ann")
    memory.label(["private"])
    memory.called("files", "tools/call", "read", ("private",))
    clock.advance(30)
    found = Finding("secret", "aws-key", "/params/arguments/k", confidence=0.9)
    given = seen(call(k="x"), flow(call(), session=memory), findings=(found,))
    assert given["findings"] == [
        {"kind": "secret", "rule": "aws-key", "pointer": "/params/arguments/k", "confidence": 0.9}
    ]
    assert given["session"] == {
        "id": "ann",
        "age_s": 30.0,
        "labels": ["private"],
        "calls": [{"server": "files", "tool": "read", "seconds_ago": 30.0, "labels": ["private"]}],
        "counts": {"files/read": 1},
        "recent": {name: {"files/read": 1} for name in ("minute", "hour", "day")},
    }


def test_a_long_string_is_cut_and_the_cut_is_named() -> None:
    given = seen(call(text="x" * 10_000, short="y"))
    assert given["arguments"] == {"text": "x" * 4096, "short": "y"}
    assert strings(given)["/params/arguments/text"] == "x" * 4096
    assert set(given["cut"]) == {"/params/arguments/text"}
    asked = call()
    reply = result_of(asked, {"content": [{"type": "text", "text": "z" * 5000}]})
    assert seen(reply, flow(reply, request=asked))["cut"] == ["/result/content/0/text"]


def test_too_many_strings_and_calls_are_cut_and_the_cut_is_named() -> None:
    view = View(bounds=Bounds(string=100, strings=10, total=1000, calls=3))
    given = seen(call(many=[str(number) for number in range(50)]), view=view)
    assert len(given["params"]["strings"]) == 10
    assert "/params/strings" in given["cut"]
    assert given["arguments"] == {"many": []}
    assert "/params/arguments/many" in given["cut"]
    memory = session()
    for _ in range(5):
        memory.called("s", "tools/call", "t", ())
    given = seen(call(), flow(call(), session=memory), view)
    assert len(given["session"]["calls"]) == 3
    assert given["cut"] == ["/session/calls"]


@pytest.mark.parametrize("arguments", [2, "x", ["/etc/passwd"], True])
def test_arguments_that_are_no_object_are_seen_by_their_strings_and_are_cut(arguments: Any) -> None:
    given = seen(request("tools/call", {"name": "x", "arguments": arguments}))
    assert given["arguments"] == {}
    assert given["cut"] == ["/params/arguments"]
    assert ("/etc/passwd" in strings(given).values()) == isinstance(arguments, list)


def test_an_item_of_a_list_is_seen_as_if_it_were_called() -> None:
    asked = request("tools/list")
    reply = result_of(asked, {"tools": [{"name": "read", "description": "R"}]})
    given = View().of_item(reply, flow(reply, request=asked), "tool", {"name": "read", "description": "R"}, "read")
    assert (given["phase"], given["method"]) == ("list", "tools/call")
    assert given["target"] == {"kind": "tool", "name": "read"}
    assert given["tool"]["description_sha256"] == hashlib.sha256(b"R").hexdigest()
    assert given["arguments"] == {}


@pytest.mark.parametrize("member", sorted(EVERYTHING))
def test_a_member_that_no_policy_reads_is_left_out(member: str) -> None:
    top, _, inner = member.partition(".")
    whole, without = seen(call()), seen(call(), view=View(EVERYTHING - {member}))
    assert inner in whole["session"] if inner else top in whole
    assert inner not in without["session"] if inner else top not in without


def test_every_message_has_a_view_that_is_json() -> None:
    for sample in samples():
        given = seen(sample.message, sample.flow)
        assert json.loads(json.dumps(given)) == given
        assert given.keys() >= {"v", "phase", "direction", "method", "cut", *(EVERYTHING - {"session.calls"})} - {
            "session.counts",
            "session.recent",
        }


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=30,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES))
def test_small_messages_are_read_the_quick_way_with_the_same_result(arguments: dict[str, Any]) -> None:
    meta = {"io.modelcontextprotocol/clientInfo": {"name": "x"}, "progressToken": "p", "vendor/a~b": "y"}
    message = request("tools/call", {"name": "read", "arguments": arguments, "_meta": meta})
    quick = seen(message, view=View(bounds=Bounds(string=100_000)))["params"]["strings"]
    slow = seen(message, view=View(bounds=Bounds(string=max(map(len, map(str, [*arguments, "x" * 9]))) + 99, total=1)))
    told = {(item["pointer"], item.get("is_key", False)): item for item in quick}
    assert len(told) == len(quick)
    assert all(told[item["pointer"], item.get("is_key", False)] == item for item in slow["params"]["strings"])
    walked = {
        (leaf.pointer, leaf.is_key)
        for leaf in message.strings("params")
        if not leaf.pointer.startswith(("/params/_meta/io.", "/params/_meta/progressToken"))
    }
    assert told.keys() <= walked
    assert {where for where in walked if not where[1]} <= told.keys()


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES))
def test_what_is_not_whole_is_always_named(arguments: dict[str, Any]) -> None:
    bounds = Bounds(string=8, strings=6, total=40, calls=1)
    message = (
        call(**arguments)
        if all(key.isidentifier() for key in arguments)
        else request("tools/call", {"name": "read", "arguments": arguments})
    )
    given = seen(message, view=View(bounds=bounds))
    assert given["arguments"] == arguments or given["cut"]
    listed = {item["value"] for item in given["params"]["strings"]}
    for leaf in message.strings("params"):
        if not leaf.is_key:
            assert leaf.value in listed or given["cut"]


def test_notifications_are_seen_by_their_strings() -> None:
    message = notification("notifications/message", {"level": "info", "data": {"text": "hello"}})
    given = seen(message)
    assert given["phase"] == "notification"
    assert strings(given)["/params/data/text"] == "hello"


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([Finding("pin", "approved")], True),
        ([Finding("pin", "typo")], False),
        ([Finding("secret", "approved")], False),
        ([], False),
    ],
)
def test_a_tool_is_pinned_where_it_was_found_to_be_as_approved(findings: list[Finding], *, expected: bool) -> None:
    message = call(path="/data/a")
    assert seen(message, flow(message, tool={"name": "read"}), findings=findings)["tool"]["pinned"] is expected
