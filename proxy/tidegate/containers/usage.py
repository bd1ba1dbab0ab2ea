"""What running containers use."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from docker import APIClient

    from tidegate.containers.engine import Engine


async def usage(engine: Engine, containers: list[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Return what each container uses; one that has just ended isn't in the answer.

    Args:
        engine: where they are.
        containers: each one's instance, and what it is called.

    Returns:
        By instance: ``memory`` in bytes, without the page cache that could be dropped; ``cpu_ns``, the CPU time since
        its start in nanoseconds; ``pids``, how many processes and threads it has.
    """

    async def look(name: str) -> dict[str, int] | None:
        with suppress(PipeError):
            return await engine.removing(lambda client: _look(client, name))
        return None

    found = await asyncio.gather(*(look(name) for _, name in containers))
    return {instance: used for (instance, _), used in zip(containers, found, strict=True) if used is not None}


def _look(client: APIClient, name: str) -> dict[str, int]:
    shown: dict[str, Any] = client.stats(name, stream=False, one_shot=True)
    memory, details = shown.get("memory_stats", {}), shown.get("memory_stats", {}).get("stats", {})
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    return {
        "memory": max(memory.get("usage", 0) - cache, 0),
        "cpu_ns": shown.get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage", 0),
        "pids": shown.get("pids_stats", {}).get("current", 0),
    }
