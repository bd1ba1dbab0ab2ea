"""The gateway's own tools: valid definitions, and arguments held against them."""

import re
from typing import Any

import pytest

from tidegate.gateway import own_tools
from tidegate.gateway.own_tools import DEFINITIONS, DYNAMIC, SEARCH, Mistake, checked


def test_each_is_defined_once_and_by_its_own_name() -> None:
    assert set(DEFINITIONS) == {*SEARCH, *DYNAMIC}
    assert all(definition["name"] == name for name, definition in DEFINITIONS.items())


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS.keys())
def test_a_definition_is_one_that_every_client_takes(definition: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z-]{1,64}", definition["name"]), "some clients take no other characters, nor more"
    assert "__" not in definition["name"], "no server's tool is moved there by a clash"
    schema = definition["inputSchema"]
    assert schema["type"] == "object"
    assert set(schema.get("required", ())) <= set(schema["properties"])
    assert len(definition["description"]) < 300


def test_good_arguments_are_taken_as_they_are() -> None:
    given = {"query": "x", "limit": 20}
    assert checked(own_tools.FIND_TOOL, given) == given
    assert checked(own_tools.LIST_SERVERS, None) == {}
    assert checked(own_tools.FIND_SERVER, {}) == {}
    assert checked(own_tools.CALL_TOOL, {"name": "a", "arguments": {"b": None}})["arguments"] == {"b": None}


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("list-servers", [], "The arguments of list-servers are an object."),
        ("list-servers", {"a": 1}, "list-servers has an argument that it knows nothing of; it has: none."),
        ("add-server", None, "add-server wants the argument name."),
        ("add-server", {"name": 1}, "add-server wants text for the argument name."),
        ("find-tool", {"query": "x", "limit": 0}, "find-tool wants a whole number from 1 to 20 for limit."),
        ("find-tool", {"query": "x", "limit": 1.0}, "find-tool wants a whole number from 1 to 20 for limit."),
    ],
)
def test_what_is_wrong_with_arguments_is_said_in_one_sentence_without_them(
    tool: str, arguments: Any, said: str
) -> None:
    with pytest.raises(Mistake) as caught:
        checked(tool, arguments)
    assert str(caught.value) == said
