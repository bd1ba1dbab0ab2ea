"""Takes over changed policies: loaded aside, swapped whole; the old one stays where the new one can't be used."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from tidegate_policy.http import UnreachableError
from tidegate_policy.sources import PolicyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tidegate_policy.loading import Loaded, Loader, Source

log = structlog.get_logger("tidegate.policy")


async def watch(loader: Loader, source: Source, swap: Callable[[Loaded], Awaitable[None]], seconds: float) -> None:
    """Look for changed files until cancelled.

    Args:
        loader: loads the policy.
        source: where it comes from.
        swap: takes a new one.
        seconds: how often to look.
    """
    seen = loader.stamp(source)
    while True:
        await asyncio.sleep(seconds)
        stamp = loader.stamp(source)
        if stamp == seen:
            continue
        seen = stamp
        try:
            loaded = await loader.load(source)
        except (PolicyError, UnreachableError, OSError) as error:
            say = log.error  # without a trace: the policy's author is told what is wrong, not where it was noticed
            say("policy not reloaded, the old one stays", bundle=str(source.bundle), why=str(error))
            continue
        await swap(loaded)
        log.info("policy reloaded", bundle=str(source.bundle), revision=loaded.revision)
