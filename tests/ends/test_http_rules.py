"""What Tidegate checks in the stead of a server that speaks no HTTP, held against what the official SDK checks."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from mcp.shared import inbound

from tidegate import Message
from tidegate.ends import http_headers, http_rules
from tidegate.ends.http_headers import METHOD, NAME, VERSION
from tidegate.methods import META, MODERN, V2025_11, VERSION_KEY, is_modern, version_in
from tidegate.testing import notification, request, result_of
from tidegate.wire import Rejected

CAPABILITIES = f"{META}clientCapabilities"
ENVELOPE = {VERSION_KEY: MODERN, CAPABILITIES: {}}


def call(arguments: Any = None, meta: dict[str, Any] | None = None, **params: Any) -> Message:
    given_ = {} if arguments is None else {"arguments": arguments}
    given_ = {"name": "add", **given_, "_meta": ENVELOPE if meta is None else meta, **params}
    return request("tools/call", given_, id=4)


HEADERS = {VERSION: MODERN, METHOD: "tools/call", NAME: "add"}


def refusal(message: Message, headers: dict[str, str], tool: dict[str, Any] | None = None) -> str | None:
    """Return the code with which a request of 2026-07-28 is refused, as an HTTP end checks it; or None."""
    try:
        http_headers.check(message, headers)
        http_rules.check(message, headers, tool)
    except Rejected as refused:
        return refused.code if refused.id == message.id else "of another id"
    return None


# -- the envelope -----------------------------------------------------------------------------------------------------

words = st.sampled_from(["add", "naïve", "=?base64?YWRk?=", "", "tools/call"])
methods = st.sampled_from(["tools/call", "prompts/get", "resources/read", "tools/list", "vendor/thing"])
envelopes = st.fixed_dictionaries(
    {}, optional={VERSION_KEY: st.sampled_from([MODERN, V2025_11, "2027-01-01"]), CAPABILITIES: st.just({})}
)
header_sets = st.fixed_dictionaries(
    {},
    optional={
        VERSION: st.sampled_from([MODERN, V2025_11, "2027-01-01"]),
        METHOD: st.sampled_from(["tools/call", "prompts/get"]),
        NAME: st.one_of(words.filter(str.isascii), words.map(http_headers.encode)),
    },
)


@pytest.mark.requirement("headers-agree")
@hypothesis(max_examples=400)
@given(methods, st.one_of(st.just(ENVELOPE), envelopes), words, st.one_of(st.just(HEADERS), header_sets))
@example("tools/call", ENVELOPE, "add", HEADERS)
@example("tools/list", ENVELOPE, "add", {VERSION: MODERN})
def test_a_request_is_refused_where_the_sdk_refuses_it_and_nowhere_else(
    method: str, meta: dict[str, Any], name: str, headers: dict[str, str]
) -> None:
    key = inbound.NAME_BEARING_METHODS.get(method, "name")
    message = request(method, {key: name, "_meta": meta}, id=4)
    said = [value for value in (version_in(message), headers.get(VERSION)) if value is not None and is_modern(value)]
    if not is_modern(version_in(message) or headers.get(VERSION)):
        return  # not for these checks
    expected = inbound.classify_inbound_request(message.tree, headers=headers, supported_modern_versions=said)
    assert (refusal(message, headers) is None) == isinstance(expected, inbound.InboundModernRoute), expected


@pytest.mark.parametrize(
    ("message", "headers", "code"),
    [
        (call(), HEADERS, None),
        (call(meta={}), HEADERS, "meta"),
        (call(meta={VERSION_KEY: MODERN}), HEADERS, "meta"),
        (call(meta={VERSION_KEY: MODERN, CAPABILITIES: []}), HEADERS, "meta"),
        (call(meta={VERSION_KEY: 2026, CAPABILITIES: {}}), HEADERS, "meta"),
        (call(name="é"), HEADERS | {NAME: "é"}, "header"),  # the specification has it encoded; the SDK takes it so too
        (call(), {METHOD: "tools/call", NAME: "add"}, "header"),
        (call(), {VERSION: MODERN, NAME: "add"}, "header"),
        (call(), {VERSION: MODERN, METHOD: "tools/call"}, "header"),
        (request("tasks/get", {"taskId": "t", "_meta": ENVELOPE}, id=4), HEADERS | {METHOD: "tasks/get"}, "header"),
        (request("tasks/get", {"taskId": "add", "_meta": ENVELOPE}, id=4), HEADERS | {METHOD: "tasks/get"}, None),
        (request("initialize", {"protocolVersion": MODERN}, id=4), {VERSION: MODERN}, "method"),
        (notification("notifications/cancelled", {"requestId": 1}), {VERSION: MODERN}, None),
        (result_of(request("sampling/createMessage", {}), {}), {VERSION: MODERN}, None),
    ],
)
def test_what_is_missing_is_said_with_its_code(message: Message, headers: dict[str, str], code: str | None) -> None:
    assert refusal(message, headers) == code


# -- arguments that are repeated in headers ---------------------------------------------------------------------------


@st.composite
def tools(draw: st.DrawFn) -> dict[str, Any]:
    """A tool whose schema has annotations as a conforming server writes them: nested, and each name once."""
    names = iter(draw(st.permutations(["Region", "x-y", "a", "Size", "deep_one", "Z!"])))

    def schema(depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        for key in draw(st.lists(st.sampled_from("pqr"), unique=True, max_size=3)):
            kind = draw(st.sampled_from(["string", "integer", "boolean", "number", "object"]))
            inner: dict[str, Any] = schema(depth - 1) if kind == "object" and depth else {"type": kind}
            if kind in ("string", "integer", "boolean") and draw(st.booleans()):
                inner["x-mcp-header"] = next(names, None)
                if inner["x-mcp-header"] is None:
                    del inner["x-mcp-header"]
            properties[key] = inner
        return {"type": "object", "properties": properties}

    return {"name": "add", "inputSchema": schema(2)}


scalars = st.one_of(
    st.sampled_from(["a", "", "é", " a", "true", "42", "=?base64?YQ==?="]),
    st.integers(-3, 3),
    st.just(2**60),
    st.booleans(),
    st.none(),
    st.just(1.5),
)
inputs = st.recursive(
    scalars,
    lambda inner: st.dictionaries(st.sampled_from("pqr"), inner, max_size=3) | st.lists(inner, max_size=1),
    max_leaves=8,
)
arguments = st.dictionaries(st.sampled_from("pqr"), inputs, max_size=3)


def sdk_headers(tool: dict[str, Any], given_: dict[str, Any]) -> dict[str, str]:
    """Return the headers that a client of the SDK sends."""
    found = inbound.mcp_param_headers(inbound.x_mcp_header_map(tool["inputSchema"]), given_)
    return {name.lower(): value for name, value in found.items()}


@pytest.mark.requirement("headers-agree")
@given(tools(), arguments)
def test_a_client_that_speaks_no_http_has_the_headers_sent_that_the_sdk_would_send(
    tool: dict[str, Any], given_: dict[str, Any]
) -> None:
    assert inbound.find_invalid_x_mcp_header(tool["inputSchema"]) is None
    wanted = http_rules.wanted_params(call(given_), tool)
    decoded = {name: inbound.decode_header_value(value) for name, value in sdk_headers(tool, given_).items()}
    assert {name: said for name, said in wanted.items() if said is not None} == decoded
    sent = {name: http_headers.encode(said) for name, said in wanted.items() if said is not None}
    assert inbound.validate_mcp_param_headers(tool["inputSchema"], given_, sent) is None


@pytest.mark.requirement("headers-agree")
@hypothesis(max_examples=200)
@given(tools(), arguments, st.data())
def test_headers_that_disagree_with_the_arguments_are_refused_where_the_sdk_refuses_them(
    tool: dict[str, Any], given_: dict[str, Any], data: st.DataObject
) -> None:
    sent = sdk_headers(tool, given_)
    assert refusal(call(given_), HEADERS | sent, tool) is None
    names = [*sorted(http_rules.wanted_params(call(given_), tool)), "mcp-param-unknown"]
    name = data.draw(st.sampled_from(names))
    value = data.draw(
        st.one_of(
            st.none(), st.sampled_from(["a", "", "true", "1", "1.5", "=?base64?w6k=?=", "=?base64?YR==?=", "None"])
        )
    )
    if value is None:
        sent.pop(name, None)
    else:
        sent[name] = value
    expected = inbound.validate_mcp_param_headers(tool["inputSchema"], given_, sent)
    assert refusal(call(given_), HEADERS | sent, tool) == (None if expected is None else "header"), expected


ANNOTATED = {"properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        (ANNOTATED, {"mcp-param-region": "us"}),
        ({"properties": {"where": ANNOTATED}}, {"mcp-param-region": None}),
        ({"items": ANNOTATED, "anyOf": [ANNOTATED], "$defs": {"a": ANNOTATED}}, {}),
        ({"properties": {"region": {"x-mcp-header": "not a name"}}}, {}),
        ({"properties": {"region": {"x-mcp-header": ""}}}, {}),
        ({"properties": {"region": {"x-mcp-header": 7}}}, {}),
        ({"properties": {"region": True}}, {}),
        ({"properties": ["region"]}, {}),
        (True, {}),
        (None, {}),
        ("properties", {}),
    ],
)
def test_only_properties_that_can_be_reached_by_name_are_annotated(schema: Any, wanted: dict[str, str | None]) -> None:
    assert http_rules.wanted_params(call({"region": "us"}), {"name": "add", "inputSchema": schema}) == wanted


def test_a_schema_is_not_followed_without_end() -> None:
    schema: dict[str, Any] = dict(ANNOTATED)
    for _ in range(1000):
        schema = {"properties": {"a": schema}}
    assert http_rules.wanted_params(call({}), {"inputSchema": schema}) == {}


@pytest.mark.parametrize("params", [{}, {"arguments": None}, {"arguments": ["us"]}, {"arguments": "us"}])
def test_without_arguments_no_header_may_claim_one(params: dict[str, Any]) -> None:
    tool = {"inputSchema": ANNOTATED}
    message = request("tools/call", {"name": "add", "_meta": ENVELOPE, **params}, id=4)
    assert refusal(message, HEADERS, tool) is None
    assert refusal(message, HEADERS | {"mcp-param-region": "us"}, tool) == "header"
