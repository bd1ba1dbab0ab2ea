"""What the process that faces clients sees of containers: something that starts and stops them, and their streams."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tidegate import gateway_settings

if TYPE_CHECKING:
    import asyncio
    import socket

    from tidegate.settings import ServerSettings


_KILLED = 137  # the exit code of a container that got a SIGKILL


@dataclass(slots=True)
class Box:
    """A started container.

    Attributes:
        streams: the connection that carries its standard input, output and error, framed as the Docker Engine API
            says ("Attach to a container", stream format). Whoever gets it closes it.
        direct: where the engine carries its standard error alone: the descriptors of its standard input, to be
            written to, and of its standard output, to be read. Whoever gets them closes them.
        ended: its exit code once it has ended and is removed; None where the engine didn't say.
        port: for a server with ``port``, the same kind of connection to the sidecar that carries connections to it.
            Whoever gets it closes it.
    """

    streams: socket.socket
    ended: asyncio.Future[int | None]
    port: socket.socket | None = None
    direct: tuple[int, int] | None = None


class Boxes(Protocol):
    """Starts and stops the containers of the configured servers."""

    async def start(self, server: str, instance: str, secrets: str | None = None) -> Box:
        """Start a container; bounded in time. Where this is cancelled or fails, :meth:`stop` removes what there is.

        Args:
            server: the server's name in the settings.
            instance: twelve lower-case hexadecimal digits that nobody can guess; the container's name ends with them.
            secrets: the digest of the secrets that are looked for in its traffic, see
                :meth:`tidegate.secret_stores.resolving.Resolved.digest`: it gets no others.

        Raises:
            PipeError: where it can't be started, in one sentence.
        """
        ...

    async def stop(self, instance: str) -> None:
        """Kill and remove a container, if there is one; return when it is gone, or when that can't be confirmed.

        Raises:
            PipeError: where nobody can be asked to; what is there is removed all the same, by who sees to the rest.
        """
        ...


def container_name(server: str, instance: str) -> str:
    """Return what the container of a server's instance is called."""
    return f"tidegate-{server}-{instance}"


def how_ended(code: int | None) -> str:
    """Return in words how a container with an exit code ended."""
    if code is None:
        return "ended"
    if code == _KILLED:
        return "was killed, by its limit on memory as a rule"
    return f"ended with exit code {code}"


def fingerprint(server: ServerSettings) -> str:
    """Return a text that is the same for the same settings of a server only; those that clients alone see aside."""
    return hashlib.sha256(server.model_dump_json(exclude=set(gateway_settings.KEYS)).encode()).hexdigest()
