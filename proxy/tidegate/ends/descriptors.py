"""How many descriptors may be open: for Tidegate as many as the system allows, for its servers what they'd get anyway.

A thousand clients, each with a server of its own, need some five thousand; many systems allow 1024 at first.
"""

from __future__ import annotations

import resource
from contextlib import suppress

MOST = 65_536

_before: tuple[int, int] | None = None


def raise_limit() -> None:
    """Let this process open as many descriptors as the system allows, up to :data:`MOST`."""
    global _before  # noqa: PLW0603 - a process has one limit
    if not hasattr(resource, "prlimit"):
        return  # macOS: the servers couldn't be given the old limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < most:
        _before = (soft, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def restore_for(pid: int) -> None:
    """Give a child, and what it starts from now on, the limit as it was: programs that use select(2) rely on it."""
    if _before is not None:
        with suppress(OSError):  # it has ended
            resource.prlimit(pid, resource.RLIMIT_NOFILE, _before)
