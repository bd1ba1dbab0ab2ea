"""What the hooks of an interceptor must look like, what they are given, and which messages they are called for."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tidegate
from support.plugging import load, refused
from tidegate import Decision, Flow, Message, Proxy, hookspecs, methods
from tidegate.plugins import Matcher
from tidegate.settings import When
from tidegate.testing import flow, notification, parse, request, result_of

CALL = request("tools/call", {"name": "delete_all"})


class Plain:
    @tidegate.hook
    def decide(self, message: Message) -> None: ...


# -- its hooks --------------------------------------------------------------------------------------------------------

hook = tidegate.hook


class Misspelt:
    @hook
    def decied(self, message: Message) -> None: ...


class MisspeltBesideAGoodOne(Plain):
    @hook
    def inspct(self, message: Message) -> None: ...


class MisspeltAndOptional(Plain):
    @hook(optionalhook=True)
    def inspct(self, message: Message) -> None: ...


class Unmarked:
    def decide(self, message: Message) -> None: ...


class UnmarkedBesideAGoodOne(Plain):
    def observe(self, decision: Decision) -> None: ...


class Hookless:
    def helper(self) -> None: ...


class Wrapper:
    @hook(wrapper=True)
    def decide(self, message: Message) -> Any:
        yield
        return None


class OldWrapper:
    @hook(hookwrapper=True)
    def decide(self, message: Message) -> Any:
        yield


class WrongArgument:
    @hook
    def decide(self, mesage: Message) -> None: ...


class ArgumentOfAnotherHook:
    @hook
    def inspect(self, message: Message, findings: Any) -> None: ...


class ArgumentWithADefault:
    @hook
    def decide(self, message: Message, flow: Flow | None = None) -> None: ...


class ArgumentByKeyword:
    @hook
    def decide(self, *, message: Message) -> None: ...


class AnyArguments:
    @hook
    def decide(self, *everything: Any) -> None: ...


class ArgumentForNothing:
    @hook
    def shutdown(self, proxy: Proxy) -> None: ...


class ArgumentBehindAnotherName:
    @hook(specname="decide")
    def judge(self, mesage: Message) -> None: ...


class Yields:
    @hook
    async def inspect(self, message: Message) -> AsyncIterator[Any]:
        yield 1


class Twice(Plain):
    @hook(specname="decide")
    def also(self, message: Message) -> None: ...


HOOKS = "the hooks are startup, transform, inspect, decide, observe, shutdown"
MISSHAPEN: list[tuple[type, str]] = [
    (Misspelt, f"an interceptor implements the hook 'decied', which doesn't exist; {HOOKS}"),
    (MisspeltBesideAGoodOne, f"an interceptor implements the hook 'inspct', which doesn't exist; {HOOKS}"),
    (MisspeltAndOptional, f"an interceptor implements the hook 'inspct', which doesn't exist; {HOOKS}"),
    (Unmarked, "interceptor 'mine': its method decide is not marked with @tidegate.hook"),
    (UnmarkedBesideAGoodOne, "interceptor 'mine': its method observe is not marked with @tidegate.hook"),
    (Hookless, "interceptor 'mine' implements no hook"),
    (Wrapper, "interceptor 'mine': decide is a hook wrapper, which could swallow a deny"),
    (OldWrapper, "interceptor 'mine': decide is a hook wrapper, which could swallow a deny"),
    (
        WrongArgument,
        "interceptor 'mine': decide has an argument 'mesage'; it may have message, flow, findings",
    ),
    (ArgumentOfAnotherHook, "interceptor 'mine': inspect has an argument 'findings'; it may have message, flow"),
    (ArgumentWithADefault, "interceptor 'mine': decide gets no argument 'flow', because it has a default"),
    (ArgumentByKeyword, "interceptor 'mine': decide gets no argument 'message', because it comes by keyword only"),
    (
        AnyArguments,
        "interceptor 'mine': decide has an argument '*everything'; it may have message, flow, findings",
    ),
    (ArgumentForNothing, "interceptor 'mine': shutdown has an argument 'proxy'; it has none"),
    (Yields, "interceptor 'mine': inspect must return its results, not yield them"),
    (Twice, "interceptor 'mine' implements decide twice"),
]


@pytest.mark.requirement("explicit-only")
@pytest.mark.parametrize(("cls", "said"), MISSHAPEN, ids=[cls.__name__ for cls, _ in MISSHAPEN])
def test_hooks_that_do_not_fit_are_refused(cls: type, said: str) -> None:
    assert refused(cls) == said


def test_a_wrong_argument_behind_another_name_is_refused_in_pluggys_words() -> None:
    assert "{'mesage'}" in refused(ArgumentBehindAnotherName)


def test_an_argument_of_ones_own_may_have_a_default() -> None:
    class Defaults:
        @hook
        def decide(self, message: Message, _cache: dict[str, str] = {}) -> Any:  # noqa: B006 - what is tested
            return message

    (made,) = load(Defaults)
    assert made.hooks["decide"].call("message", "flow", "findings") == "message"


def test_a_hook_gets_the_arguments_it_names_in_the_order_it_names_them() -> None:
    got: list[tuple[Any, ...]] = []

    class Some:
        @hook
        def startup(self) -> None:
            got.append(())

        @hook
        def transform(self, flow: Flow, message: Message) -> None:
            got.append((flow, message))

        @hook
        def inspect(self, flow: Flow) -> None:
            got.append((flow,))

        @hook
        def decide(self, findings: Any, message: Message) -> None:
            got.append((findings, message))

        @hook(specname="observe")
        def watch(self, flow: Flow, decision: Decision) -> None:
            got.append((flow, decision))

        @hook(tryfirst=True)
        async def shutdown(self) -> None: ...

    (made,) = load(Some)
    assert set(made.hooks) == set(hookspecs.HOOKS)
    for name in ("startup", "transform", "inspect", "decide", "observe"):
        made.hooks[name].call("first", "flow", "findings")
    assert got == [(), ("flow", "first"), ("flow",), ("findings", "first"), ("flow", "first")]


@given(st.permutations(["message", "flow", "findings"]), st.integers(0, 3))
def test_any_choice_of_arguments_in_any_order_is_served(names: list[str], count: int) -> None:
    chosen = names[:count]
    scope: dict[str, Any] = {}
    exec(f"def decide(self, {', '.join(chosen)}): return [{', '.join(chosen)}]", scope)
    (made,) = load(type("Chosen", (), {"decide": hook(scope["decide"])}))
    given_ = {"message": 1, "flow": 2, "findings": 3}
    assert made.hooks["decide"].call(1, 2, 3) == [given_[name] for name in chosen]


def test_a_mark_with_kinds_that_do_not_exist_or_on_a_hook_that_has_none_is_refused() -> None:
    class Misspelt:
        @hook(kinds=("reply",))  # type: ignore[arg-type]  # what is tested
        def decide(self, message: Message) -> None: ...

    class Watching:
        @hook(kinds=("request",))
        def observe(self, decision: Decision) -> None: ...

    for cls, name in ((Misspelt, "decide"), (Watching, "observe")):
        assert f"{name} is marked with kinds" in refused(cls)
        assert "the kinds are request, notification, result, error" in refused(cls)


# -- when -------------------------------------------------------------------------------------------------------------


def covers(when: dict[str, list[str]], message: Message | None, server: str = "files", asked: Any = None) -> bool:
    matcher = Matcher(When.model_validate(when))
    found = flow(message, server=server, request=asked)
    return matcher.covers(server, message.method if message else None) and matcher.hits(found, message)


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        ({}, True),
        ({"servers": ["files"]}, True),
        ({"servers": ["f*"]}, True),
        ({"servers": ["mail", "fi?es"]}, True),
        ({"servers": ["FILES"]}, False),
        ({"servers": ["file"]}, False),
        ({"methods": ["tools/*"]}, True),
        ({"methods": ["tools"]}, False),
        ({"methods": ["*"]}, True),
        ({"targets": ["delete_*"]}, True),
        ({"targets": ["[!d]*", "delete"]}, False),
        ({"servers": ["files"], "methods": ["tools/call"], "targets": ["delete_all"]}, True),
        ({"servers": ["mail"], "methods": ["tools/call"], "targets": ["delete_all"]}, False),
        ({"servers": ["files"], "methods": ["prompts/*"], "targets": ["delete_all"]}, False),
    ],
)
def test_an_entry_covers_what_all_of_its_lists_cover(when: dict[str, list[str]], *, hit: bool) -> None:
    assert covers(when, CALL) is hit
    assert covers(when, result_of(CALL, {}), asked=CALL) is hit  # and its reply


def subscribing(*uris: Any) -> Message:
    return request("subscriptions/listen", {"notifications": {"resourceSubscriptions": list(uris)}})


@pytest.mark.parametrize(
    "message",
    [
        request("tools/call"),
        *(request("tools/call", {"name": name}) for name in (7, None, ["delete_all"], {"name": "delete_all"})),
        *(request("completion/complete", {"ref": ref}) for ref in (7, None, "delete_all", {}, {"name": 7})),
        subscribing("file:///a", 7),
    ],
)
def test_a_target_that_can_not_be_read_may_be_any_so_it_is_covered(message: Message) -> None:
    assert covers({"targets": ["else"]}, message)
    assert not covers({"targets": ["else"], "servers": ["mail"]}, message)


def test_one_covered_target_of_many_is_enough() -> None:
    listen = subscribing("file:///a", "file:///b")
    assert covers({"targets": ["file:///b"]}, listen)
    assert not covers({"targets": ["file:///c"]}, listen)


def test_what_has_no_target_is_not_covered_by_targets() -> None:
    assert not covers({"targets": ["*"]}, request("tools/list"))
    assert not covers({"targets": ["*"]}, notification("notifications/initialized"))
    assert not covers({"targets": ["*"]}, None)


def test_what_has_no_method_is_covered_by_any_methods() -> None:
    lost = parse('{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}', "server")
    assert covers({"methods": ["tools/*"]}, lost)
    assert covers({"methods": ["tools/*"]}, None)
    assert not covers({"servers": ["mail"], "methods": ["tools/*"]}, lost)


@given(st.sampled_from(sorted(methods.METHODS)), st.text(max_size=5))
def test_a_name_is_covered_by_itself_and_by_a_star(method: str, name: str) -> None:
    message = request(method, {"name": name})
    assert covers({"methods": [method]}, message)
    assert covers({"methods": ["*"]}, message)
    assert covers({"servers": ["*"]}, message)
