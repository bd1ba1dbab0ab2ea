"""Sessions whose servers crash, idle, hang up and are restarted, in any order: each call gets one answer, its own."""

import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

from support.mortal import CI, DEV, House, Talk, house, mortal
from support.web import PATIENCE

T = TypeVar("T")

ids = st.sampled_from([1, "1", 2, "a"])  # few, so that sessions use the same ones
principals = st.sampled_from([CI, DEV])
shares = st.sampled_from(["session", "principal", "all", "call"])


class LivesMachine(RuleBasedStateMachine):
    """What may happen to sessions, beside what each of them may see."""

    talks = Bundle("talks")
    numbers: ClassVar[Any] = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.share = ""
        self.pids: dict[str, set[int]] = {"ci": set(), "dev": set()}

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something to its end."""

        async def bounded() -> T:
            async with asyncio.timeout(PATIENCE):
                return await work

        return self.runner.run(bounded())

    @initialize(share=shares, warm=st.sampled_from([0, 2]))
    def begin(self, share: str, warm: int) -> None:
        self.share = share
        self.held = house(server=mortal(share=share, warm=warm))
        self.house: House = self.do(self._opened())

    async def _opened(self) -> House:
        opened = await self.held.__aenter__()
        opened.sessions.fleet.fill()
        return opened

    @rule(target=talks, principal=principals, other=st.booleans())
    def open(self, principal: Any, other: bool) -> Talk:  # noqa: FBT001 - hypothesis passes by name
        return self.do(self.house.begun(principal, **({"sampling": {}} if other else {})))

    def answered(self, talk: Talk, said: Any) -> None:
        """Check what a session was told by a server."""
        knows = said["result"]
        assert [method for method, _ in knows["told"][:2]] == ["initialize", "notifications/initialized"]
        if self.share != "all":
            other = "dev" if talk.principal is CI else "ci"
            assert knows["pid"] not in self.pids[other], "nothing crosses principals"
        self.pids[talk.principal.name].add(knows["pid"])

    @rule(talk=talks, identity=ids)
    def call(self, talk: Talk, identity: Any) -> None:
        self.answered(talk, self.do(talk.call("recall", identity)))

    @rule(them=st.lists(talks, min_size=2, max_size=5, unique_by=id), identity=ids)
    def call_at_once(self, them: list[Talk], identity: Any) -> None:
        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*(talk.call("recall", identity) for talk in them))

        for talk, said in zip(them, self.do(all_of_them()), strict=True):
            self.answered(talk, said)

    @rule(talk=talks, identity=ids)
    def crash(self, talk: Talk, identity: Any) -> None:
        said = self.do(talk.call("die", identity))
        assert "exit code 3" in said["error"]["message"]
        assert talk.live

    @rule(them=st.lists(talks, min_size=2, max_size=4, unique_by=id), dying=st.integers(0, 3), identity=ids)
    def crash_amid_calls(self, them: list[Talk], dying: int, identity: Any) -> None:
        async def all_of_them() -> list[Any]:
            names = ["die" if number == dying % len(them) else "recall" for number in range(len(them))]
            return await asyncio.gather(*(talk.call(name, identity) for name, talk in zip(names, them, strict=True)))

        for talk, said in zip(them, self.do(all_of_them()), strict=True):
            if "error" in said:
                assert "exit code 3" in said["error"]["message"]
            else:
                self.answered(talk, said)

    @rule(talk=talks)
    def idle(self, talk: Talk) -> None:
        async def stopped() -> None:
            source = talk.session.source
            if source is not None and source.current is not None:
                source.current.stop("stopped, because nobody used it")
            await asyncio.sleep(0)

        self.do(stopped())

    @rule(talk=talks, uri=st.sampled_from(["a:1", "a:2"]), off=st.booleans())
    def subscribe(self, talk: Talk, uri: str, off: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
        method = "resources/unsubscribe" if off else "resources/subscribe"
        [said] = self.do(talk.say({"id": 9, "method": method, "params": {"uri": uri}}))
        assert "result" in said

    @rule()
    def restart(self) -> None:
        self.do(self.house.sessions.fleet.restart("server"))

    @rule(talk=consumes(talks))
    def leave(self, talk: Talk) -> None:
        self.do(talk.leave())
        assert not talk.live

    def teardown(self) -> None:
        if self.share:
            self.do(self.held.__aexit__(None, None, None))
        self.runner.close()


LivesMachine.TestCase.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLives = LivesMachine.TestCase
