"""A server of streamable HTTP in a container, as a pipe; with a real container in ``tests/containers``."""

import json

from support.web import Exchange, ScriptedServer, within
from tidegate.ends.http1 import HttpClient
from tidegate.ends.streamable import StreamablePipe
from tidegate.wire import Limits


async def test_an_answer_in_a_batch_is_the_answer_and_nothing_is_made_up_beside_it() -> None:
    async def serve(exchange: Exchange) -> None:
        if exchange.method != "POST":
            await exchange.reply(status=405)
            return
        tree = exchange.json
        answer = {"jsonrpc": "2.0", "id": tree["id"], "result": {"protocolVersion": "2025-03-26"}}
        if tree["method"] == "initialize":
            await exchange.reply(answer)
            return
        await exchange.stream()
        await exchange.event([{"jsonrpc": "2.0", "method": "notifications/x"}, answer])

    async with ScriptedServer(serve) as server:
        client = HttpClient()
        pipe = StreamablePipe(server.url, client, Limits)
        for number, method in enumerate(("initialize", "tools/list", "tools/list")):
            await within(pipe.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method}).encode()))
            found = json.loads(await within(pipe.receive()))
            assert (found if number == 0 else found[1])["id"] == number
        await pipe.close()
        await client.close()
