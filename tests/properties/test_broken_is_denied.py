"""The law broken-is-denied: whatever an interceptor does wrong, its message is denied, in time, and recorded so."""

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import structlog

from support.rig import Entry, Witness, entry, running_pipeline
from tidegate import Deny, Finding, Flow, Hold, Message, Redact
from tidegate.testing import assert_denied, flow, request

pytestmark = pytest.mark.requirement("broken-is-denied")

SECRET = "hunter2-is-not-for-logs"
CALL = request("tools/call", {"name": "add", "arguments": {"password": SECRET}})
DEADLINE = 0.05


class PanicException(BaseException):
    """What an extension written in Rust raises when it panics: no Exception, only a BaseException."""


class Unprintable(Exception):  # noqa: N818 - it is about what it can't do
    def __str__(self) -> str:
        raise RuntimeError(SECRET)


def raising(error: BaseException) -> Callable[..., Any]:
    def hook(*_: Any) -> Any:
        raise error

    return hook


def raising_later(error: BaseException) -> Callable[..., Any]:
    async def hook(*_: Any) -> Any:
        await asyncio.sleep(0)
        raise error

    return hook


def returning(value: Any) -> Callable[..., Any]:
    return lambda *_: value


def giving_up_midway(*_: Any) -> Iterator[Finding]:
    yield Finding("secret", "rule")
    raise ValueError(SECRET)


async def yielding_asynchronously(*_: Any) -> AsyncIterator[Finding]:
    yield Finding("secret", "rule")


def late(*_: Any) -> None:
    time.sleep(DEADLINE * 1.5)  # sleep: it is late on purpose


def late_generator(*_: Any) -> Iterator[Finding]:
    yield Finding("secret", "rule")
    time.sleep(DEADLINE * 1.5)  # sleep: it is late on purpose


async def hanging(*_: Any) -> None:
    await asyncio.get_running_loop().create_future()


async def swallowing(*_: Any) -> None:
    try:
        await hanging()
    except asyncio.CancelledError:
        return


async def swallowing_and_going_on(*_: Any) -> None:
    try:
        await hanging()
    except asyncio.CancelledError:
        await asyncio.sleep(DEADLINE)  # sleep: it goes on after it was told to stop


async def swallowing_and_raising(*_: Any) -> None:
    try:
        await hanging()
    except asyncio.CancelledError as cancelled:
        raise ValueError(SECRET) from cancelled


async def swallowing_again(*_: Any) -> None:
    """Goes on however often it is cancelled, for as long as the test that calls it takes."""
    end = asyncio.get_running_loop().time() + 20 * DEADLINE
    while asyncio.get_running_loop().time() < end:
        try:
            await asyncio.sleep(DEADLINE)  # sleep: it goes on after it was told to stop
        except asyncio.CancelledError:
            continue


async def cancelling_itself(*_: Any) -> None:
    raise asyncio.CancelledError


async def timing_out_itself(*_: Any) -> None:
    raise TimeoutError(SECRET)


ERRORS = (
    ValueError(SECRET),
    KeyError(SECRET),
    PanicException(SECRET),
    SystemExit(SECRET),
    StopIteration(SECRET),
    RecursionError(SECRET),
    MemoryError(),
    asyncio.CancelledError(),
    TimeoutError(),
    Unprintable(),
    ExceptionGroup(SECRET, [ValueError(SECRET)]),
    BaseExceptionGroup(SECRET, [PanicException(SECRET)]),
)
RAISES = [pytest.param(raising(error), id=type(error).__name__) for error in ERRORS] + [
    # An async def can't raise StopIteration: Python makes it a RuntimeError.
    pytest.param(raising_later(error), id=f"async-{type(error).__name__}")
    for error in ERRORS
]
LATE = [
    pytest.param(behaviour, id=behaviour.__name__.replace("_", "-"))
    for behaviour in (late, hanging, swallowing, swallowing_and_going_on, swallowing_and_raising, swallowing_again)
]
BROKEN = [
    pytest.param(behaviour, id=behaviour.__name__.replace("_", "-"))
    for behaviour in (cancelling_itself, timing_out_itself)
]
DEFIANT = object()
WRONG: dict[str, list[Any]] = {
    "transform": [True, False, 0, "", {}, [], "message", CALL.tree, b"{}", Deny("no"), DEFIANT, [CALL]],
    "inspect": [True, 0, 1.5, "secret", b"secret", {"a": 1}, [None], [Deny("no")], [CALL], DEFIANT, Finding("a", "b")],
    "decide": [True, False, 0, "deny", b"deny", {"deny": 1}, [None], [Finding("a", "b")], [[Deny("no")]], DEFIANT],
    "observe": [True, False, 0, "", [], DEFIANT],
}
RETURNS = [pytest.param(hook, value, id=f"{hook}-{value!r:.20}") for hook, values in WRONG.items() for value in values]


async def denied_by(broken: Entry, code: str, caplog: pytest.LogCaptureFixture | None = None) -> None:
    """Judge a message with one good and one broken interceptor, in both orders; see that it is denied."""
    for first in (True, False):
        witness = Witness()
        others = [broken, witness.entry()] if first else [witness.entry(), broken]
        async with running_pipeline(*others, proxy={"deadline": 5.0}) as pipeline:
            decision = await asyncio.wait_for(pipeline.judge(CALL, flow(CALL)), 5)
        assert_denied(decision, code=code)
        assert not decision.allowed
        assert witness.recorded[-1].verdict == "deny"
        assert SECRET not in repr((decision.effects, decision.steps, decision.note))


HOOKS = ("transform", "inspect", "decide", "observe")


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("behaviour", RAISES)
async def test_an_interceptor_that_raises_denies(hook: str, behaviour: Callable[..., Any]) -> None:
    code = "unrecorded" if hook == "observe" else "broken"
    await denied_by(entry({"required": True}, **{hook: behaviour}), code)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("behaviour", BROKEN)
async def test_an_interceptor_that_fails_in_an_odd_way_denies(hook: str, behaviour: Callable[..., Any]) -> None:
    code = "unrecorded" if hook == "observe" else "broken"
    await denied_by(entry({"required": True, "deadline": DEADLINE}, **{hook: behaviour}), code)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("behaviour", LATE)
async def test_an_interceptor_that_is_late_denies(hook: str, behaviour: Callable[..., Any]) -> None:
    code = "unrecorded" if hook == "observe" else "late"
    await denied_by(entry({"required": True, "deadline": DEADLINE}, **{hook: behaviour}), code)


@pytest.mark.parametrize(("hook", "value"), RETURNS)
async def test_an_interceptor_that_returns_the_wrong_type_denies(hook: str, value: Any) -> None:
    code = "unrecorded" if hook == "observe" else "broken"
    await denied_by(entry({"required": True}, **{hook: returning(value)}), code)


@pytest.mark.parametrize("hook", ["inspect", "decide"])
async def test_a_generator_that_raises_midway_denies(hook: str) -> None:
    await denied_by(entry(**{hook: giving_up_midway}), "broken")


async def test_a_generator_that_is_late_midway_denies() -> None:
    await denied_by(entry({"deadline": DEADLINE}, inspect=late_generator), "late")


@pytest.mark.parametrize("hook", HOOKS)
async def test_an_asynchronous_generator_behind_a_plain_function_denies(hook: str) -> None:
    code = "unrecorded" if hook == "observe" else "broken"
    await denied_by(entry({"required": True}, **{hook: yielding_asynchronously}), code)


PASSWORD = "/params/arguments/password"


@pytest.mark.parametrize(
    ("hook", "made", "parts"),
    [
        ("decide", Deny, {"reason": None}),
        ("decide", Deny, {"reason": "no", "code": "made-up"}),
        ("decide", Deny, {"reason": "no", "rule": 5}),
        ("decide", Deny, {"reason": "\ud800"}),
        ("decide", Redact, {"pointer": None}),
        ("decide", Redact, {"pointer": PASSWORD, "span": ("a", "b")}),
        ("decide", Redact, {"pointer": PASSWORD, "span": (0, 1, 2)}),
        ("decide", Redact, {"pointer": PASSWORD, "span": 5}),
        ("decide", Redact, {"pointer": PASSWORD, "label": None}),
        ("decide", Redact, {"pointer": PASSWORD, "label": "\ud800"}),
        ("decide", Hold, {"reason": 5}),
        ("decide", Hold, {"reason": "wait", "approvers": "me"}),
        ("decide", Hold, {"reason": "wait", "ttl": "soon"}),
        ("inspect", Finding, {"kind": "secret", "rule": "rule", "labels": None}),
        ("inspect", Finding, {"kind": "secret", "rule": "rule", "labels": (["a"],)}),
        ("inspect", Finding, {"kind": "secret", "rule": "rule", "labels": "label"}),
        ("inspect", Finding, {"kind": "secret", "rule": "rule", "confidence": "high"}),
        ("inspect", Finding, {"kind": "secret", "rule": None}),
    ],
)
async def test_an_effect_or_finding_with_a_part_of_the_wrong_type_denies(
    hook: str, made: Callable[..., Any], parts: dict[str, Any]
) -> None:
    await denied_by(entry(**{hook: lambda *_: [made(**parts)]}), "broken")


def smuggling(tree: dict[str, Any]) -> Callable[..., Any]:
    def transform(message: Message, _flow: Flow) -> Message:
        return Message(message.kind, message.sender, message.id, message.method, {**message.tree, **tree})

    return transform


@pytest.mark.parametrize(
    "tree",
    [
        {"method": "tools/list"},
        {"id": 99},
        {"id": "1"},
        {"params": [1]},
        {"params": None},
        {"result": {}},
        {"Method": 1},
    ],
    ids=str,
)
async def test_a_transform_whose_message_is_another_than_it_says_denies(tree: dict[str, Any]) -> None:
    await denied_by(entry(transform=smuggling(tree)), "broken")


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        "\ud800",
        pytest.param(object(), id="object"),
        {1: 2},
        b"",
        {"a": float("nan")},
    ],
    ids=repr,
)
async def test_a_transform_that_puts_in_what_json_can_not_say_denies(value: Any) -> None:
    def transform(message: Message, _flow: Flow) -> Message:
        return message.replace("/params/arguments/password", value, label="odd")

    await denied_by(entry(transform=transform), "broken")


@pytest.mark.requirement("secrets-stay-in")
async def test_what_an_interceptor_raises_is_logged_by_name_and_place_only(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()  # whatever another test has set up
    async with running_pipeline(entry(decide=raising(ValueError(SECRET)))) as pipeline:
        await pipeline.judge(CALL, flow(CALL))
    said = "".join(capsys.readouterr())
    assert "ValueError" in said
    assert SECRET not in said


async def test_a_hook_that_returns_a_future_is_waited_for_and_is_late_where_it_never_comes() -> None:
    def later(*_: Any) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(future.set_result, Deny("no", rule="later"))
        return future

    def never(*_: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    def failing(*_: Any) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        future.set_exception(ValueError(SECRET))
        return future

    for behaviour, code in ((later, "denied"), (never, "late"), (failing, "broken")):
        async with running_pipeline(entry(decide=behaviour), proxy={"deadline": DEADLINE}) as pipeline:
            assert_denied(await pipeline.judge(CALL, flow(CALL)), code=code)


async def test_a_message_given_up_while_a_hook_is_waited_for_ends_the_hook_too() -> None:
    ended = asyncio.Event()

    async def waiting(*_: Any) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    async with running_pipeline(entry(decide=waiting), proxy={"deadline": 60}) as pipeline:
        judging = asyncio.create_task(pipeline.judge(CALL, flow(CALL)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        judging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await judging
        async with asyncio.timeout(60):
            await ended.wait()


async def test_a_hook_that_fails_for_every_message_is_logged_once_a_second_with_how_often_it_was_not() -> None:
    async with running_pipeline(entry(decide=raising(ValueError(SECRET)))) as pipeline:
        with structlog.testing.capture_logs() as logged:
            for _ in range(50):
                assert_denied(await pipeline.judge(CALL, flow(CALL)), code="broken")
        assert len(logged) < 50
        (hook,) = (item.hooks["decide"] for item in pipeline.interceptors)
        hook.said._next = 0.0  # as if the second were over
        with structlog.testing.capture_logs() as later:
            assert_denied(await pipeline.judge(CALL, flow(CALL)), code="broken")
    assert later[0]["times_since_last_told"] >= 1


async def test_the_log_says_what_the_system_refused_and_nothing_of_the_error_itself() -> None:
    async with running_pipeline(entry(decide=raising(OSError(errno.ENOSPC, SECRET)))) as pipeline:
        with structlog.testing.capture_logs() as logged:
            assert_denied(await pipeline.judge(CALL, flow(CALL)), code="broken")
    assert logged[0]["reason"] == "No space left on device"
    assert SECRET not in str(logged)
