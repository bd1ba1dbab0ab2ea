"""The probe: whether a container on an internal network reaches the host, which it must not.

Two small programs. One listens in the host's own network, and says where; the other, on such a network, tries every
address of the host's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import sys
from typing import Any

_SECONDS = 1.5  # for one address
_MOST = 512  # addresses

_LOCAL = re.compile(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL")


def addresses() -> list[str]:
    """Return the addresses of this network, but for its loopback's (proc(5), ``net/fib_trie`` and ``if_inet6``)."""
    found = []
    with contextlib.suppress(OSError), open("/proc/net/fib_trie") as trie:  # noqa: PTH123 - started without site
        found = [each for each in _LOCAL.findall(trie.read()) if not each.startswith("127.")]
    with contextlib.suppress(OSError), open("/proc/net/if_inet6") as table:  # noqa: PTH123 - as above
        for line in table:
            number, _, _, scope, *_ = line.split()
            if scope != "10":  # the loopback's
                address = ":".join(number[at : at + 4] for at in range(0, 32, 4))
                found.append(f"{address}%eth0" if scope == "20" else address)
    return list(dict.fromkeys(found))[:_MOST]


async def reached(place: str, port: int) -> bool:
    """Whether somebody listens at an address."""
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(place, port)
    except (OSError, UnicodeError):
        return False
    writer.close()
    return True


async def _listen() -> None:
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    listener = socket.create_server(("", 0), family=family, dualstack_ipv6=family == socket.AF_INET6)
    port = listener.getsockname()[1]
    server = await asyncio.start_server(lambda _, writer: writer.close(), sock=listener)
    async with server:
        if not await reached("127.0.0.1", port):
            raise SystemExit("the probe can't reach itself")
        _say({"port": port, "addresses": addresses()})
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def _try(port: int, places: list[str]) -> None:
    tried = await asyncio.gather(*(reached(place, port) for place in places))
    _say({"reached": [place for place, yes in zip(places, tried, strict=True) if yes]})


def _say(said: dict[str, Any]) -> None:
    os.write(1, json.dumps(said).encode() + b"\n")


def main(config: str) -> None:
    """Run as a program.

    Args:
        config: JSON: ``{}`` to listen, or ``{"port", "addresses"}`` to try.
    """
    given = json.loads(config)
    asyncio.run(_try(given["port"], given["addresses"]) if given else _listen())
