"""The embedded engine: the same answers here and in a worker; what goes wrong is told apart, and tells no value."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tidegate import workers
from tidegate_policy import embedded
from tidegate_policy.embedded import Embedded
from tidegate_policy.sources import Failure, PolicyError, Sources, Unit

HEAD = "package tidegate\n\nimport rego.v1\n\n"
UNITS = (Unit("bundle", "data.tidegate.decision"),)
ECHO = f'{HEAD}decision := {{"deny": [{{"rule": input.rule, "reason": data.reason}}]}}\n'


@pytest.fixture(autouse=True)
async def no_worker_is_left() -> AsyncIterator[None]:
    yield
    await workers.close()


def sources(text: str, data: dict[str, Any] | None = None) -> Sources:
    return Sources((("main.rego", text),), data or {}, "r1")


async def asked(text: str, *given: dict[str, Any], seconds: float = 5.0, data: Any = None) -> list[Any]:
    engine = Embedded(seconds)
    await engine.load(sources(text, data), UNITS)
    answers = engine.ask_each(UNITS, given)
    rows = answers if isinstance(answers, list) else await answers
    return [row[0] for row in rows]


async def test_each_input_gets_its_own_answer() -> None:
    answers = await asked(ECHO, {"rule": "a"}, {"rule": "b"}, {}, data={"reason": "No."})
    assert answers == [
        {"deny": [{"rule": "a", "reason": "No."}]},
        {"deny": [{"rule": "b", "reason": "No."}]},
        Failure("undefined"),
    ]


async def test_a_worker_gives_the_same_answers() -> None:
    unbounded = ECHO + "\nunused := numbers.range(1, 3)\n\nalso := unused if input.rule\n"
    text = unbounded.replace("data.reason}}", "data.reason}}") + "\ndecision := {} if unused == input.never\n"
    here, there = Embedded(5.0), Embedded(5.0)
    await here.load(sources(ECHO, {"reason": "No."}), UNITS)
    await there.load(sources(text, {"reason": "No."}), UNITS)
    for given in ({"rule": "a"}, {"rule": "ü"}, {}, {"rule": [1, {"x": None}]}):
        first, second = here.ask(UNITS, given), there.ask(UNITS, given)
        assert isinstance(first, list)
        assert not isinstance(second, list)
        assert await second == first


async def test_an_error_tells_the_place_and_no_value() -> None:
    (failure,) = await asked(f"{HEAD}decision := startswith(input.secret, 1)\n", {"secret": "hunter2"})
    assert failure == Failure("error", "main.rego:5")


async def test_a_conflict_is_an_error() -> None:
    (failure,) = await asked(f"{HEAD}decision := 1 if input.a\n\ndecision := 2 if input.b\n", {"a": 1, "b": 1})
    assert isinstance(failure, Failure)
    assert failure.kind == "error"


async def test_what_runs_away_is_cut_off_and_the_next_one_is_answered() -> None:
    text = (
        f'{HEAD}decision := {{"deny": [x | some x in numbers.range(1, input.most); '
        "some y in numbers.range(1, input.most); x * y == -1]}\n"
    )
    engine = Embedded(0.5)
    await engine.load(sources(text), UNITS)

    async def ask(most: int) -> Any:
        answers = engine.ask(UNITS, {"most": most})
        assert not isinstance(answers, list)
        return (await answers)[0]

    assert await ask(3) == {"deny": []}
    assert await ask(100_000) == Failure("timeout")
    assert await ask(3) == {"deny": []}


async def test_many_at_once_are_all_answered() -> None:
    text = f'{HEAD}decision := {{"labels": [sprintf("%d", [count(numbers.range(1, input.n))])]}}\n'
    engine = Embedded(10.0)
    await engine.load(sources(text), UNITS)

    async def ask(number: int) -> Any:
        answers = engine.ask(UNITS, {"n": number})
        assert not isinstance(answers, list)
        return (await answers)[0]

    answers = await asyncio.gather(*(ask(number) for number in range(1, 40)))
    assert answers == [{"labels": [str(number)]} for number in range(1, 40)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}decision := {{", "main.rego:5"),
        (f"{HEAD}decision := nothing(1)\n", "main.rego:5"),
        (f'{HEAD}decision := http.send({{"method": "get", "url": "http://127.0.0.1/"}})\n', "http.send"),
    ],
)
async def test_what_does_not_compile_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said) as refused:
        await Embedded(1.0).load(sources(text), UNITS)
    assert "\n" not in str(refused.value)


async def test_a_failed_load_leaves_the_old_policy() -> None:
    engine = Embedded(1.0)
    await engine.load(sources(ECHO, {"reason": "No."}), UNITS)
    with pytest.raises(PolicyError):
        await engine.load(sources(f"{HEAD}decision := {{"), UNITS)
    assert engine.ask(UNITS, {"rule": "a"}) == [{"deny": [{"rule": "a", "reason": "No."}]}]


def test_stack_traces_are_not_made() -> None:
    # In a process of its own: Rust looks at its variables once, at the first error of any test before this one.
    program = (
        "from tidegate_policy import evaluating\n"
        f"engine = evaluating.compiled([('main.rego', {HEAD + 'decision := startswith(1, 1)'!r})], {{}})\n"
        "try:\n    engine.eval_rule_as_json('data.tidegate.decision')\n"
        "except RuntimeError as error:\n    print(error)\n"
    )
    env = {**os.environ, "RUST_BACKTRACE": "1"}
    told = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True).stdout
    assert "startswith" in told
    assert "Stack backtrace" not in told


def test_steps_in_tidegates_own_process_are_few() -> None:
    assert embedded.STEPS <= 200_000
