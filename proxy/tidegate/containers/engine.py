"""The container engine: how it is reached, and the calls to it. docker-py makes them, in a few threads."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

import docker
import requests.exceptions
from docker.errors import APIError, DockerException, NotFound
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool
from docker.utils import parse_host

from tidegate.containers import lease
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tidegate.ends import keeper

T = TypeVar("T")

OWNER = "io.tidegate.owner"
"""The label of all containers and networks of Tidegate's: the lease of the process they belong to."""

_DEFAULT = "unix:///var/run/docker.sock"
_CALL_SECONDS = 30.0  # for one answer of the engine
_TURNS = min(max(os.cpu_count() or 2, 2), 8)  # a start is work for a core: more at once make each slower
_STARTS = 4  # more at once are no quicker, and each of them is slower
_REMOVALS = 4
_TLS_PORT = 2376
_PORT = 2375


class Engine:
    """One container engine. All its calls are bounded in time.

    Args:
        address: as in ``DOCKER_HOST``; what the environment says where it's None.

    Attributes:
        turns: held by each container while it starts, from its creation to its first moment: who comes first is
            ready first, which the calls by themselves, each in a queue of its own, would not be.
    """

    def __init__(self, address: str | None = None) -> None:
        self.address = address or os.environ.get("DOCKER_HOST") or _DEFAULT
        self._certificates = None
        if os.environ.get("DOCKER_TLS_VERIFY"):
            self._certificates = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
        self._lock = threading.Lock()
        self._client: docker.APIClient | None = None
        self._tls: ssl.SSLContext | None = None
        self._starts = ThreadPoolExecutor(_STARTS, "engine-start")
        self.turns = asyncio.Semaphore(_TURNS)
        self._removals = ThreadPoolExecutor(_REMOVALS, "engine-remove")  # of its own, so that no start is in its way
        self._reaped = False

    @property
    def reached(self) -> keeper.Engine:
        """How it is reached, as the keeper wants to know it.

        Raises:
            PipeError: for an address of a kind that isn't supported.
        """
        try:
            base = parse_host(self.address, tls=self._certificates is not None)
        except DockerException:
            raise PipeError(f"The Docker engine's address {self.address} is not one.") from None
        parts = urlsplit(base)
        if parts.scheme == "http+unix":
            return {"unix": parts.path}
        if parts.scheme in ("http", "https") and parts.hostname:
            tls = None
            if self._certificates is not None:
                tls = {name: str(self._certificates / f"{name}.pem") for name in ("ca", "cert", "key")}
            return {"host": parts.hostname, "port": parts.port or (_TLS_PORT if tls else _PORT), "tls": tls}
        raise PipeError(f"The Docker engine's address {self.address} is of a kind that isn't supported.")

    def __del__(self) -> None:
        """Let go of the connections of one that nobody closed."""
        if getattr(self, "_client", None) is not None:
            self.close()

    def close(self) -> None:
        """Let go of connections and threads, once nothing is asked of the engine any more."""
        self._starts.shutdown(wait=False, cancel_futures=True)
        self._removals.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    @property
    def context(self) -> ssl.SSLContext | None:
        """How TLS is spoken to it; None where it isn't.

        Raises:
            PipeError: where the certificates can't be read.
        """
        tls = self.reached.get("tls")
        if tls is not None and self._tls is None:
            import ssl  # noqa: PLC0415 - only for an engine on another machine

            try:
                self._tls = ssl.create_default_context(cafile=tls["ca"])
                self._tls.load_cert_chain(tls["cert"], tls["key"])
            except OSError as error:  # ssl.SSLError is one
                raise PipeError(f"The certificates for the Docker engine can't be read: {error.strerror}.") from None
        return self._tls

    def socket(self, seconds: float) -> socket.socket:
        """Open a connection without TLS to the engine, in a thread.

        Args:
            seconds: what an operation on it may take.

        Raises:
            OSError: where it can't be reached.
        """
        reached = self.reached
        if "unix" not in reached:
            return socket.create_connection((reached["host"], reached["port"]), seconds)
        made = socket.socket(socket.AF_UNIX)
        try:
            made.settimeout(seconds)
            made.connect(reached["unix"])
        except BaseException:
            made.close()
            raise
        return made

    async def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection with TLS to the engine.

        Raises:
            PipeError: where it can't be reached.
        """
        reached = self.reached
        try:
            return await asyncio.open_connection(reached["host"], reached["port"], ssl=self.context)
        except OSError:
            raise self._unreachable() from None

    async def connect(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Open a connection of its own to the engine.

        Raises:
            PipeError: where it can't be reached.
        """
        loop = asyncio.get_running_loop()
        reached = self.reached
        try:
            if "unix" in reached:
                await loop.create_unix_connection(protocol, reached["unix"])
            else:
                await loop.create_connection(protocol, reached["host"], reached["port"], ssl=self.context)
        except OSError:
            raise self._unreachable() from None

    async def starting(self, call: Callable[[docker.APIClient], T]) -> T:
        """Make a call that has to do with a container's start; see :meth:`_call`."""
        return await asyncio.get_running_loop().run_in_executor(self._starts, self._call, call)

    async def removing(self, call: Callable[[docker.APIClient], T]) -> T:
        """Make a call that has to do with a container's removal; see :meth:`_call`."""
        return await asyncio.get_running_loop().run_in_executor(self._removals, self._call, call)

    async def remove(self, name: str) -> None:
        """Kill and remove a container, if there is one.

        Raises:
            PipeError: where the engine can't be reached, or fails.
        """
        try:
            await self.removing(lambda client: client.remove_container(name, force=True, v=True))
        except Refused as refusal:
            if refusal.status not in (404, 409):  # gone, or on its way out
                raise

    async def remove_network(self, name: str) -> None:
        """Remove a network, if there is one.

        Raises:
            PipeError: where a container is still on it, or the engine can't be reached, or fails.
        """
        try:
            await self.removing(lambda client: client.remove_network(name))
        except Refused as refusal:
            if refusal.status != 404:
                raise

    async def reap(self) -> int:
        """Remove the containers whose Tidegate has died, and their networks; return how many containers those were.

        Raises:
            PipeError: where the engine can't be reached, or fails.
        """
        listed = await self.removing(lambda client: client.containers(all=True, filters={"label": OWNER}))
        removed = 0
        for container in listed:
            if await self._is_orphan(container["Labels"].get(OWNER, "")):
                await self.remove(container["Id"])
                removed += 1
        for network in await self.removing(lambda client: client.networks(filters={"label": OWNER})):
            if await self._is_orphan((network["Labels"] or {}).get(OWNER, "")):
                with suppress(Refused):  # a container is on its way out of it: the next time
                    await self.remove_network(network["Id"])
        return removed

    async def reap_once(self) -> None:
        """Reap, if this process hasn't yet.

        Raises:
            PipeError: where the engine can't be reached, or fails.
        """
        if not self._reaped:
            self._reaped = True
            try:
                await self.reap()
            except BaseException:
                self._reaped = False
                raise

    async def _is_orphan(self, label: str) -> bool:
        owner = lease.read(label)
        if owner is None:
            return False
        return not await self._runs(owner.host) if owner.beside else owner.alive is False

    async def _runs(self, host: str) -> bool:
        """Whether an owner in another PID namespace may be alive: its host name is its container's id, as a rule."""
        if len(host) != len("0123456789ab") or any(character not in "0123456789abcdef" for character in host):
            return True  # can't be told
        try:
            found = await self.removing(lambda client: client.inspect_container(host))
        except Refused as refusal:
            return refusal.status != 404
        return bool(found["State"]["Running"])

    def _call(self, call: Callable[[docker.APIClient], T]) -> T:
        """Make a call, in a thread.

        Raises:
            Refused: where the engine says no.
            PipeError: where it can't be reached, or doesn't answer in time.
        """
        try:
            return call(self._connected())
        except NotFound as error:
            raise Refused(404, _told(error)) from None
        except APIError as error:
            raise Refused(error.status_code or 500, _told(error)) from None
        except requests.exceptions.Timeout:
            raise PipeError(f"The Docker engine at {self.address} doesn't answer in time.") from None
        except (DockerException, requests.exceptions.RequestException, OSError):
            raise self._unreachable() from None

    def _connected(self) -> docker.APIClient:
        with self._lock:
            if self._client is None:
                tls: Any = False
                if self._certificates is not None:
                    pair = (str(self._certificates / "cert.pem"), str(self._certificates / "key.pem"))
                    tls = docker.tls.TLSConfig(pair, str(self._certificates / "ca.pem"), verify=True)
                self._client = _Client(self.address, timeout=int(_CALL_SECONDS), tls=tls)
            return self._client

    def _unreachable(self) -> PipeError:
        return PipeError(f"The Docker engine can't be reached at {self.address}.")


class _Client(docker.APIClient):
    """docker-py's client, deaf to what the environment says about HTTP in general.

    REQUESTS_CA_BUNDLE would replace the engine's own certificate authority, and a proxy can't carry the streams.
    """

    @property
    def trust_env(self) -> bool:
        """False, whatever a session of requests sets it to."""
        return False

    @trust_env.setter
    def trust_env(self, value: bool) -> None:
        pass

    def mount(self, prefix: str | bytes, adapter: Any) -> None:
        """Take an adapter of our own instead of docker-py's for a UNIX socket, which it mounts as it is made."""
        if isinstance(adapter, UnixHTTPAdapter):
            adapter = _Adapter(adapter.socket_path, adapter.timeout, max_pool_size=adapter.max_pool_size)
        super().mount(prefix, adapter)


class _Connection(UnixHTTPConnection):
    """docker-py's connection, which doesn't leave its socket open where nobody listens."""

    def connect(self) -> None:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.settimeout(self.timeout)
            made.connect(self.unix_socket)
        except BaseException:
            made.close()
            raise
        self.sock = made


class _Pool(UnixHTTPConnectionPool):
    """A pool of them."""

    def _new_conn(self) -> Any:  # of urllib3's protocol, which the stubs of docker-py's don't know
        return _Connection(self.base_url, self.socket_path, cast("Any", self.timeout))  # as above


class _Adapter(UnixHTTPAdapter):
    """One pool for all calls. docker-py has one for each URL, and connects anew for each container."""

    def get_connection(self, url: str | bytes, proxies: object = None) -> _Pool:  # noqa: ARG002 - the adapter's signature
        with self.pools.lock:
            pool: _Pool | None = self.pools.get("")
            if pool is None:
                pool = self.pools[""] = _Pool(
                    "http+docker://localhost", self.socket_path, self.timeout, maxsize=self.max_pool_size
                )
        return pool


class Refused(PipeError):  # noqa: N818 - it says what the engine did
    """The engine answered a call with an error.

    Attributes:
        status: the HTTP status.
        told: what the engine said, one short line.
    """

    def __init__(self, status: int, told: str) -> None:
        super().__init__(f"The Docker engine refused: {told}.")
        self.status = status
        self.told = told


def _told(error: APIError) -> str:
    lines = str(error.explanation or error).strip().splitlines() or ["no reason given"]
    return lines[0][:300].rstrip(". ")
