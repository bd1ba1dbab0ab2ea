"""Who may share an instance, and what that gives up."""

from typing import Any

import pytest

from tidegate.settings import ServerSettings
from tidegate.sharing import alike, loosened
from tidegate.testing import request


def initialize(**params: Any) -> Any:
    return request("initialize", {"protocolVersion": "2025-11-25", "capabilities": {"a": {"b": 1, "c": [2]}}, **params})


def test_those_who_opened_with_the_same_version_and_capabilities_may_share() -> None:
    one = alike(initialize(clientInfo={"name": "one"}))
    assert one == alike(initialize(clientInfo={"name": "two"}))
    assert one == alike(initialize(capabilities={"a": {"c": [2], "b": 1}}))


@pytest.mark.parametrize(
    "other",
    [
        {"protocolVersion": "2025-06-18"},
        {"capabilities": {"a": {"b": 1, "c": [3]}}},
        {"capabilities": {}},
        {"capabilities": None},
    ],
)
def test_those_who_opened_differently_may_not(other: dict[str, Any]) -> None:
    assert alike(initialize()) != alike(initialize(**other))
    assert alike(request("initialize")) != alike(initialize(**other))


@pytest.mark.parametrize(("share", "sentences"), [("session", 0), ("call", 0), ("principal", 1), ("all", 1)])
def test_sharing_more_than_by_default_is_told(share: str, sentences: int) -> None:
    server = ServerSettings.model_validate({"command": ["x"], "share": share})
    assert len(loosened(server)) == sentences
