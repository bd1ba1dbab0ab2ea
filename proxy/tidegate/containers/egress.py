"""The way out of one container: its network, its sidecar, and what the sidecar tells."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tidegate.containers import sidecars
from tidegate.containers.engine import Refused
from tidegate.containers.probing import proven
from tidegate.egress.rules import parse
from tidegate.ends.launcher import keeper
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import APIClient

    from tidegate.containers.engine import Engine
    from tidegate.settings import ProxySettings, ServerSettings

UNRESTRICTED = "unrestricted"

_READY = 45.0  # seconds for the sidecar to listen
_PORT = 3128
_MODULES = tuple(
    f"tidegate.egress.{name}" for name in ("rules", "hello", "heads", "dns", "records", "copying", "sidecar")
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_OUTSTANDING = 512  # things told that nobody has taken note of
_TEXTS, _NUMBERS = ("verdict", "how", "host", "address", "reason"), ("n", "port", "sent", "received", "omitted")
_SYSCTLS = {
    "net.ipv4.ip_unprivileged_port_start": "0"
}  # it listens on 53, and on the allowed ports, without being root


@dataclass(frozen=True, slots=True)
class Joined:
    """How a container's settings let it to its way out.

    Attributes:
        host: arguments of docker-py's ``create_host_config``.
        environment: variables that it has unless its settings give them.
        address: its network and its address there; None where it has no network of its own.
    """

    host: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    address: tuple[str, str] | None = None

    def endpoint(self, client: APIClient) -> Any:
        """Return the argument of docker-py's ``create_container`` that puts it on its network."""
        if self.address is None:
            return None
        return sidecars.endpoint(client, *self.address)


def joined(server: ServerSettings) -> Joined:
    """Return how a container without a sidecar is joined: to nothing, or to everything."""
    return Joined({"network_mode": "bridge", "dns": None}) if server.egress == UNRESTRICTED else Joined()


class Egress:
    """The network and the sidecar of one container.

    Args:
        engine: where.
        container: the container's name.
        labels: the container's labels, beside its owner's.
        server: its server's settings, with a list as ``egress``.
        proxy: which image and name servers the sidecar uses.
        tell: takes what the sidecar tells; each ``n`` in it is to be answered, see :meth:`answer`.
    """

    def __init__(
        self,
        engine: Engine,
        container: str,
        server: ServerSettings,
        proxy: ProxySettings,
        tell: Callable[[dict[str, Any]], None],
        labels: dict[str, str],
    ) -> None:
        self.died: Callable[[], object] = lambda: None
        self._engine = engine
        self._labels = labels
        self._server = server
        self._proxy = proxy
        self._tell = tell
        self._network = sidecars.Network(f"{container}-egress")
        self._program = sidecars.Program(engine, f"{container}-egress", self._heard, self._gone)
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._starting: asyncio.Task[Joined] | None = None
        self._unwanted = False
        self._unanswered: set[int] = set()

    async def start(self) -> Joined:
        """Make the network, and start the sidecar; return how the container gets to it.

        Raises:
            PipeError: where that isn't possible. Then, and when cancelled, :meth:`remove` must be called.
        """
        self._starting = asyncio.create_task(self._start(), name="egress start")
        try:
            return await asyncio.shield(self._starting)
        except Refused as refusal:
            raise PipeError(sidecars.missing(refusal, self._proxy.egress_image)) from None

    async def _start(self) -> Joined:
        engine, network, program = self._engine, self._network, self._program
        proof = proven(engine, self._proxy.egress_image)
        keeper.note_container(engine.reached, program.container)
        keeper.note_network(engine.reached, network.name)
        for step in (self._make_network, self._create):
            await engine.starting(step)
            self._check()
        await program.start()
        try:
            async with asyncio.timeout(_READY):
                await self._ready
        except TimeoutError:
            raise PipeError("its egress sidecar didn't start in time") from None
        await asyncio.shield(proof)
        return self._joined()

    def _check(self) -> None:
        if self._unwanted:
            raise PipeError("it was given up")

    def _make_network(self, client: APIClient) -> None:
        self._network.make(client, self._labels)

    def _create(self, client: APIClient) -> None:
        network = self._network
        config = {"rules": list(self._server.egress), "inside": network.sidecar, "peer": network.server}
        self._program.create(
            client,
            self._proxy.egress_image,
            (_MODULES, config),
            labels=self._labels,
            network_mode="bridge",
            dns=list(self._proxy.egress_dns) or None,
            sysctls=_SYSCTLS,
        )
        client.connect_container_to_network(self._program.container, network.name, ipv4_address=network.sidecar)

    def _joined(self) -> Joined:
        network = self._network
        rules = [parse(entry) for entry in self._server.egress]
        names = sorted({rule.name for rule in rules if rule.network is None and not rule.name.startswith("*.")})
        host = {
            "network_mode": network.name,
            "dns": [network.sidecar],  # the only one it has: questions about other names end there
            "dns_search": ["."],
            "extra_hosts": dict.fromkeys(names, network.sidecar),
        }
        address = f"http://{network.sidecar}:{_PORT}"
        environment: dict[str, str] = {}
        for name in _PROXIES:
            if not {name, name.upper()} & self._server.env.keys():
                environment |= {name: address, name.upper(): address}
        if not {"no_proxy", "NO_PROXY"} & self._server.env.keys():
            environment |= dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1")
        return Joined(host, environment, (network.name, network.server))

    def answer(self, number: int, *, ok: bool) -> None:
        """Tell the sidecar whether something it told is recorded; what isn't, it doesn't do."""
        if number in self._unanswered:
            self._unanswered.discard(number)
            self._program.tell(json.dumps({"n": number, "ok": ok}).encode())

    async def remove(self) -> None:
        """Remove the sidecar and the network, for certain; the container must be gone."""
        self._unwanted = True
        if self._starting is None:
            return
        await asyncio.wait([self._starting])
        if not self._starting.cancelled():
            self._starting.exception()  # seen
        self._program.cut()
        await sidecars.remove(self._engine, self._program.container, self._network.name)

    def _heard(self, line: bytes) -> None:
        """Take a line of the sidecar's: who talks to it is hostile, so it isn't trusted to be as it was."""
        try:
            said = json.loads(line)
            if said == {"ready": True}:
                if not self._ready.done():
                    self._ready.set_result(None)
                return
            told: dict[str, Any] = {name: _text(said.get(name, "")) for name in _TEXTS}
            told |= {name: _number(said.get(name, 0)) for name in _NUMBERS}
        except (ValueError, TypeError, AttributeError, RecursionError):
            self._program.cut()
            return
        if len(self._unanswered) >= _OUTSTANDING or told["n"] in self._unanswered:
            self._program.cut()
            return
        self._unanswered.add(told["n"])
        self._tell(told)

    def _gone(self) -> None:
        if not self._ready.done():
            last = self._program.last or "it ended"
            self._ready.set_exception(PipeError(f"its egress sidecar can't start ({last})"))
            self._ready.exception()  # seen: it may have been given up
        self.died()


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 300:
        raise TypeError
    return "".join(letter if letter.isprintable() else "?" for letter in value)


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise TypeError
    return value
