"""Frozen dataclasses that are made quickly are what they were before, only quicker."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import pytest

from tidegate.flow import Flow, Server
from tidegate.message import Message
from tidegate.quick import quick
from tidegate.upstream import Context
from tidegate.verdict import Decision


@quick
@dataclass(frozen=True, slots=True)
class Example:
    one: int
    two: str = "two"
    three: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.one < 0:
            raise ValueError("one is negative")


def test_positions_keywords_and_defaults_are_as_declared() -> None:
    assert Example(1) == Example(one=1, two="two", three=[])
    assert Example(1, "b", [3]).three == [3]
    assert repr(Example(1)) == "Example(one=1, two='two', three=[])"


def test_a_default_factory_makes_a_new_value_each_time() -> None:
    assert Example(1).three is not Example(1).three


def test_what_was_checked_after_making_is_still_checked() -> None:
    with pytest.raises(ValueError, match="negative"):
        Example(-1)


@pytest.mark.parametrize("given", [(), (1, "b", [], 4)])
def test_missing_and_superfluous_arguments_are_refused(given: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        Example(*given)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    "made",
    [Example(1), Flow("f", Server("s")), Message("result", "server", 1, None, {}), Context(), Decision("d", None)],
)
def test_it_is_frozen_and_can_be_replaced(made: object) -> None:
    name = dataclasses.fields(made)[0].name  # type: ignore[arg-type]  # they all are dataclasses
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, name, None)
    assert dataclasses.replace(made) is not made  # type: ignore[type-var]  # as above
