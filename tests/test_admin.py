"""Whether Tidegate lives, and whether it takes clients."""

import pytest

from support.web import front

REMOTE = {"url": "http://127.0.0.1:9/mcp"}


async def test_health_and_readiness_are_told() -> None:
    async with front(server=REMOTE) as running:
        healthy = await running.http.get(f"{running.admin}/healthz")
        assert (healthy.status_code, healthy.json()) == (200, {"status": "ok"})
        ready = await running.http.get(f"{running.admin}/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "sessions": 0})


async def test_who_is_stopping_is_alive_but_not_ready() -> None:
    async with front(server=REMOTE) as running:
        running.stopping.set()
        assert (await running.http.get(f"{running.admin}/healthz")).status_code == 200
        ready = await running.http.get(f"{running.admin}/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "stopping")


async def test_readiness_counts_the_sessions() -> None:
    async with (
        front(server=REMOTE) as running,
        running.stream("GET", url=f"{running.url}/servers/server/sse") as events,
    ):
        await events.fields()
        assert (await running.http.get(f"{running.admin}/readyz")).json()["sessions"] == 1


@pytest.mark.parametrize("path", ["/", "/healthz/", "/servers/server/mcp", "/metrics"])
async def test_there_is_nothing_else(path: str) -> None:
    async with front(server=REMOTE) as running:
        answer = await running.http.get(f"{running.admin}{path}")
        assert answer.status_code == 404
        assert "/healthz" in answer.json()["paths"]


async def test_odd_headers_do_not_make_it_unwell() -> None:
    async with front(server=REMOTE) as running:
        twice = [("origin", "a"), ("Origin", "b")]
        assert (await running.http.get(f"{running.admin}/healthz", headers=twice)).status_code == 404
