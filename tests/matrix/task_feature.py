"""Tasks through the gateway, as both versions that have them have them."""

from typing import TYPE_CHECKING, Any

from matrix.clients import called
from matrix.names import LATEST, RELATED_TASK, TASKS

if TYPE_CHECKING:
    from matrix.features import Cell

BARRED = (
    "where not both versions are 2025-11-25, or both 2026-07-28: the first brought tasks (changelog; utilities, "
    "tasks), the second took them out (changelog). What its extension calls so (extension tasks) is begun by servers, "
    "is not asked for its result, and needs a declaration that 2025-11-25 has not"
)


def barred(cell: "Cell") -> bool:
    return cell.client.version != cell.place.version or cell.place.version < LATEST


async def tasking(cell: "Cell") -> None:
    """A call becomes a task: it is looked at, asks, ends or is cancelled at the server that has it, and at no other."""
    await (_extended if cell.client.modern else _core)(cell)
    assert (await cell.client.error("tasks/get", {"taskId": "nobody's"}))["code"] == -32602


async def _core(cell: "Cell") -> None:
    client = cell.client

    async def begun(token: str) -> dict[str, str]:
        params = {**called(cell.named("later"), token), "task": {"ttl": 60_000}}
        return {"taskId": (await client.result("tools/call", params))["task"]["taskId"]}

    about, since = await begun(cell.token), len(client.log)
    assert (await client.result("tasks/get", about))["status"] == "working"
    assert about["taskId"] in await _listed(cell)
    done = await client.result("tasks/result", about)
    assert done["content"][0]["text"] == f"accept {client.slug} {cell.token}"
    assert done["_meta"][RELATED_TASK] == about

    def over(said: Any) -> bool:
        return bool(said.get("method") == "notifications/tasks/status" and said["params"]["taskId"] == about["taskId"])

    assert (await client.heard(over, since))["params"]["status"] == "completed"
    other = await begun(f"o-{cell.token}")
    assert (await client.result("tasks/cancel", other))["status"] == "cancelled"
    assert await cell.said("delegate") == f"completed {client.slug} {cell.token}!"


async def _listed(cell: "Cell") -> list[str]:
    params, found = dict[str, Any](), list[str]()
    while True:
        result = await cell.client.result("tasks/list", params)
        found += [task["taskId"] for task in result["tasks"]]
        if "nextCursor" not in result:
            return found
        params = {"cursor": result["nextCursor"]}


async def _extended(cell: "Cell") -> None:
    client = cell.client

    async def begun(token: str) -> dict[str, str]:
        result = await client.result("tools/call", called(cell.named("later"), token))
        assert result["resultType"] == "task"
        return {"taskId": result["taskId"]}

    about = await begun(cell.token)
    assert (await client.result("tasks/get", about))["status"] == "working"
    asks = await client.result("tasks/get", about)
    assert asks["status"] == "input_required"
    answers = {key: client.answer(asked) for key, asked in asks["inputRequests"].items()}
    await client.result("tasks/update", {**about, "inputResponses": answers})
    done = await client.result("tasks/get", about)
    assert done["result"]["content"][0]["text"] == f"accept {client.slug} {cell.token}"
    other = await begun(f"o-{cell.token}")
    await client.result("tasks/cancel", other)
    assert (await client.result("tasks/get", other))["status"] == "cancelled"


async def no_tasks(cell: "Cell") -> None:
    """The server has no tasks that the client could have, and does its work at once."""
    able = cell.client.hello["capabilities"]
    assert cell.client.modern or TASKS not in able.get("extensions", {})
    assert not (cell.client.modern and "tasks" in able)
    if cell.place.version >= LATEST:
        result = await cell.call("later")
        assert result["content"][0]["text"] == cell.token
        assert RELATED_TASK not in result.get("_meta", {})
