"""A sidecar on this machine, a server outside of it, and what the sidecar told."""

import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from ends.programs import until
from support.certificates import Authority
from tidegate.egress.copying import Limits
from tidegate.egress.records import Records
from tidegate.egress.rules import Address, Rule, Rules
from tidegate.egress.sidecar import Sidecar

PATIENCE = 10.0
INSIDE, OUTSIDE, ELSEWHERE = "127.0.0.9", "127.0.0.2", "127.0.0.3"
ME = "127.0.0.1"
HOSTS = {
    "one.test": [OUTSIDE],
    "two.test": [OUTSIDE],
    "a.wild.test": [OUTSIDE],
    "private.test": ["10.0.0.7"],
    "metadata.test": ["169.254.169.254", "fd00:ec2::254"],
    "mapped.test": ["::ffff:127.0.0.1", "64:ff9b::7f00:1"],
    "mixed.test": ["10.0.0.7", OUTSIDE],
    "closed.test": [OUTSIDE],
    "nowhere.test": [],
}


class Rig:
    """A sidecar, what it told, and the servers outside.

    Attributes:
        told: what it told, in order.
        writes: whether its records are written; None for no answer at all.
        heard: what the servers outside were sent.
        asked: the names it looked up.
    """

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.writes: bool | None = True
        self.heard = b""
        self.asked: list[str] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.plain = self.shared = self.tls = self.proxy = self.names = 0
        self.hosts = {name: list(found) for name, found in HOSTS.items()}
        self.records: Records | None = None

    def tell(self, line: bytes) -> None:
        said = json.loads(line)
        self.told.append(said)
        if self.writes is not None and self.records is not None:
            answer = json.dumps({"n": said["n"], "ok": self.writes}).encode()
            asyncio.get_running_loop().call_soon(self.records.heard, answer)

    async def resolve(self, name: str, _port: int) -> list[Address]:
        self.asked.append(name)
        if name not in self.hosts:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [ipaddress.ip_address(each) for each in self.hosts[name]]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        writer.write(b"hello\n")
        while data := await reader.read(65536):
            self.heard += data
            if self.heard.endswith((b"\r\n\r\n", b"bye")):
                break
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndone")
        writer.close()

    def verdicts(self) -> list[tuple[str, str]]:
        return [(each["verdict"], each["reason"]) for each in self.told]


def free() -> int:
    with socket.socket() as found:
        found.bind((INSIDE, 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def rig(tmp_path: Path | None = None, **limits: float) -> AsyncIterator[Rig]:
    it = Rig()
    server = await asyncio.start_server(it.serve, OUTSIDE, 0)
    it.plain = server.sockets[0].getsockname()[1]
    shared = await asyncio.start_server(it.serve, OUTSIDE, 0)
    it.shared = shared.sockets[0].getsockname()[1]
    servers = [server, shared]
    if tmp_path is not None:
        authority = Authority(tmp_path, "authority")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.signed("one.test", OUTSIDE))
        servers.append(await asyncio.start_server(it.serve, OUTSIDE, 0, ssl=context))
        it.tls = servers[-1].sockets[0].getsockname()[1]
    rules = [Rule("one.test", None, it.plain)]
    rules += [Rule(name, None, it.shared) for name in ("one.test", "two.test", "*.wild.test")]
    rules += [Rule(name, None, it.tls or 1) for name in ("one.test", "two.test")] if it.tls else []
    odd = ("private.test", "metadata.test", "mapped.test", "mixed.test", "nowhere.test", "unknown.test")
    rules += [Rule(name, None, it.shared) for name in odd]
    rules += [Rule("", ipaddress.IPv4Network(f"{OUTSIDE}/32"), port) for port in (it.plain, it.shared, it.tls) if port]
    closed = free()
    rules += [Rule("closed.test", None, closed), Rule("", ipaddress.IPv4Network(f"{OUTSIDE}/32"), closed)]
    it.hosts["closed"] = [str(closed)]
    it.proxy, it.names = free(), free()
    it.records = Records(it.tell)
    served = Sidecar(Rules(rules), INSIDE, ME, it.records, it.resolve, Limits(**limits))
    await served.start(it.proxy, it.names)
    try:
        yield it
    finally:
        served.close()
        for each in servers:
            each.close()
        for writer in it.writers:
            writer.close()
        await until(lambda: served._open == 0)


async def talk(port: int, data: bytes, *, eof: bool = False) -> bytes:
    """Send bytes to the sidecar, and return all that comes back."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(INSIDE, port)
        try:
            writer.write(data)
            if eof:
                writer.write_eof()
            return await rest(reader)
        finally:
            writer.close()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Return all that comes, until the end or a reset."""
    got = b""
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            got += data
    return got


def connect(place: str, after: bytes = b"") -> bytes:
    return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode() + after
