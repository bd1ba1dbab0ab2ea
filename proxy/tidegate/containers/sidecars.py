"""Programs of Tidegate's own in containers, and the internal networks they share with servers.

The programs are this project's modules, given as an argument: no file of the host is mounted, so it works on an engine
on another machine too. They need an image with Python 3.11 or later as ``python``, and no other library.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
from importlib import resources
from typing import TYPE_CHECKING, Any

from docker.errors import APIError
from docker.types import Healthcheck, IPAMConfig, IPAMPool

from tidegate.containers import lease
from tidegate.containers.attach import attach
from tidegate.containers.engine import OWNER
from tidegate.containers.spec import hardened
from tidegate.egress.rules import POOL
from tidegate.ends.attach import Attached
from tidegate.ends.buffers import Lines, Outbox, Tail
from tidegate.ends.launcher import keeper
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from docker import APIClient

    from tidegate.containers.engine import Engine, Refused
    from tidegate.ends.pipe import Overlong

_PREFIX = 29  # an internal network has room for six addresses, and needs three
_TRIES = 32  # subnets that are tried until one is free
_LONGEST = 64 * 1024  # bytes of a line
_PYTHON = ("python", "-I", "-S", "-c")
_BOOT = """
import json, sys, types
for name in ("tidegate", "tidegate.egress"):
    made = sys.modules[name] = types.ModuleType(name)
    made.__path__ = []
modules, config = json.loads(sys.argv[1])
for name, source in modules:
    made = sys.modules[name] = types.ModuleType(name)
    setattr(sys.modules["tidegate.egress"], name.rpartition(".")[2], made)
    exec(compile(source, name, "exec"), made.__dict__)
made.main(json.dumps(config))
"""


class Network:
    """An internal network of one container and its sidecar; the host has no address on it.

    Args:
        name: what it is called.
        shielded: whether the host is kept from it; not so to show what that is good for.

    Attributes:
        subnet: its addresses, once it is made.
    """

    def __init__(self, name: str, *, shielded: bool = True) -> None:
        self.name = name
        self._shielded = shielded
        self.subnet = ipaddress.IPv4Network("0.0.0.0/29")

    @property
    def gateway(self) -> str:
        """The address that would be the host's."""
        return str(self.subnet[1])

    @property
    def sidecar(self) -> str:
        """The sidecar's address."""
        return str(self.subnet[2])

    @property
    def server(self) -> str:
        """The container's address."""
        return str(self.subnet[3])

    def make(self, client: APIClient, labels: dict[str, str]) -> None:
        """Make it, of addresses that no other network has.

        Raises:
            APIError: where the engine refuses.
            PipeError: where no addresses are free.
        """
        for _ in range(_TRIES):
            number = secrets.randbelow(2 ** (_PREFIX - POOL.prefixlen))
            self.subnet = ipaddress.IPv4Network((int(POOL.network_address) + number * 2 ** (32 - _PREFIX), _PREFIX))
            pool = IPAMPool(subnet=str(self.subnet), gateway=self.gateway)
            try:
                client.create_network(
                    self.name,
                    driver="bridge",
                    internal=True,
                    check_duplicate=True,
                    # Without it the host has an address here, and with it all that listens on the host.
                    options={"com.docker.network.bridge.inhibit_ipv4": "true" if self._shielded else "false"},
                    ipam=IPAMConfig(pool_configs=[pool]),
                    labels={OWNER: str(lease.this_process()), **labels},
                )
            except APIError as error:
                if "overlap" not in str(error).lower():
                    raise
            else:
                return
        raise PipeError(f"There is no room for another network in {POOL}.")


def endpoint(client: APIClient, network: str, address: str) -> Any:
    """Return the argument of docker-py's ``create_container`` that puts a container on a network."""
    place: Any = {network: client.create_endpoint_config(ipv4_address=address)}  # its stubs are wrong about it
    return client.create_networking_config(place)


class Program:
    """One of Tidegate's programs in a container.

    Args:
        engine: where.
        container: what the container is called.
        heard: takes each line it writes.
        ended: told when its streams have ended.
    """

    def __init__(
        self, engine: Engine, container: str, heard: Callable[[bytes], None], ended: Callable[[], None]
    ) -> None:
        self.container = container
        self._engine = engine
        self._heard = heard
        self._ended = ended
        self._lines = Lines(_LONGEST)
        self._tail = Tail()
        self._attached: Attached | None = None

    def create(self, client: APIClient, image: str, program: tuple[tuple[str, ...], Any], **settings: Any) -> None:
        """Create its container, hardened.

        Args:
            client: the engine.
            image: what it runs in.
            program: modules of ``tidegate.egress`` in the order of their imports, the last of which has ``main``; and
                what that is given.
            settings: arguments of docker-py's ``create_host_config`` that differ; ``labels``, and its
                ``address`` on its network.
        """
        modules, config = program
        labels, address = settings.pop("labels"), settings.pop("address", None)
        client.create_container(
            image,
            name=self.container,
            entrypoint=[*_PYTHON, _BOOT, json.dumps([[(name, _source(name)) for name in modules], config])],
            user="65534:65534",
            stdin_open=True,
            working_dir="/",
            labels={OWNER: str(lease.this_process()), **labels},
            healthcheck=Healthcheck(test=["NONE"]),
            host_config=client.create_host_config(**(hardened(client) | settings)),
            networking_config=None if address is None else endpoint(client, settings["network_mode"], address),
        )

    async def start(self) -> None:
        """Attach to its container, and start it."""
        streams = await attach(self._engine, self.container)
        attached = self._attached = Attached(self._take, self._tail.feed, self._ended, Outbox())
        loop = asyncio.get_running_loop()
        connect: Any = loop.create_unix_connection if streams.family.name == "AF_UNIX" else loop.create_connection
        try:
            streams.settimeout(0)
            await connect(lambda: attached, sock=streams)
        except BaseException:
            streams.close()
            raise
        await self._engine.starting(lambda client: client.start(self.container))

    def tell(self, line: bytes) -> None:
        """Write a line to its standard input."""
        if self._attached is not None and self._attached.transport is not None:
            self._attached.transport.write(line + b"\n")

    @property
    def last(self) -> str:
        """The last line it wrote to standard error."""
        lines = self._tail.text().strip().splitlines()
        return lines[-1][:300] if lines else ""

    def cut(self) -> None:
        """End its streams."""
        if self._attached is not None and self._attached.transport is not None:
            self._attached.transport.abort()

    def _take(self, data: bytes) -> None:
        found: Iterable[bytes | Overlong] = self._lines.feed(data)
        for line in found:
            if isinstance(line, bytes):
                self._heard(line)
            else:
                self.cut()


def _source(name: str) -> str:
    package, _, module = name.rpartition(".")
    return (resources.files(package) / f"{module}.py").read_text()


async def surely(engine: Engine, call: Callable[[APIClient], None]) -> None:
    """Make a call that makes something; when cancelled, wait until it is made or isn't, so that it can be removed."""
    making = asyncio.ensure_future(engine.starting(call))
    try:
        await asyncio.shield(making)
    except asyncio.CancelledError:
        await asyncio.wait([making])
        raise


async def remove(engine: Engine, container: str, network: str) -> None:
    """Remove a container and then a network, for certain.

    Args:
        engine: where they are.
        container: the container's name.
        network: the network's.
    """
    await _until(lambda: engine.remove(container))
    keeper.forget_container(container)
    if network:
        await _until(lambda: engine.remove_network(network))
        keeper.forget_network(network)


async def _until(step: Callable[[], Awaitable[None]]) -> None:
    pause = 0.05
    while True:
        try:
            await step()
        except PipeError:  # still in use, for a moment; or the engine is away
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
        else:
            return


def missing(refusal: Refused, image: str, what: str = "egress") -> str:
    """Return what is wrong where a program can't be started."""
    if refusal.status == 404 and "image" in refusal.told.lower():
        return (
            f"its {what} needs the image {image}, which the engine doesn't have: make it with docker build -t {image} "
            ". in Tidegate's sources, or name one with Python 3.11 or later in [proxy] egress_image"
        )
    if "executable file not found" in refusal.told or "exec:" in refusal.told:
        return f"the image {image} of [proxy] egress_image has no Python 3.11 or later as python"
    return refusal.told
