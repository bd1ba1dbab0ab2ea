"""Whether an engine's internal networks keep containers from the host: tried once, before the first egress is given."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tidegate.containers import sidecars
from tidegate.containers.engine import Refused
from tidegate.ends.launcher import keeper
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from tidegate.containers.engine import Engine

_SECONDS = 60.0
_MODULES = ("tidegate.egress.probe",)
_LABEL = "io.tidegate.probe"

_proofs: WeakKeyDictionary[Engine, asyncio.Task[None]] = WeakKeyDictionary()


def proven(engine: Engine, image: str) -> asyncio.Task[None]:
    """Return the trial of an engine: begun now where there was none, or it failed.

    Args:
        engine: the engine.
        image: the image of the probe's two containers.

    Returns:
        A task that must not be cancelled. It raises a :class:`PipeError` where the host is reached, or that can't be
        told.
    """
    task = _proofs.get(engine)
    if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
        network = sidecars.Network(f"tidegate-probe-{secrets.token_hex(6)}")
        task = _proofs[engine] = asyncio.create_task(prove(engine, image, network), name="egress probe")
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen
    return task


async def prove(engine: Engine, image: str, network: sidecars.Network) -> None:
    """Try an engine.

    Args:
        engine: the engine.
        image: the image of the probe's two containers.
        network: the network it is tried on, which is made and removed.

    Raises:
        PipeError: unless the host is out of reach.
    """
    labels = {_LABEL: network.name}
    listener, visitor = _Asked(engine, f"{network.name}-host"), _Asked(engine, network.name)
    try:
        async with asyncio.timeout(_SECONDS):
            keeper.note_network(engine.reached, network.name)
            for each in (listener, visitor):
                keeper.note_container(engine.reached, each.program.container)
            listens: tuple[tuple[str, ...], Any] = (_MODULES, {})
            await sidecars.surely(engine, lambda client: network.make(client, labels))
            await sidecars.surely(
                engine,
                lambda client: listener.program.create(client, image, listens, labels=labels, network_mode="host"),
            )
            host = await listener.said()
            places = [network.gateway, *host["addresses"]]
            tries = (_MODULES, {"port": host["port"], "addresses": places})
            await sidecars.surely(
                engine,
                lambda client: visitor.program.create(
                    client,
                    image,
                    tries,
                    labels=labels,
                    network_mode=network.name,
                    address=network.server,
                ),
            )
            reached = (await visitor.said())["reached"]
    except Refused as refusal:
        raise PipeError(sidecars.missing(refusal, image)) from None
    except TimeoutError:
        raise PipeError("whether it would reach the host could not be found out in time") from None
    finally:
        for each in (listener, visitor):
            each.program.cut()
        await sidecars.remove(engine, listener.program.container, "")
        await sidecars.remove(engine, visitor.program.container, network.name)
    if reached:
        raise PipeError(
            f"on this engine a container of an internal network reaches the host at {', '.join(sorted(reached)[:3])}: "
            "use an engine that keeps to com.docker.network.bridge.inhibit_ipv4 (Docker 20.10 or later on Linux does), "
            "or have its firewall drop what comes from bridges to the host itself"
        )


class _Asked:
    """A program that says one thing."""

    def __init__(self, engine: Engine, container: str) -> None:
        self.program = sidecars.Program(engine, container, self._heard, self._ended)
        self._said: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def said(self) -> dict[str, Any]:
        """Start it, and return what it says."""
        await self.program.start()
        said: dict[str, Any] = await self._said
        return said

    def _heard(self, line: bytes) -> None:
        if not self._said.done():
            self._said.set_result(json.loads(line))

    def _ended(self) -> None:
        if not self._said.done():
            self._said.set_exception(PipeError(f"the probe ended by itself ({self.program.last or 'without a word'})"))
            self._said.exception()  # seen: it may have been given up
