"""One message: frozen for whoever sees it, replaced only by copies that say what was changed, never what it was."""

import dataclasses
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import strategies
from tidegate import values, wire
from tidegate.message import Edit, Message
from tidegate.testing import error_of, notification, request, result_of

CALL = request("tools/call", {"name": "add", "arguments": {"a": [1, {"b": "c"}]}}, id="x", vendor={"k": ["v"]})


def test_a_body_is_the_params_the_result_or_the_error() -> None:
    assert CALL.body == {"name": "add", "arguments": {"a": [1, {"b": "c"}]}}
    assert result_of(CALL, [1]).body == [1]
    assert result_of(CALL, None).body is None
    assert error_of(CALL, 5, "no").body == {"code": 5, "message": "no"}
    assert notification("notifications/initialized").body is None


def test_unknown_members_of_a_message_are_its_extra() -> None:
    assert CALL.extra == {"vendor": {"k": ["v"]}}
    assert request("ping").extra == {}


def test_a_message_shows_no_content_in_its_repr() -> None:
    assert "add" not in repr(CALL)
    assert "vendor" not in repr(CALL)


@pytest.mark.parametrize("name", ["kind", "id", "method", "tree", "edits", "sender"])
def test_an_attribute_of_a_message_can_not_be_set(name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(CALL, name, None)


@pytest.mark.requirement("judged-is-sent")
def test_what_a_message_hands_out_can_not_be_changed() -> None:
    before = CALL.encoded
    for handed in (CALL.body, CALL.body["arguments"], CALL.extra, CALL.extra["vendor"], CALL.get("/params")):
        with pytest.raises(TypeError, match="frozen"):
            handed["new"] = 1
    with pytest.raises(TypeError, match="frozen"):
        CALL.body["arguments"]["a"].append(1)
    assert values.encode(CALL.tree) == CALL.encoded == before


def test_replacing_gives_a_copy_with_the_edit_and_without_the_old_value() -> None:
    made = CALL.replace("/params/arguments/a/1/b", "new", label="why")
    assert made.body["arguments"] == {"a": [1, {"b": "new"}]}
    assert CALL.body["arguments"] == {"a": [1, {"b": "c"}]}
    assert made.edits == (Edit("/params/arguments/a/1/b", "why"),)
    assert (made.kind, made.sender, made.id, made.method) == (CALL.kind, CALL.sender, CALL.id, CALL.method)
    assert json.loads(made.encoded)["params"]["arguments"] == {"a": [1, {"b": "new"}]}
    assert made.digest != CALL.digest


def test_a_replaced_value_is_a_copy() -> None:
    given_list: list[Any] = [1]
    made = CALL.replace("/params/arguments", {"a": given_list}, label="why")
    given_list.append(2)
    assert made.body["arguments"] == {"a": [1]}


@pytest.mark.parametrize("pointer", ["", "/jsonrpc", "/id", "/method", "/nothing", "/params/nothing", "params"])
def test_what_a_message_is_can_not_be_replaced(pointer: str) -> None:
    with pytest.raises(values.PointerError):
        CALL.replace(pointer, "x", label="why")


def test_the_digest_is_that_of_the_encoding() -> None:
    assert CALL.digest == hashlib.sha256(CALL.encoded).hexdigest()


@given(strategies.texts_of(strategies.messages))
def test_the_same_message_has_the_same_digest_however_it_was_spelt(data: bytes) -> None:
    one = wire.parse(data, "client")
    other = wire.parse(json.dumps(json.loads(data), ensure_ascii=True, indent=3).encode(), "client")
    assert one.digest == other.digest


def test_a_reply_is_told_its_method() -> None:
    reply = wire.parse(b'{"jsonrpc":"2.0","id":1,"result":{}}', "server")
    told = reply.answering("tools/call")
    assert (told.method, told.encoded, told.kind) == ("tools/call", reply.encoded, "result")
    assert reply.method is None


@given(strategies.ids, strategies.ids)
def test_a_message_in_another_id_space_says_the_same_but_for_the_ids(before: str | int, after: str | int) -> None:
    message = request("tools/call", {"name": "add", "_meta": {"progressToken": "p", "x": 1}}, id=before)
    made = message.rewired(id=after, at={"/params/_meta/progressToken": "q"})
    assert json.loads(made.encoded) == {
        "jsonrpc": "2.0",
        "id": after,
        "method": "tools/call",
        "params": {"name": "add", "_meta": {"progressToken": "q", "x": 1}},
    }
    assert (made.id, made.edits) == (after, ())
    assert message.id == before


@given(strategies.texts_of(strategies.messages), st.data())
def test_every_string_of_a_message_can_be_found_by_its_pointer(data: bytes, source: st.DataObject) -> None:
    message = wire.parse(data, "client")
    found = list(message.strings())
    assert ("/jsonrpc", "2.0", False) in found
    leaf = source.draw(st.sampled_from(found))
    if leaf.is_key:
        message.get(leaf.pointer)
    else:
        assert message.get(leaf.pointer) == leaf.value


def test_a_message_is_equal_to_itself_only() -> None:
    assert Message(CALL.kind, CALL.sender, CALL.id, CALL.method, CALL.tree) != CALL
    assert CALL == CALL  # noqa: PLR0124 - that is what is checked
