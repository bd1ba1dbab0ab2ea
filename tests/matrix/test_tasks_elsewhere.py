"""Tasks at the gateway beyond the request that begins one: in other sessions, and in streams of changes."""

from matrix.clients import called
from matrix.connections import HttpClient
from matrix.names import LATEST, MODERN
from matrix.places import HttpPlace
from matrix.servers import Record
from support.web import front, until


async def test_a_task_that_another_session_began_is_found_once_it_was_listed() -> None:
    async with HttpPlace("server", LATEST, Record()) as place, front(server=place.settings) as running:
        first, second = HttpClient(LATEST, running.url), HttpClient(LATEST, running.url)
        for client in (first, second):
            await client.start()
        params = {**called("server__later", "token"), "task": {"ttl": 60_000}}
        begun = (await first.result("tools/call", params))["task"]
        (listed,) = (await second.result("tasks/list"))["tasks"]
        assert listed["taskId"] == begun["taskId"]
        assert (await second.result("tasks/get", {"taskId": begun["taskId"]}))["status"] == "working"
        for client in (first, second):
            await client.close()


async def test_changes_of_tasks_are_heard_of_from_the_servers_that_have_them() -> None:
    async with HttpPlace("server", MODERN, Record()) as place, front(server=place.settings) as running:
        client = HttpClient(MODERN, running.url)
        await client.start()
        begun = await client.result("tools/call", called("server__later", "token"))
        wanted = {"notifications": {"taskIds": [begun["taskId"], "of nobody"]}}
        tree = client.tree("subscriptions/listen", wanted)
        client.opened(tree)
        client.spawn(client.post(tree))
        first = await client.heard(lambda said: said.get("method") == "notifications/subscriptions/acknowledged")
        assert first["params"]["notifications"] == {"taskIds": [begun["taskId"]]}
        await until(lambda: any(got.json.get("method") == "subscriptions/listen" for got in place._server.got))
        (asked,) = [got.json for got in place._server.got if got.json.get("method") == "subscriptions/listen"]
        assert asked["params"]["notifications"] == {"taskIds": [begun["taskId"]]}
        await client.close()
