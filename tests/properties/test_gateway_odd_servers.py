"""Whatever a server answers, the gateway answers its client, and the other server is served as if nothing were."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.gateways import CI, HTTP, Talk, gateway, said
from support.toys import LEGACY, Toy
from support.web import PATIENCE, Exchange
from tidegate import methods

MODERN = methods.MODERN
WORDS = [
    *("tools", "prompts", "resources", "resourceTemplates", "name", "uri", "uriTemplate", "inputSchema", "nextCursor"),
    *(
        "capabilities",
        "protocolVersion",
        "serverInfo",
        "instructions",
        "content",
        "contents",
        "messages",
        "type",
        "text",
    ),
    *("resultType", "inputRequests", "requestState", "method", "params", "_meta", "task", "taskId", "resource_link"),
    *(
        "listChanged",
        "elicitation",
        "elicitation/create",
        "input_required",
        LEGACY,
        MODERN,
        "completion",
        "values",
        "a",
    ),
]
leaves = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-1, 1) | st.sampled_from(WORDS)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
METHODS = [
    *("initialize", "server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list"),
    *("tools/call", "prompts/get", "resources/read", "completion/complete", "logging/setLevel", "ping"),
]
items = st.lists(st.dictionaries(st.sampled_from(WORDS), values, max_size=4), max_size=3)
shaped = st.dictionaries(st.sampled_from(WORDS), items | values, max_size=5)  # nearly what it should be
kinds = st.sampled_from(["result", "result", "error", "whole"])
answers = st.dictionaries(st.sampled_from(METHODS), st.tuples(kinds, shaped | values))
ABLE: dict[str, Any] = {"tools": {}, "prompts": {}, "resources": {}, "logging": {}, "completions": {}}


def answering(kind: str, value: Any) -> Any:
    async def answer(exchange: Exchange) -> None:
        tree = {"jsonrpc": "2.0", "id": exchange.json.get("id")}
        await exchange.reply(value if kind == "whole" else {**tree, kind: value})

    return answer


async def talked(talk: Talk) -> None:
    """Ask for all there is; each request has one reply, with its own id."""
    requests = [
        talk.request("tools/list"),
        talk.request("prompts/list"),
        talk.request("resources/list"),
        talk.request("resources/templates/list"),
        talk.request("tools/call", None, name="odd__a", arguments={}),
        talk.request("prompts/get", None, name="odd__a"),
        talk.request("resources/read", None, uri="a"),
        talk.request("completion/complete", None, ref={"type": "ref/prompt", "name": "odd__a"}, argument={}),
        talk.request("logging/setLevel", None, level="info"),
        talk.request("server/discover" if talk.modern else "ping"),
    ]
    for tree in requests:
        reply = await talk.accept(tree, HTTP)
        told = [each async for each in talk.streamed(reply)]
        assert told[-1]["id"] == tree["id"], (tree, told)
        assert ("result" in told[-1]) != ("error" in told[-1])
    assert said(await talk.call("well__add")) == "well: add {}"


async def run(client: str, server: str, odd: dict[str, tuple[str, Any]]) -> None:
    given = {method: answering(*answer) for method, answer in odd.items()}
    toys = [Toy("odd", "a", version=server, answers=given, capabilities=ABLE), Toy("well", "add")]
    async with gateway(toys=toys, gateway={"patience": 3.0}) as made, asyncio.timeout(PATIENCE):
        if client == MODERN:
            talk = made.stateless(CI, declared={"elicitation": {}})
        else:
            talk, reply = await made.open(CI, version=client, declared={"elicitation": {}})
            assert "result" in reply
        await talked(talk)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(client=st.sampled_from([LEGACY, "2024-11-05", MODERN]), server=st.sampled_from([LEGACY, MODERN]), odd=answers)
def test_a_server_may_answer_anything(client: str, server: str, odd: dict[str, tuple[str, Any]]) -> None:
    asyncio.run(run(client, server, odd))
