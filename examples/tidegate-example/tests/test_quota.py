"""What `quota` promises, shown on Tidegate's real pipeline."""

import pytest
from tidegate import Decision, Session
from tidegate.testing import (
    Clock,
    Harness,
    SettingsError,
    assert_denied,
    assert_passes,
    flow,
    harness,
    notification,
    request,
    samples,
    session,
)

from tidegate_example import Quota


async def call(h: Harness, conversation: Session, tool: str = "search", server: str = "web") -> Decision:
    message = request("tools/call", {"name": tool, "arguments": {}})
    return await h.judge(message, flow(message, server=server, session=conversation))


async def test_a_call_over_the_limit_is_denied_until_the_while_is_over() -> None:
    clock = Clock()
    talk = session(clock)
    async with harness(Quota, {"limit": 2, "seconds": 60}) as h:
        assert_passes(await call(h, talk))
        clock.advance(30)
        assert_passes(await call(h, talk))
        denied = assert_denied(await call(h, talk), rule="quota")
        assert denied.reason == "This tool may be called 2 times in 60 seconds."
        clock.advance(31)
        assert_passes(await call(h, talk))
        assert_denied(await call(h, talk), rule="quota")


async def test_each_tool_server_and_conversation_has_its_own_count() -> None:
    talk = session()
    async with harness(Quota, {"limit": 1}) as h:
        assert_passes(await call(h, talk))
        assert_passes(await call(h, talk, tool="fetch"))
        assert_passes(await call(h, talk, server="files"))
        assert_passes(await call(h, session()))
        assert_denied(await call(h, talk))


async def test_only_the_tools_named_are_counted() -> None:
    talk = session()
    async with harness(Quota, {"limit": 1, "tools": ["web/*"]}) as h:
        assert_passes(await call(h, talk, server="files"))
        assert_passes(await call(h, talk, server="files"))
        assert_passes(await call(h, talk))
        assert_denied(await call(h, talk))


async def test_calls_that_are_forgotten_are_not_taken_for_none() -> None:
    """A conversation remembers its last calls only, so a flood of others could hide those that count."""
    talk = session()
    async with harness(Quota, {"limit": 2}) as h:
        assert talk.calls.maxlen is not None
        for number in range(talk.calls.maxlen):
            talk.called("web", "tools/call", f"other-{number}", ())
        assert_denied(await call(h, talk), rule="quota-unknown")


async def test_a_call_that_wants_no_answer_can_not_be_counted_so_it_is_denied() -> None:
    async with harness(Quota, {"limit": 2}) as h:
        message = notification("tools/call", {"name": "search"})
        assert_denied(await h.judge(message, flow(message)), rule="quota-unknown")


async def test_nothing_but_calls_is_stopped() -> None:
    async with harness(Quota, {"limit": 1}) as h:
        for sample in samples():
            assert (await h.judge(sample.message, sample.flow)).allowed, str(sample)


@pytest.mark.parametrize("config", [{}, {"limit": 0}, {"limit": 1, "second": 9}, {"limit": 1, "seconds": 0}])
async def test_settings_that_can_not_be_meant_stop_the_start(config: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        async with harness(Quota, config):
            pass
