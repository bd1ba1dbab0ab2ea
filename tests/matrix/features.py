"""What must work in every pairing of a client with a server, each as a function that plays it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from matrix import task_feature, tools
from matrix.clients import PATIENCE, Client, called
from matrix.connections import HttpClient
from matrix.names import MODERN
from matrix.servers import Place, Record


class Cell(NamedTuple):
    """One client in front of one server."""

    client: Client
    place: Place
    record: Record
    whole: dict[str, Any]

    @property
    def token(self) -> str:
        return f"{self.client.slug}-{self.place.name}"

    def named(self, name: str) -> str:
        """The name that the gateway gives a tool or prompt of the server's."""
        return f"{self.place.name}__{name}"

    @property
    def uri(self) -> str:
        return f"res://{self.place.name}/1"

    async def call(self, tool: str, token: str = "", meta: dict[str, Any] | None = None, **arguments: Any) -> Any:
        return await self.client.call(self.named(tool), token or self.token, meta, **arguments)

    async def said(self, tool: str, token: str = "", **arguments: Any) -> str:
        """Call a tool that says one text; return it."""
        result = await self.call(tool, token, **arguments)
        text: str = result["content"][0]["text"]
        return text

    async def waits(self, what: str, token: str) -> None:
        """Wait until the server has noted something."""
        async with asyncio.timeout(PATIENCE):
            await self.record.wait(what, token)


Play = Callable[[Cell], Awaitable[None]]


async def pages(client: Client, method: str, member: str) -> list[list[Any]]:
    """All pages of a list."""
    out, params = [], dict[str, Any]()
    while True:
        result = await client.result(method, params)
        out.append(result[member])
        if "nextCursor" not in result:
            return out
        params = {"cursor": result["nextCursor"]}


async def _listed(cell: Cell, method: str, member: str) -> list[list[Any]]:
    """All pages of a list as the client got them first; it asks once for all servers."""
    task = cell.whole.get(method)
    if task is None:
        task = cell.whole[method] = asyncio.ensure_future(pages(cell.client, method, member))
    found: list[list[Any]] = await task
    return found


async def listing(cell: Cell) -> None:
    """Tools, prompts, resources and templates are listed, those of the server in its order and by their names."""
    for method, member in (("tools/list", "tools"), ("prompts/list", "prompts")):
        found = [item["name"] for page in await _listed(cell, method, member) for item in page]
        wanted = [cell.named(item["name"]) for item in cell.place.listed(method)[1] if "grown" not in item["name"]]
        assert [name for name in found if name in wanted] == wanted
    for method, member, key in (
        ("resources/list", "resources", "uri"),
        ("resources/templates/list", "resourceTemplates", "uriTemplate"),
    ):
        items = [item[key] for page in await _listed(cell, method, member) for item in page]
        wanted = [item[key] for item in cell.place.listed(method)[1]]
        assert [item for item in items if item in wanted] == wanted


async def calling(cell: Cell) -> None:
    """Tools are called, prompts got and resources read, with content of every kind that both versions have."""
    assert await cell.said("echo") == f"{cell.place.name} {cell.token}"
    rich = await cell.call("rich")
    kinds = [block["type"] for block in rich["content"]]
    assert len(kinds) == len(tools.blocks(cell.place.version))
    assert kinds[:3] == ["text", "image", "resource"]
    if cell.place.version >= "2025-06-18":
        assert rich["structuredContent"] == {"n": 1}
    if cell.place.version == MODERN:
        odd = await cell.call("odd")
        if cell.client.modern:
            assert odd["structuredContent"] == [1, 2]
        else:
            assert odd == {"content": [{"type": "text", "text": "[1,2]"}]}
    prompt = await cell.client.result("prompts/get", {"name": cell.named("greet3"), "arguments": {"who": "you"}})
    assert prompt["messages"][0]["content"]["text"] == f"{cell.place.name} greets you"
    for uri in (cell.uri, f"res://{cell.place.name}/items/7"):
        read = await cell.client.result("resources/read", {"uri": uri})
        assert read["contents"][0]["text"] == f"{cell.place.name} has {uri}"
    if cell.place.version != MODERN:
        assert await cell.said("ping") == cell.token


async def progress(cell: Cell) -> None:
    """Progress comes under the client's own token, in order, before the result; without a token there is none."""
    for token in (f"p-{cell.token}", cell.client.new_id()):
        since = len(cell.client.log)
        tree = cell.client.tree("tools/call", called(cell.named("progress"), cell.token), {"progressToken": token})
        reply = await cell.client.send(tree)
        assert reply["result"]["content"][0]["text"] == cell.token
        upto = cell.client.log.index(reply)
        steps = [said["params"]["progress"] for said in filter(_progress_of(token), cell.client.log[since:upto])]
        assert steps == [1, 2, 3]
    assert await cell.said("progress", f"none-{cell.token}") == f"none-{cell.token}"


async def logging(cell: Cell) -> None:
    """What the server logs comes at the level that was asked for, and no lower."""
    since = len(cell.client.log)
    await cell.call("log", meta=cell.client.logging())

    def at(level: str) -> Callable[[Any], bool]:
        def holds(said: Any) -> bool:
            params = said.get("params", {})
            ours = said.get("method") == "notifications/message" and params.get("data") == cell.token
            return bool(ours and params["level"] == level)

        return holds

    for level in ("info", "error"):
        await cell.client.heard(at(level), since)
    assert not any(map(at("debug"), cell.client.log))
    if cell.client.modern:
        await cell.call("log", f"quiet-{cell.token}")
        quiet = [said for said in cell.client.log if said.get("params", {}).get("data") == f"quiet-{cell.token}"]
        assert quiet == []


async def cancelling(cell: Cell) -> None:
    """A call that the client gives up ends at the server, and has no reply; whatever came of it before."""
    for token, meta in ((cell.token, {}), (f"w-{cell.token}", {"progressToken": f"w-{cell.token}"})):
        tree = cell.client.tree("tools/call", called(cell.named("wait"), token), meta)
        since, future = len(cell.client.log), cell.client.opened(tree)
        cell.client.spawn(cell.client.post(tree))
        await cell.waits("begun", token)
        if meta:
            await cell.client.heard(_progress_of(token), since)
        await cell.client.cancel(tree)
        await cell.waits("cancelled", token)
        assert await cell.said("echo", "still here") == f"{cell.place.name} still here"
        assert not future.done()


def _progress_of(token: Any) -> Callable[[Any], bool]:
    def holds(said: Any) -> bool:
        return bool(said.get("method") == "notifications/progress" and said["params"]["progressToken"] == token)

    return holds


async def sampling(cell: Cell) -> None:
    """The server asks the client's model, in one round and in several, and gets the answer of this very client."""
    mark = "!" if cell.place.version >= "2025-11-25" else ""
    assert await cell.said("sample") == f"{cell.client.slug} {cell.token}{mark}"
    once = f"{cell.client.slug} {cell.token}{mark}"
    twice = f"file:///{cell.client.slug} {cell.client.slug} {once}{mark}"
    assert await cell.said("both") == twice


async def eliciting(cell: Cell) -> None:
    """The server asks the person, and gets the answer; to open a page too, where both versions have that."""
    assert await cell.said("elicit") == f"accept {cell.client.slug} {cell.token}"
    if cell.place.version >= "2025-11-25":
        assert await cell.said("open") == ("accept" if cell.client.version >= "2025-11-25" else "undeclared")


async def no_eliciting(cell: Cell) -> None:
    """The server doesn't ask, because one of both versions can't, and the client isn't asked."""
    if cell.place.version < "2025-06-18":
        error = await cell.client.error("tools/call", called(cell.named("elicit"), cell.token))
        assert error["code"] == -32602
    else:
        assert await cell.said("elicit") == "undeclared"
    assert cell.client.version >= "2025-06-18" or "elicitation/create" not in cell.client.asked


async def roots(cell: Cell) -> None:
    """The server asks for the client's roots, and hears of their change where both versions have that."""
    assert await cell.said("roots") == f"file:///{cell.client.slug}"
    if not cell.client.modern and cell.place.version != MODERN:
        await cell.client.notify("notifications/roots/list_changed")
        await cell.waits("roots changed", cell.place.name)


async def completing(cell: Cell) -> None:
    """Arguments of prompts and of resource templates are completed by the server that has them."""
    for ref, own in (
        ({"type": "ref/prompt", "name": cell.named("greet1")}, "greet1"),
        ({"type": "ref/resource", "uri": f"res://{cell.place.name}/items/{{id}}"}, None),
    ):
        params = {"ref": ref, "argument": {"name": "who", "value": "a"}}
        found = await cell.client.result("completion/complete", params)
        assert found["completion"]["values"] == [f"{cell.place.name} {own or ref['uri']} a"]


async def subscribing(cell: Cell) -> None:
    """The client hears that a resource has changed, while it wants to."""
    uri = f"res://{cell.place.name}/items/{cell.client.slug}"
    following = await cell.client.follow(resourceSubscriptions=[uri])
    since = len(cell.client.log)
    await cell.call("touch", uri=uri)

    def updated(said: Any) -> bool:
        return bool(said.get("method") == "notifications/resources/updated" and said["params"]["uri"] == uri)

    assert following.tagged(await cell.client.heard(updated, since))
    await following.end()
    await cell.waits("unsubscribed", uri)


async def changing(cell: Cell) -> None:
    """The client hears that the tools have changed, lists them anew, and calls the new one."""
    following = await cell.client.follow(toolsListChanged=True)
    since = len(cell.client.log)
    await cell.call("grow")
    heard = await cell.client.heard(lambda said: said.get("method") == "notifications/tools/list_changed", since)
    assert not cell.client.modern or heard["params"]["_meta"]
    new = cell.named(f"grown_{cell.token}")
    found = [tool["name"] for page in await pages(cell.client, "tools/list", "tools") for tool in page]
    assert new in found
    assert await cell.said(f"grown_{cell.token}") == f"grown_{cell.token} of {cell.place.name}"
    if cell.client.modern:
        await following.end()


async def large(cell: Cell) -> None:
    """A large result comes whole; one beyond the limit is an error, and the session goes on."""
    assert await cell.said("large") == cell.token + "." * tools.LARGE
    reply = await cell.client.request("tools/call", called(cell.named("too_large"), cell.token))
    assert "error" in reply or reply["result"].get("isError") is True
    assert await cell.said("echo") == f"{cell.place.name} {cell.token}"


async def failing(cell: Cell) -> None:
    """Errors come as the client's version has them: of tools, of the protocol, and of resources that aren't there."""
    client = cell.client
    fails = await cell.call("fails")
    assert fails["isError"] is True
    assert fails["content"][0]["text"] == cell.token
    breaks = await client.error("tools/call", called(cell.named("breaks"), cell.token))
    assert breaks == {"code": -32603, "message": cell.token, "data": {"why": cell.token}}
    await client.error("tools/call", called(cell.named("coded"), cell.token))
    unknown = await client.error("tools/call", called(cell.named("nothing"), cell.token))
    assert unknown["code"] == -32602
    uri = f"res://{cell.place.name}/items/missing"
    tree = client.tree("resources/read", {"uri": uri})
    missing = (await client.send(tree))["error"]
    assert missing["code"] == (-32602 if client.modern else -32002)
    assert missing["data"] == {"uri": uri}
    if isinstance(client, HttpClient):
        assert client.statuses[tree["id"]] == (400 if client.modern else 200)


async def paging(cell: Cell) -> None:
    """Lists come in pages of the gateway's own, whatever the servers' are; a cursor of nobody's is refused."""
    found = await _listed(cell, "tools/list", "tools")
    assert len(found) > 1
    assert {len(page) for page in found[:-1]} == {PAGE}
    names = [tool["name"] for page in found for tool in page]
    assert len(names) == len(set(names))
    wanted = [cell.named(f"greet{number}") for number in range(12)]
    assert set(wanted) <= {item["name"] for page in await _listed(cell, "prompts/list", "prompts") for item in page}
    refused = await cell.client.error("tools/list", {"cursor": f"{cell.place.name}\u219210"})
    assert refused["code"] == -32602


async def resuming(cell: Cell) -> None:
    """A stream that broke is gone on with: what came after the event that the client names comes, again or at last."""
    # That of what belongs to no request is the gateway's own, before any server; that of an answer is the server's.
    client = cell.client
    assert isinstance(client, HttpClient)
    uri = f"res://{cell.place.name}/items/again-{client.slug}"
    following = await client.follow(resourceSubscriptions=[uri])

    async def updated(since: int) -> int:
        """Wait for news of the resource; return after how many messages of the log they came."""
        method = "notifications/resources/updated"
        said = await client.heard(lambda said: said.get("method") == method and said["params"]["uri"] == uri, since)
        return next(at for at, one in enumerate(client.log) if at >= since and one is said) + 1

    async def touched() -> str:
        since = len(client.log)
        await cell.call("touch", uri=uri)
        await updated(since)
        return client.ids[None][-1]

    first, _second = await touched(), await touched()
    await client.break_own()
    await cell.call("touch", uri=uri)
    since = len(client.log)
    await client.come_back(first)
    await updated(await updated(since))
    await following.end()
    if cell.place.transport == "http" and cell.place.version != MODERN:
        await _request_resumed(cell, client)


async def _request_resumed(cell: Cell, client: HttpClient) -> None:
    token, since = f"h-{cell.token}", len(client.log)
    tree = client.tree("tools/call", called(cell.named("halt"), token), {"progressToken": token})
    future = client.opened(tree)
    client.spawn(client.post(tree))
    await client.heard(_progress_of(token), since)
    last = await client.break_off(tree)
    cell.record.note("go on", token)
    await cell.waits("gone on", token)
    await client.resume(last, tree["id"])
    async with asyncio.timeout(PATIENCE):
        reply = await future
    assert reply["result"]["content"][0]["text"] == token
    steps = [said["params"]["progress"] for said in filter(_progress_of(token), client.log[since:])]
    assert steps == [1, 2]


async def no_resuming(cell: Cell) -> None:
    """The client is offered nothing that it could go on with: no event of its streams has an id."""
    assert await cell.said("echo") == f"{cell.place.name} {cell.token}"
    assert cell.client.ids == {}


PAGE = 25  # items of one page of the gateway's

FEATURES: dict[str, Play] = {
    "list": listing,
    "call": calling,
    "progress": progress,
    "log": logging,
    "cancel": cancelling,
    "sampling": sampling,
    "elicitation": eliciting,
    "roots": roots,
    "completion": completing,
    "subscription": subscribing,
    "list change": changing,
    "large result": large,
    "error": failing,
    "page": paging,
    "tasks": task_feature.tasking,
    "resumption": resuming,
}

LAST = frozenset(("large result", "log", "sampling", "elicitation", "roots"))
"""What is played when all else is over: over stdio, nobody can tell which of several requests a text over the limit
answers, or what a server asks or logs belongs to."""

ALONE = frozenset(("resumption",))
"""What is played after that, in one cell of a client after the other: all else would hear of it."""

IMPOSSIBLE: dict[str, tuple[Callable[[Cell], bool], Play, str]] = {
    "elicitation": (
        lambda cell: min(cell.client.version, cell.place.version) < "2025-06-18",
        no_eliciting,
        (
            "where either version is before 2025-06-18, which brought it (its changelog; client features, "
            "elicitation): an older client can't be asked, and an older server can't ask"
        ),
    ),
    "resumption": (
        lambda cell: cell.client.transport != "http" or cell.client.modern,
        no_resuming,
        (
            "where the client's transport has none: it is of streamable HTTP (transports, resumability and "
            "redelivery), so neither of stdio nor of HTTP+SSE in 2024-11-05; 2026-07-28 has taken it out (changelog)"
        ),
    ),
    "tasks": (task_feature.barred, task_feature.no_tasks, task_feature.BARRED),
}
"""What the specification makes impossible: in which cells, what is to be seen then, and why."""
