"""An OPA server that is killed, hung, slowed and started anew under load: only denies, in time, and then it goes on.

The policy denies odd numbers. So an odd number that passes was not judged, or judged by the answer about another
message; and that even numbers pass shows that the policy is back.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from support.opa_server import OpaServer, free_port, slowed
from tidegate import Decision
from tidegate.testing import Harness, SettingsError, flow, harness, request
from tidegate_policy import Policy

pytestmark = [pytest.mark.opa, pytest.mark.requirement("broken-is-denied"), pytest.mark.requirement("nothing-unjudged")]

TIMEOUT = 0.3
SLACK = 3.0  # seconds that a busy machine may take beside
SECONDS = 60.0
WORKERS = 8
RULES = """package tidegate

import rego.v1

decision := {"deny": deny}

deny contains {"rule": "odd", "reason": "Odd numbers don't pass."} if input.arguments.number % 2 == 1
"""


class Load:
    """Messages that are sent without a pause, one after the other by each of several workers."""

    def __init__(self, h: Harness) -> None:
        self.outcomes: Counter[str] = Counter()
        self.longest = 0.0
        self._h = h
        self._numbers = count()
        self._answered = asyncio.Event()

    async def send(self) -> str:
        number = next(self._numbers)
        began = time.monotonic()
        decision = await self._h.pipeline.judge(*message(number))
        self.longest = max(self.longest, time.monotonic() - began)
        outcome = judged(number, decision)
        self.outcomes[outcome] += 1
        self._answered.set()
        return outcome

    async def send_until(self, wanted: str) -> None:
        async with asyncio.timeout(SECONDS):
            while await self.send() != wanted:
                await turn()

    async def run(self) -> None:
        while True:
            await self.send()
            await turn()

    async def until(self, wanted: Callable[[Counter[str]], bool]) -> Counter[str]:
        """Wait until what came out from now on is as wanted."""
        before = Counter(self.outcomes)
        async with asyncio.timeout(SECONDS):
            while not wanted(self.outcomes - before):
                self._answered.clear()
                await self._answered.wait()
        return self.outcomes - before

    async def until_it_works(self) -> None:
        await self.until(lambda seen: seen["passed"] > 50 and seen["odd"] > 50)

    async def until_it_only_denies(self, code: str) -> None:
        await self.until(lambda seen: seen[code] > 2 * WORKERS)
        seen = await self.until(lambda seen: seen.total() > 2 * WORKERS)
        assert not seen["passed"]


async def turn() -> None:
    """Let the loop do what else there is."""
    await asyncio.sleep(0)


def message(number: int) -> tuple[Any, Any]:
    made = request("tools/call", {"name": "count", "arguments": {"number": number}})
    return made, flow(made)


def judged(number: int, decision: Decision) -> str:
    """Return what became of a message; fail where one passed that mustn't."""
    if decision.allowed:
        assert number % 2 == 0, "an odd number passed"
        return "passed"
    assert decision.stopper is not None
    rule = decision.stopper[1].rule
    assert rule != "odd" or number % 2 == 1, "an even number was denied by the answer about another"
    return rule.removeprefix("bundle/")


@asynccontextmanager
async def policed(folder: Path, *urls: str, rules: str = RULES) -> AsyncIterator[Harness]:
    (folder / "policies").mkdir()
    (folder / "policies" / "main.rego").write_text(rules)
    config = {"bundle": "policies", "engine": "opa", "opa": {"urls": urls}, "timeout": TIMEOUT, "watch": 0.0}
    async with harness(Policy, config, folder=folder, deadline=10.0) as h:
        yield h


@asynccontextmanager
async def loaded(folder: Path, *urls: str) -> AsyncIterator[Load]:
    async with policed(folder, *urls) as h:
        load = Load(h)
        workers = [asyncio.create_task(load.run()) for _ in range(WORKERS)]
        try:
            await load.until_it_works()
            yield load
        finally:
            for worker in workers:
                worker.cancel()
            ended = await asyncio.gather(*workers, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended
        assert load.longest < TIMEOUT + SLACK


@pytest.fixture
def server() -> Iterator[OpaServer]:
    with OpaServer() as started:
        yield started


async def test_a_killed_server_means_denies_until_it_is_back_and_the_policy_with_it(
    server: OpaServer, tmp_path: Path
) -> None:
    async with loaded(tmp_path, server.url) as load:
        for _ in range(2):
            await asyncio.to_thread(server.kill)
            await load.until_it_only_denies("down")
            await asyncio.to_thread(server.start)
            await load.until_it_works()


async def test_a_hung_server_means_denies_in_time_until_it_goes_on(server: OpaServer, tmp_path: Path) -> None:
    async with loaded(tmp_path, server.url) as load:
        with server.hung():
            await load.until_it_only_denies("down")
        await load.until_it_works()


async def test_a_slow_server_means_denies_and_no_late_answer_is_taken_for_another(
    server: OpaServer, tmp_path: Path
) -> None:
    async with slowed(server.port) as relay, loaded(tmp_path, relay.url) as load:
        relay.delay = TIMEOUT * 1.5
        await load.until(lambda seen: seen["timeout"] >= WORKERS)
        for share in (0.9, 0.99, 1.0, 1.01, 0.5):
            relay.delay = TIMEOUT * share
            await load.until(lambda seen: seen.total() > 4 * WORKERS)
        relay.delay = 0.0
        await load.until_it_works()


async def test_a_server_that_was_started_anew_between_two_messages_gets_the_policy_again(
    server: OpaServer, tmp_path: Path
) -> None:
    async with policed(tmp_path, server.url) as h:
        load = Load(h)
        assert [await load.send() for _ in range(2)] == ["passed", "odd"]
        server.kill()
        server.start()
        await load.send_until("passed")  # giving the policy may take longer than a message has


@pytest.mark.parametrize("how", ["killed", "hung"])
async def test_a_second_address_answers_where_the_first_does_not(tmp_path: Path, server: OpaServer, how: str) -> None:
    with OpaServer() as second:
        async with loaded(tmp_path, server.url, second.url) as load:
            server.kill() if how == "killed" else server.pause()
            await load.until_it_works()
            seen = await load.until(lambda seen: seen.total() > 500)
            assert set(seen) == {"passed", "odd"}
            await asyncio.to_thread(second.kill)
            server.start() if how == "killed" else server.resume()
            await load.until_it_works()


async def test_an_address_that_is_down_at_the_start_is_used_when_it_is_up(tmp_path: Path, server: OpaServer) -> None:
    with OpaServer() as second:
        second.kill()
        async with loaded(tmp_path, second.url, server.url) as load:
            await asyncio.to_thread(second.start)
            await asyncio.to_thread(server.kill)
            await load.until_it_works()


async def test_a_server_that_does_not_answer_is_not_flooded(tmp_path: Path, server: OpaServer) -> None:
    async with slowed(server.port) as relay, policed(tmp_path, relay.url) as h:
        load = Load(h)
        with server.hung():
            await load.send_until("down")
            before = relay.requests
            outcomes = {await load.send() for _ in range(1000)}
            assert outcomes == {"down"}
            assert relay.requests - before < 50
        await load.send_until("passed")


HEAVY = (
    RULES
    + """
deny contains {"rule": "never", "reason": "x"} if {
	input.arguments.number == 10000
	some a in numbers.range(1, 10000)
	some b in numbers.range(1, 10000)
	a * b < 0
}
"""
)


async def test_a_message_that_takes_long_is_denied_and_the_others_are_not(tmp_path: Path, server: OpaServer) -> None:
    async with policed(tmp_path, server.url, rules=HEAVY) as h:
        load = Load(h)
        heavy = asyncio.create_task(h.pipeline.judge(*message(10_000)))
        while not heavy.done():
            assert await load.send() in {"passed", "odd"}
        assert judged(10_000, await heavy) == "timeout"
        assert {await load.send() for _ in range(4)} == {"passed", "odd"}


async def test_tidegate_does_not_start_without_a_server(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(SettingsError, match=rf"the OPA server can't be used: {url}: ") as refused:
        async with policed(tmp_path, url):
            pass
    assert refused.value.down
