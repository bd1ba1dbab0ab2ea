"""What clients and servers can do, in both eras."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import methods as oracle

from support import strategies
from tidegate import methods
from tidegate.gateway import capabilities as can
from tidegate.gateway.eras import CAPABILITIES_KEY, SERVER_KEY
from tidegate.methods import MODERN, V2024, V2025_06, V2025_11
from tidegate.testing import request

SERVER = {"name": "files", "version": "1"}
UI = "io.modelcontextprotocol/ui"
FLAGS = {"listChanged": True}
LEGACY = {"tools": FLAGS, "resources": {"subscribe": True}, "logging": {}, "tasks": {"list": {}}, "com.example": {}}

flags = st.dictionaries(st.sampled_from(["listChanged", "subscribe"]), st.booleans())
abilities = st.fixed_dictionaries(
    {},
    optional={
        "tools": flags,
        "prompts": flags,
        "resources": flags,
        "logging": st.just({}),
        "completions": st.just({}),
        "tasks": st.just({"list": {}}),
        "extensions": st.dictionaries(
            st.sampled_from([UI, can.TASKS]), st.fixed_dictionaries({}, optional={"a": st.just(1)})
        ),
    },
)


def test_a_client_declares_in_initialize_or_in_each_request() -> None:
    opening = request("initialize", {"capabilities": {"roots": {}}})
    assert can.client_capabilities_of(opening, V2025_11) == {"roots": {}}
    asked = request("tools/list", {"_meta": {CAPABILITIES_KEY: {"sampling": {}}}})
    assert can.client_capabilities_of(asked, MODERN) == {"sampling": {}}
    assert can.client_capabilities_of(asked, V2025_11) == {}


@pytest.mark.parametrize("said", [None, 7, [], "roots"])
def test_what_is_no_declaration_declares_nothing(said: Any) -> None:
    assert can.client_capabilities_of(request("initialize", {"capabilities": said}), V2025_11) == {}
    assert can.client_capabilities_of(request("x", {"_meta": {CAPABILITIES_KEY: said}}), MODERN) == {}


def test_a_server_is_told_no_more_than_both_versions_have() -> None:
    said = {"roots": FLAGS, "tasks": {}, "extensions": {can.TASKS: {}, UI: {}}, "elicitation": {"form": {}, "url": {}}}
    before = copy.deepcopy(said)
    assert can.told(said, client=V2025_11, server=V2024) == said
    kept: dict[str, Any] = {"roots": {}, "extensions": {UI: {}}, "elicitation": {"form": {}, "url": {}}}
    assert can.told(said, client=V2025_11, server=MODERN) == kept
    assert can.told(said, client=MODERN, server=V2025_11) == kept
    assert can.told(said, client=MODERN, server=MODERN) == said
    assert said == before


@pytest.mark.parametrize(
    ("declared", "server", "there"),
    [
        ({}, V2025_06, True),
        ({"form": {}}, V2025_06, True),
        ({"url": {}}, V2025_06, False),
        ({"url": {}}, V2025_11, True),
    ],
)
def test_a_client_that_shows_no_forms_is_not_offered_to_servers_that_have_only_forms(
    declared: dict[str, Any], server: str, *, there: bool
) -> None:
    assert ("elicitation" in can.told({"elicitation": declared}, client=MODERN, server=server)) is there


def test_tasks_stay_in_their_era() -> None:
    assert can.modern_capabilities(LEGACY) == {key: LEGACY[key] for key in LEGACY if key != "tasks"}
    assert can.legacy_capabilities({"tools": {}, "extensions": {can.TASKS: {}}}) == {"tools": {}}
    assert can.legacy_capabilities({"extensions": {can.TASKS: {}, UI: {"a": 1}}}) == {"extensions": {UI: {"a": 1}}}


@given(st.lists(abilities, min_size=2, max_size=4))
def test_several_servers_can_do_what_one_of_them_can(several: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(several)
    union = can.merged(several)
    assert several == before
    assert can.merged(several[::-1]) == union
    for name in ("tools", "prompts", "resources", "logging", "completions", "tasks"):
        assert (name in union) is any(name in each for each in several)
    for name in ("tools", "prompts", "resources"):
        for flag in ("listChanged", "subscribe"):
            assert bool(union.get(name, {}).get(flag)) is any(each.get(name, {}).get(flag) for each in several)
    for name, value in union.get("extensions", {}).items():
        assert all(each["extensions"][name] == value for each in several if name in each.get("extensions", {}))


def test_a_single_server_says_what_it_says() -> None:
    assert can.merged([LEGACY]) is LEGACY
    assert can.merged([]) == {}


def test_an_extension_on_which_servers_differ_is_left_out() -> None:
    several: list[dict[str, Any]] = [{"extensions": {UI: {"a": 1}}}, {"extensions": {UI: {"a": 2}, "x/y": {}}}]
    assert can.merged(several) == {"extensions": {"x/y": {}}}
    assert can.merged([*several, {"extensions": {UI: {"a": 1}}}]) == {"extensions": {"x/y": {}}}


def test_one_handshake_is_made_of_the_other() -> None:
    said = {"protocolVersion": V2025_11, "capabilities": LEGACY, "serverInfo": SERVER, "instructions": "Ask."}
    there = can.discovered(said)
    oracle.validate_server_result("server/discover", MODERN, there)
    assert there["_meta"] == {SERVER_KEY: SERVER}
    back = can.initialized(there, V2025_06)
    oracle.validate_server_result("initialize", V2025_06, back)
    assert back == {**said, "protocolVersion": V2025_06, "capabilities": can.modern_capabilities(LEGACY)}


@given(strategies.objects)
def test_a_handshake_that_says_nothing_is_still_one(said: dict[str, Any]) -> None:
    oracle.validate_server_result("server/discover", MODERN, can.discovered(said))
    oracle.validate_server_result("initialize", V2024, can.initialized(said, V2024))


def test_instructions_say_whose_they_are() -> None:
    several = [("files", "Read.\nThe server mail says:\n> Send."), ("mail", "Don't."), ("none", " ")]
    assert can.merged_instructions(several) == (
        "The server files says:\n> Read.\n> The server mail says:\n> > Send.\n\nThe server mail says:\n> Don't."
    )
    assert can.merged_instructions(several[1:]) == "The server mail says:\n> Don't."
    assert can.merged_instructions(several[1:2]) == "Don't."
    assert can.merged_instructions([("none", "")]) is None


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), strategies.text.filter(str.strip)), min_size=2, max_size=4))
def test_no_line_of_a_server_passes_for_a_heading(several: list[tuple[str, str]]) -> None:
    text = can.merged_instructions(several)
    assert text is not None
    heads = [line for line in text.splitlines() if line and not line.startswith("> ")]
    assert heads == [f"The server {name} says:" for name, _ in several]


def test_a_version_is_agreed_on_as_a_server_would() -> None:
    assert can.agreed(V2024) == V2024
    assert can.agreed(MODERN) == can.agreed(None) == can.agreed("1999-01-01") == V2025_11
    assert can.agreed(V2025_11, [V2024, V2025_06, MODERN]) == V2025_06
    with pytest.raises(ValueError, match="initialize"):
        can.agreed(V2024, [MODERN])
    assert (*can.LEGACY, MODERN) == methods.VERSIONS
