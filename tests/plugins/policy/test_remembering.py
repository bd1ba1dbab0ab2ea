"""Decisions are remembered where they can't differ, and only there."""

from typing import Any

from tidegate_policy.embedded import Embedded
from tidegate_policy.remembering import LONGEST, MOST, Remembered
from tidegate_policy.sources import Sources, Unit

UNIT = Unit("bundle", "data.tidegate.decision")
HEAD = "package tidegate\n\nimport rego.v1\n\n"


def remembered(body: str) -> Remembered:
    return Remembered(Sources((("main.rego", f"{HEAD}{body}\n"),), {}, "r"), (UNIT,))


def test_only_what_is_read_counts() -> None:
    kept = remembered('decision := {"deny": [input.tool.name]}')
    one = kept.key(UNIT.query, {"tool": {"name": "a"}, "arguments": {"x": 1}})
    assert one == kept.key(UNIT.query, {"tool": {"name": "a"}, "arguments": {"x": 2}})
    assert one != kept.key(UNIT.query, {"tool": {"name": "b"}, "arguments": {"x": 1}})
    assert kept.key(UNIT.query, {"tool": None}) != kept.key(UNIT.query, {})
    kept.keep(UNIT.query, one, {"deny": ["a"]})
    assert kept.get(UNIT.query, one) == {"deny": ["a"]}


def test_what_reads_history_time_or_everything_is_not_remembered() -> None:
    for read in ("input.session.labels", "input.time.hour", "input.message.digest", "input", "input[input.x]"):
        kept = remembered(f'decision := {{"labels": [x | x := {read}]}}')
        assert kept.key(UNIT.query, {"session": {}, "x": 1}) is None
    through = remembered('decision := {"labels": later(1)}\n\nlater(_) := input.session.labels')
    assert through.key(UNIT.query, {}) is None


def test_what_is_kept_is_bounded() -> None:
    kept = remembered('decision := {"deny": [input.tool.name]}')
    assert kept.key(UNIT.query, {"tool": {"name": "x" * LONGEST}}) is None
    keys = [kept.key(UNIT.query, {"tool": {"name": str(number)}}) for number in range(MOST + 5)]
    for key in keys:
        kept.keep(UNIT.query, key, {})
    assert sum(kept.get(UNIT.query, key) is not None for key in keys) <= MOST


async def test_the_engine_answers_the_same_whether_it_remembers_or_not() -> None:
    engine = Embedded(5.0)
    text = f'{HEAD}decision := {{"deny": [x | some x in input.arguments]}}\n'
    await engine.load(Sources((("main.rego", text),), {}, "r"), (UNIT,))
    for _ in range(3):
        for arguments in ([1], ["1"], [True], [1, 2], [], {"a": 1}):
            answer: Any = engine.ask((UNIT,), {"arguments": arguments})
            values = list(arguments.values()) if isinstance(arguments, dict) else arguments
            assert answer == [{"deny": values}]
            assert [type(each) for each in answer[0]["deny"]] == [type(each) for each in values]
