"""The routing headers: read as the official SDK reads them, checked against the body, derived from the final one."""

from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from mcp.shared import inbound

from support.rig import entry
from support.strategies import leaves, objects, text
from support.web import ScriptedServer, front
from tidegate import Flow, Message, values
from tidegate.ends import http_headers
from tidegate.ends.http_headers import METHOD, NAME, PARAM_PREFIX, SESSION, VERSION, decode, encode
from tidegate.message import Id
from tidegate.methods import META, MODERN, V2025_11, VERSION_KEY
from tidegate.testing import notification, request, result_of
from tidegate.wire import Rejected

HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=12)
WRAPPED = st.text("QUJD=+/-_ \n", max_size=9).map(lambda inner: f"=?base64?{inner}?=")


def call(name: Any = "add", arguments: Any = None, meta: dict[str, Any] | None = None, identity: Id = 1) -> Message:
    params = {"name": name, **({} if arguments is None else {"arguments": arguments})}
    return request("tools/call", {**params, "_meta": {VERSION_KEY: MODERN, **(meta or {})}}, id=identity)


def modern(method: str = "tools/call", name: str | None = "add", **more: str) -> dict[str, str]:
    """Return the headers of a request of 2026-07-28."""
    named = {} if name is None else {NAME: name}
    return {VERSION: MODERN, METHOD: method, **named, **{key.replace("_", "-"): value for key, value in more.items()}}


def refusal(message: Message, headers: dict[str, str]) -> str | None:
    """Return the code with which headers are refused for a body, or None."""
    try:
        http_headers.check(message, headers)
    except Rejected as refused:
        return refused.code if refused.id == message.id else "of another id"
    return None


# -- the values -------------------------------------------------------------------------------------------------------


@given(text)
@example("")
@example(" ")
@example("a ")
@example("=?base64?YQ==?=")
@example("=?base64??=")
def test_any_text_comes_back_from_the_sdk_and_to_it(said: str) -> None:
    assert decode(encode(said)) == said
    assert inbound.decode_header_value(encode(said)) == said
    assert decode(inbound.encode_header_value(said)) == said


@given(text)
def test_a_value_stands_in_a_header_as_it_is(said: str) -> None:
    (value,) = http_headers.collect([(b"X", encode(said).encode("latin-1"))]).values()
    assert value == encode(said)
    assert all(0x20 <= ord(char) <= 0x7E for char in value)


@given(st.one_of(HEADER, WRAPPED))
@example("=?base64?YR==?=")  # not canonical
@example("=?base64?YQ?=")  # no padding
@example("=?base64?/w==?=")  # no UTF-8
@example("=?BASE64?YQ==?=")
def test_no_value_is_read_as_another_text_than_the_sdk_reads(value: str) -> None:
    found = decode(value)
    assert found in (None, inbound.decode_header_value(value))
    if value.isascii() and value == value.strip() and value.isprintable():
        assert found == inbound.decode_header_value(value)


# -- once -------------------------------------------------------------------------------------------------------------

ROUTING = [VERSION, METHOD, NAME]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*ROUTING, "Mcp-Name", "MCP-Method", "mcp-param-a", "Mcp-Param-A", "accept", "x"]),
            st.sampled_from(["a", "b"]),
        ),
        max_size=6,
    )
)
def test_what_routes_stands_once(lines: list[tuple[str, str]]) -> None:
    names = [name.lower() for name, _ in lines]
    twice = inbound.find_duplicated_routing_header(lines) is not None or names.count("mcp-param-a") > 1
    raw = [(name.encode(), value.encode()) for name, value in lines]
    if twice:
        with pytest.raises(Rejected, match="stands twice"):
            http_headers.collect(raw)
    else:
        assert http_headers.collect(raw).keys() == set(names)


@pytest.mark.parametrize("name", sorted(http_headers.ONCE))
def test_what_decides_something_stands_once_even_if_both_say_the_same(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        http_headers.collect([(name.encode(), b"a"), (name.upper().encode(), b"a")])
    assert caught.value.code == "header"


def test_white_space_around_a_value_is_no_part_of_it() -> None:
    assert http_headers.collect([(b"A", b" \t x y\t ")]) == {"a": "x y"}


@pytest.mark.parametrize(
    "headers",
    [
        {VERSION: ""},
        {VERSION: "2025 06"},
        {VERSION: "a" * 33},
        {VERSION: "é"},
        {SESSION: "a b"},
        {SESSION: "é"},
        {SESSION: "a" * 1025},
        {"last-event-id": "\x7f"},
    ],
)
def test_headers_that_repeat_nothing_of_a_body_can_carry_nothing_else(headers: dict[str, str]) -> None:
    with pytest.raises(Rejected) as caught:
        http_headers.check_plain(headers, 5)
    assert (caught.value.code, caught.value.id) == ("invalid", 5)


def test_plain_headers_of_their_form_are_well() -> None:
    http_headers.check_plain({VERSION: MODERN, SESSION: "a!~", "last-event-id": "", "other": "é"})


# -- on receipt -------------------------------------------------------------------------------------------------------


@given(st.sampled_from(sorted(inbound.NAME_BEARING_METHODS)), objects, st.one_of(leaves, st.just("name")))
def test_a_request_is_routed_by_the_member_that_the_sdk_routes_by(
    method: str, params: dict[str, Any], said: Any
) -> None:
    key = inbound.NAME_BEARING_METHODS[method]
    message = request(method, {**params, key: said})
    assert http_headers.routed_name(message) == (said if isinstance(said, str) else None)
    assert http_headers.routed_name(request(method, {k: v for k, v in params.items() if k != key})) is None


def test_a_task_is_routed_by_its_id() -> None:
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        assert http_headers.routed_name(request(method, {"taskId": "t-1"})) == "t-1"
    assert http_headers.routed_name(request("tools/list", {"name": "add"})) is None


names = st.one_of(text, st.just("add"))


@pytest.mark.requirement("headers-agree")
@given(names, st.one_of(names, names.map(encode), st.none()), st.sampled_from(["tools/call", "ping", "Tools/call"]))
def test_a_header_that_disagrees_with_the_body_is_refused(said: str, header: str | None, method: str) -> None:
    headers = modern(method, header)
    well = method == "tools/call" and (header is None or decode(header) == said)
    assert refusal(call(said), headers) == (None if well else "header")


@pytest.mark.requirement("headers-agree")
@pytest.mark.parametrize("version", [V2025_11, "2027-01-01", "", "x"])
def test_a_version_that_disagrees_with_the_body_is_refused(version: str) -> None:
    assert refusal(call(), modern() | {VERSION: version}) == "header"
    assert refusal(notification("notifications/cancelled", {"_meta": {VERSION_KEY: MODERN}}), {VERSION: version})


def test_versions_without_routing_headers_are_not_held_to_them() -> None:
    old = request("tools/call", {"name": "add"})
    assert refusal(old, modern("other", "other") | {VERSION: V2025_11}) is None
    assert refusal(old, {METHOD: "other"}) is None
    asking = request("initialize", {"protocolVersion": MODERN})
    assert refusal(asking, {VERSION: V2025_11}) is None  # what it asks for isn't what it is sent in


# -- on sending -------------------------------------------------------------------------------------------------------


def test_a_client_of_http_has_those_headers_sent_on_that_it_sent_and_they_say_what_the_body_says() -> None:
    message = call("naïve")
    assert http_headers.derive(message, {}, ()) == {}
    assert http_headers.derive(message, {METHOD: "x", "x": "y"}, ()) == {METHOD: "tools/call"}
    every = http_headers.derive(message, modern("x", "y"), ())
    assert every == {VERSION: MODERN, METHOD: "tools/call", NAME: encode("naïve")}
    assert http_headers.derive(message, None, ()) == every  # and a client of stdio has all of them sent


def test_an_old_version_gets_no_routing_headers_unless_its_client_sent_them() -> None:
    old = request("tools/call", {"name": "add"})
    assert http_headers.derive(old, None, ()) == {}
    assert http_headers.derive(old, {VERSION: V2025_11}, ()) == {VERSION: V2025_11}
    sent = http_headers.derive(old, {VERSION: V2025_11, METHOD: "delete", NAME: "delete"}, ())
    assert sent == {VERSION: V2025_11, METHOD: "tools/call", NAME: "add"}


def test_a_name_that_the_body_does_not_have_is_not_sent_on() -> None:
    for message in (call(7), request("tools/list", {"_meta": {VERSION_KEY: MODERN}}), result_of(call(), {})):
        assert NAME not in http_headers.derive(message, modern("tools/list", "smuggled"), ())
    assert METHOD not in http_headers.derive(result_of(call(), {}), modern(), ())


# -- arguments --------------------------------------------------------------------------------------------------------

small = st.sampled_from(["a", "b", "é", "", 1, 2, -1, True, False, None, 1.5, "1", "true", [], ["a"], {"b": "a"}])
arguments = st.dictionaries(st.sampled_from("pqrs"), small, max_size=4)
given_values = st.sampled_from(["a", "b", "é", "1", "2", "-1", "true", "false", "1.5", "None", "null", "zzz", "\x00"])


def leaves_of(message: Message) -> list[str]:
    found = [http_headers.said(value) for _, value in http_headers._leaves(message.tree["params"].get("arguments"), "")]
    return [value for value in found if value is not None]


@pytest.mark.requirement("headers-agree")
@given(arguments, st.dictionaries(st.sampled_from("wxyz"), given_values, max_size=3), arguments)
def test_a_header_of_an_argument_says_what_the_final_body_says_or_is_not_sent(
    before: dict[str, Any], sent: dict[str, str], after: dict[str, Any]
) -> None:
    """`after` is what a transform makes of the arguments."""
    message = call(arguments=before)
    headers = modern() | {f"{PARAM_PREFIX}{key}": encode(value) for key, value in sent.items()}
    repeated = http_headers.params(message, headers)
    assert {param.name.removeprefix(PARAM_PREFIX) for param in repeated} == {
        key for key, value in sent.items() if value in leaves_of(message)
    }
    untouched = http_headers.derive(message, headers, repeated)
    for param in repeated:
        assert decode(untouched[param.name]) == sent[param.name.removeprefix(PARAM_PREFIX)]
    final = message.replace("/params/arguments", after, label="transformed")
    try:
        derived = http_headers.derive(final, headers, repeated)
    except Rejected:
        derived = {}
        assert any(len(param.pointers) > 1 for param in repeated)
    assert derived.keys() <= headers.keys()
    for name, value in derived.items():
        if name.startswith(PARAM_PREFIX):
            assert decode(value) in leaves_of(final)


@pytest.mark.requirement("headers-agree")
def test_a_header_that_could_be_of_two_arguments_of_which_one_was_rewritten_is_refused() -> None:
    message = call(arguments={"from": "ann", "to": "ann"})
    headers = modern(mcp_param_user="ann")
    repeated = http_headers.params(message, headers)
    final = message.replace("/params/arguments/to", "bob", label="x")
    with pytest.raises(Rejected, match="ambiguous"):
        http_headers.derive(final, headers, repeated)
    both = final.replace("/params/arguments/from", "bob", label="x")
    assert http_headers.derive(both, headers, repeated)["mcp-param-user"] == "bob"


@pytest.mark.parametrize("name", ["mcp-param-", "mcp-param-a b", "mcp-param-é", "mcp-param-" + "a" * 129])
def test_a_name_that_no_annotation_could_have_is_not_sent_on(name: str) -> None:
    assert http_headers.params(call(arguments={"a": "x"}), {name: "x"}) == ()


@given(st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3)))
def test_any_leaf_of_the_arguments_is_found_where_it_is(tree: Any) -> None:
    assume(isinstance(tree, dict | list))
    message = call(arguments=tree)
    for pointer, value in http_headers._leaves(message.tree["params"]["arguments"], "/params/arguments"):
        assert values.resolve(message.tree, pointer) is value


# -- all of it, over real sockets -------------------------------------------------------------------------------------


@pytest.mark.requirement("headers-agree")
async def test_after_a_transform_the_server_gets_headers_of_the_rewritten_body() -> None:
    def rewrite(message: Message, _flow: Flow) -> Message | None:
        if message.method != "tools/call" or message.is_reply:
            return None
        renamed = message.replace("/params/name", "read safely", label="renamed")
        return renamed.replace("/params/arguments/region", "é", label="moved")

    async with (
        ScriptedServer(lambda exchange: exchange.result({})) as server,
        front(entry(transform=rewrite), server={"url": server.url}) as tidegate,
    ):
        body = call("read", {"region": "us", "size": 7}, {f"{META}clientCapabilities": {}}).tree
        sent = modern("tools/call", "read", mcp_param_region="us", mcp_param_size="7", mcp_param_spy="other")
        answer = await tidegate.post(body, sent)
        assert answer.status_code == 200, answer.text
    (got,) = server.got
    assert got.json["params"]["name"] == "read safely"
    assert got.headers[NAME] == "read safely"
    assert decode(got.headers["mcp-param-region"]) == got.json["params"]["arguments"]["region"] == "é"
    assert got.headers["mcp-param-size"] == "7"
    assert "mcp-param-spy" not in got.headers


@pytest.mark.requirement("headers-agree")
async def test_headers_that_became_ambiguous_keep_the_message_from_the_server() -> None:
    def rewrite(message: Message, _flow: Flow) -> Message | None:
        return message.replace("/params/arguments/to", "bob", label="x") if message.method == "tools/call" else None

    async with (
        ScriptedServer(lambda exchange: exchange.result({})) as server,
        front(entry(transform=rewrite), server={"url": server.url}) as tidegate,
    ):
        body = call("send", {"from": "ann", "to": "ann"}, {f"{META}clientCapabilities": {}}).tree
        answer = await tidegate.post(body, modern("tools/call", "send", mcp_param_user="ann"))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32020
    assert server.got == []
