"""Whatever is said through the gateway, each end gets only what was judged, or was put together and recorded."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.gateways import CI, Talk, gateway
from support.pipes import denying
from support.rig import Witness
from support.toys import LEGACY, Toy, text
from support.web import PATIENCE, Exchange
from tidegate import methods
from tidegate.verdict import DECISION_KEY

MODERN = methods.MODERN
VERSIONS = [methods.V2024, "2025-03-26", "2025-06-18", LEGACY, MODERN]
ASKED: dict[str, Any] = {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}
DECLARED: dict[str, Any] = {"elicitation": {}, "roots": {}}


def event(identity: Any = None, **tree: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", **({} if identity is None else {"id": identity}), **tree}


class Odd(Toy):
    """A server that answers calls and reads in the way that was drawn last."""

    way = "fine"

    def __init__(self, name: str, version: str) -> None:
        resources = [{"uri": f"{name}://r", "name": "r"}]
        super().__init__(name, "t", version=version, prompts=[{"name": "p"}], resources=resources)
        self.asked_client = 0
        for method in ("tools/call", "resources/read", "prompts/get"):
            self.answers[method] = self._answer

    async def _answer(self, exchange: Exchange) -> None:
        tree = exchange.json
        match self.way:
            case "error":
                await self.error(exchange, -32602)
            case "junk":
                await exchange.reply(raw=b'{"jsonrpc":"2.0","id":')
            case "other":
                await exchange.reply(event("of-nobody", result={}))
            case "dies":
                exchange.die()
            case "status":
                await exchange.reply(status=500)
            case "extra":
                await self.result(exchange, {**text("é\u2028<>"), "x": [None, 1.5, {"y": True}], "_meta": {"a/b": 1}})
            case "notices":
                await exchange.stream()
                token = tree["params"].get("_meta", {}).get("progressToken", "none")
                progress = {"progressToken": token, "progress": 1}
                await exchange.event(event(method="notifications/progress", params=progress))
                await exchange.event(event(method="notifications/message", params={"level": "info", "data": [1, "x"]}))
                await exchange.event(event(method="notifications/vendor", params={"é": 1}))
                await exchange.event(event(tree["id"], result=self._done(tree)))
            case "asks" | "asks for more":
                await self._ask(exchange, tree)
            case _:
                await self.result(exchange, self._done(tree))

    def _done(self, tree: Any) -> dict[str, Any]:
        more: dict[str, Any] = {"resultType": "complete"} if self.modern else {}
        kinds = {
            "tools/call": text(f"of {self.name}"),
            "resources/read": {"contents": [{"uri": tree["params"].get("uri", ""), "text": "x"}]},
            "prompts/get": {"messages": []},
        }
        return {**kinds[tree["method"]], **more}

    async def _ask(self, exchange: Exchange, tree: Any) -> None:
        if not self.modern:
            await exchange.stream()
            self.asked_client += 1
            await exchange.event(event(self.asked_client, **self._question()))
            await exchange.event(event(tree["id"], result=self._done(tree)))
        elif "inputResponses" in tree["params"]:
            await self.result(exchange, self._done(tree))
        else:
            needed = {"resultType": "input_required", "inputRequests": {"k": self._question()}, "requestState": "s"}
            await exchange.result(needed)

    def _question(self) -> dict[str, Any]:
        if self.way == "asks":
            return {"method": "elicitation/create", "params": ASKED}
        return {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}


WAYS = ["fine", "error", "junk", "other", "dies", "status", "extra", "notices", "asks", "asks for more"]
STEPS = [
    "call",
    "read",
    "prompt",
    "tools",
    "resources",
    "unknown",
    "nobody",
    "junk",
    "cancel",
    "answer",
    "level",
    "two",
]
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(["one", "two"]), st.sampled_from(WAYS)), max_size=6)


async def step(talk: Talk, what: str, server: str) -> None:
    """Do one thing as the client; answer what it is asked."""
    meta = {"_meta": {"progressToken": "p"}}
    trees = {
        "call": talk.request("tools/call", None, name=f"{server}__t", arguments={"a": "é"}, **meta),
        "read": talk.request("resources/read", None, uri=f"{server}://r"),
        "prompt": talk.request("prompts/get", None, name=f"{server}__p"),
        "tools": talk.request("tools/list"),
        "resources": talk.request("resources/list"),
        "unknown": talk.request("vendor/thing", None, x=1),
        "nobody": talk.request("tools/call", None, name="nobody__t"),
        "cancel": {"method": "notifications/cancelled", "params": {"requestId": 1}},
        "answer": {"id": 77, "result": {}},
        "level": talk.request("logging/setLevel", None, level="info"),
        "two": {"method": "notifications/roots/list_changed"},
    }
    reply = await talk.accept(b'{"jsonrpc":"2.0","id":1,"id":2}' if what == "junk" else trees[what])
    async for heard in talk.streamed(reply):
        if heard.get("method") == "elicitation/create":
            await talk.send({"id": heard["id"], "result": {"action": "decline"}})
        elif heard.get("result", {}).get("resultType") == "input_required":
            asked = heard["result"]
            given = {key: {"action": "decline"} for key in asked["inputRequests"]}
            params = {**trees[what]["params"], "requestState": asked["requestState"], "inputResponses": given}
            await talk.send({**trees[what], "id": 4_000_000, "params": params})


def decision_in(data: bytes) -> str | None:
    """Return the decision that an answer of Tidegate's own speaks of."""
    tree = json.loads(data)
    said = tree.get("error", {}).get("data") or tree.get("result", {}).get("_meta", {}).get(DECISION_KEY)
    return said.get("decision") if isinstance(said, dict) else None


async def run(client: str, versions: tuple[str, str], plan: list[tuple[str, str, str]], denied: list[str]) -> None:
    witness = Witness()
    toys = [Odd(name, version) for name, version in zip(("one", "two"), versions, strict=True)]
    async with gateway(denying(*denied), witness.entry(), toys=toys) as made:
        if client == MODERN:
            talk = made.stateless(CI, declared=DECLARED)
        else:
            talk, _ = await made.open(CI, version=client, declared=DECLARED)
        for what, server, way in plan:
            for toy in toys:
                toy.way = way
            async with asyncio.timeout(PATIENCE):
                await step(talk, what, server)
    allowed = {each.message.encoded for each in witness.recorded if each.message is not None and each.allowed}
    stopped = {each.id for each in witness.recorded if not each.allowed}
    assert len(talk.sent) >= sum(what not in ("cancel", "two") for what, _, _ in plan)
    for toy in toys:
        for data in toy.raw:
            assert data in allowed or decision_in(data) in stopped, data
    for data in talk.sent:
        assert data in allowed or decision_in(data) in stopped, data


@pytest.mark.requirement("judged-is-sent")
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    client=st.sampled_from(VERSIONS),
    versions=st.tuples(st.sampled_from([LEGACY, "2025-03-26", MODERN]), st.sampled_from([LEGACY, MODERN])),
    plan=steps,
    denied=st.lists(st.sampled_from(["tools/call", "tools/list", "elicitation/create", "ping"]), max_size=1),
)
def test_every_byte_that_a_client_or_a_server_gets_is_a_recorded_message(
    client: str, versions: tuple[str, str], plan: list[tuple[str, str, str]], denied: list[str]
) -> None:
    asyncio.run(run(client, versions, plan, denied))
