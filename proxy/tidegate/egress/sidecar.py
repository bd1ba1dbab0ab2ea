"""The sidecar: the only way out of a server's network. A proxy, a forwarder on the allowed ports, and a name server.

The proxy takes CONNECT, and requests for ``http://`` addresses. The forwarder is for programs that know no proxy: all
allowed names lead to the sidecar, and where a port has several, TLS or HTTP says which one is meant. Names are looked
up here, and a connection is made to the very address that was checked. See ``docs/egress.md``.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from tidegate.egress import dns
from tidegate.egress.copying import ALERT, CHUNK, Inlet, Limits, Refused, Way
from tidegate.egress.heads import Head
from tidegate.egress.records import Records
from tidegate.egress.rules import Address, Rule, Rules, is_public, parse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Resolve = Callable[[str, int], Awaitable[list[Address]]]

PORT = 3128
"""Where the proxy listens."""

_DNS = 53
_MOST = 128  # connections at a time
_CONNECTED = 10.0  # seconds for a connection to be made
_TRIES = 3  # addresses of one name
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


async def resolve(name: str, port: int) -> list[Address]:
    """Return the addresses of a name, as the system says them."""
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(str(place[0]).partition("%")[0]) for *_, place in found))


class Sidecar:
    """Serves one container.

    Args:
        rules: what it may reach.
        inside: the sidecar's address on the container's network; nothing listens on another.
        peer: the container's address; nobody else is served.
        records: what is told of each decision.
        resolve: looks a name up.
        limits: how long things may take.
    """

    def __init__(
        self,
        rules: Rules,
        inside: str,
        peer: str,
        records: Records,
        resolve: Resolve = resolve,
        limits: Limits = Limits(),  # noqa: B008 - it can't be changed
    ) -> None:
        self._rules = rules
        self._inside = inside
        self._peer = peer
        self._records = records
        self._resolve = resolve
        self._limits = limits
        self._open = 0
        self._closing: list[Callable[[], None]] = []

    async def start(self, proxy: int = PORT, names: int = _DNS) -> None:
        """Listen, for the proxy on one port and for the name server on another.

        Raises:
            OSError: where it can't.
        """
        ways: dict[int, Callable[[Inlet, asyncio.StreamWriter], Awaitable[None]]] = {
            port: self._forwarder(port) for port in self._rules.ports
        }
        ways[proxy] = self._proxy
        for port, serve in ways.items():
            server = await asyncio.start_server(self._guarded(serve), self._inside, port, limit=CHUNK)
            self._closing.append(server.close)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Names(self), local_addr=(self._inside, names)
        )
        self._closing.append(transport.close)

    def close(self) -> None:
        """Stop listening."""
        for close in self._closing:
            close()

    def _guarded(
        self, serve: Callable[[Inlet, asyncio.StreamWriter], Awaitable[None]]
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if writer.get_extra_info("peername")[0] != self._peer:
                writer.transport.abort()
                return
            if self._open >= _MOST:
                self._refused(f"more than {_MOST} connections are open")
                writer.transport.abort()
                return
            self._open += 1
            try:
                await serve(Inlet(reader, self._limits.begun), writer)
            except OSError:  # TimeoutError is one
                pass
            finally:
                self._open -= 1
                writer.close()

        return guarded

    def _refused(self, reason: str, how: str = "name", host: str = "", port: int = 0, address: str = "") -> None:
        told = {"how": how, "host": host[:253], "port": port, "address": address, "reason": reason}
        self._records.refused(told)

    async def _proxy(self, inlet: Inlet, writer: asyncio.StreamWriter) -> None:
        host, port = "", 0
        try:
            head = await inlet.head()
            if head.host is None:
                raise Refused("the request names no host")  # noqa: TRY301 - one place says what is refused
            host, port = str(head.host), head.port or 80
            way, told = await self._way("proxy", head.host, port)
        except Refused as refusal:
            self._refused(str(refusal), "proxy", host, port, refusal.address)
            await _say(writer, 403, f"Tidegate: {refusal}.")
            return
        except OSError:
            await _say(writer, 502, "Tidegate: the host can't be reached.")
            return
        name = head.host if isinstance(head.host, str) else None
        if head.method == "CONNECT":
            writer.write(_ESTABLISHED)
            await self._carry(way, told, inlet, writer, name)
        else:
            await self._carry(way, told, inlet, writer, name, head)

    def _forwarder(self, port: int) -> Callable[[Inlet, asyncio.StreamWriter], Awaitable[None]]:
        async def forward(inlet: Inlet, writer: asyncio.StreamWriter) -> None:
            name, head = self._rules.only(port), None
            try:
                if name is None:
                    async with asyncio.timeout(self._limits.idle):
                        opening = await inlet.opening()
                    name, head = _meant(opening, port)
                way, told = await self._way("name", name, port)
            except Refused as refusal:
                self._refused(str(refusal), "name", name or "", port, refusal.address)
                await _turn_away(inlet, writer, head is not None, str(refusal))
                return
            except OSError:
                return
            if head is None and self._rules.only(port) is None:
                name = None  # it has been looked at
            await self._carry(way, told, inlet, writer, name, head)

        return forward

    async def _way(self, how: str, host: str | Address, port: int) -> tuple[Way, dict[str, Any]]:
        """Open a connection to a host, if it is allowed and once that is recorded.

        Raises:
            Refused: where it isn't allowed.
            OSError: where it can't be reached.
        """
        failed = OSError("no address")
        for address in (await self._checked(host, port))[:_TRIES]:
            told = {"how": how, "host": str(host), "port": port, "address": str(address)}
            reason = await self._records.allowed(told | {"reason": "allowed"})
            if reason:
                raise Refused(reason)
            try:
                async with asyncio.timeout(_CONNECTED):
                    # By number: a name would be looked up again, and might then be another address's.
                    reader, writer = await asyncio.open_connection(str(address), port, limit=CHUNK)
            except OSError as error:
                failed = error
                self._records.closed(told | {"reason": "it can't be reached", "sent": 0, "received": 0})
            else:
                return Way(reader, writer, self._limits.idle), told
        raise failed

    async def _checked(self, host: str | Address, port: int) -> list[Address]:
        if not isinstance(host, str):
            if not self._rules.addresses(host, port):
                raise Refused("no entry of egress allows that address and port")
            return [host]
        if not self._rules.names(host, port):
            raise Refused("no entry of egress allows that host and port")
        try:
            async with asyncio.timeout(_CONNECTED):
                found = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise Refused("its name can't be looked up") from None
        good = [each for each in found if is_public(each) or self._rules.addresses(each, port)]
        if not good:
            raise Refused("its address is not public", str(found[0])) if found else Refused("its name has no address")
        return good

    async def _carry(
        self,
        way: Way,
        told: dict[str, Any],
        inlet: Inlet,
        writer: asyncio.StreamWriter,
        name: str | None,
        head: Head | None = None,
    ) -> None:
        """Carry bytes both ways until the outside has ended.

        Args:
            way: the connection to the outside.
            told: what was recorded of it.
            inlet: what comes from the container.
            writer: to the container.
            name: the host, where what the container begins with is still to be looked at; else None.
            head: the head of a request that is to be sent first, and nothing after its content.
        """
        reason = "closed"
        try:
            async with asyncio.timeout(self._limits.idle) as limit, asyncio.TaskGroup() as group:
                up = group.create_task(self._outgoing(way, inlet, limit, (name, told["port"]), head))
                try:
                    await way.answer(writer, limit)
                finally:
                    up.cancel()
        except* Refused as refusals:
            reason = str(refusals.exceptions[0])
            self._refused(reason, told["how"], told["host"], told["port"], told["address"])
            await _turn_away(inlet, writer, False, reason)  # noqa: FBT003 - what it began with isn't known here
        except* TimeoutError:
            reason = f"nothing came for {self._limits.idle:.0f} seconds"
        except* OSError:
            pass  # one of the two has gone
        finally:
            way.close()
            self._records.closed(told | {"reason": reason, "sent": way.sent, "received": way.received})

    async def _outgoing(
        self, way: Way, inlet: Inlet, limit: asyncio.Timeout, place: tuple[str | None, int], head: Head | None
    ) -> None:
        name, port = place
        if name is not None and head is None:
            opening = await inlet.opening()
            if opening is not None and _meant(opening, port)[0] != name:
                raise Refused(f"{'TLS' if isinstance(opening, str) else 'HTTP'} in it names another host")
            head = opening if isinstance(opening, Head) else None
        if head is None:
            await way.forward(inlet, limit)
        else:
            await way.send(head.encoded())
            await way.forward(inlet, limit, head.length)


def _meant(opening: str | Head | None, port: int) -> tuple[str, Head | None]:
    """Return which host the beginning of a connection names.

    Raises:
        Refused: where it names none.
    """
    if isinstance(opening, str):
        return opening, None
    if opening is None:
        raise Refused("neither TLS nor HTTP says which host is meant")
    if not isinstance(opening.host, str) or opening.method == "CONNECT" or (opening.port or port) != port:
        raise Refused("the request doesn't name an allowed host")
    return opening.host, opening


async def _say(writer: asyncio.StreamWriter, status: int, text: str) -> None:
    body = text.encode()
    head = f"HTTP/1.1 {status} {'Forbidden' if status == 403 else 'Bad Gateway'}\r\nContent-Type: text/plain\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    await writer.drain()


async def _turn_away(inlet: Inlet, writer: asyncio.StreamWriter, http: bool, reason: str) -> None:  # noqa: FBT001 - its kind
    """Say no in the language that a connection speaks."""
    with suppress(OSError):
        if http:
            await _say(writer, 403, f"Tidegate: {reason}.")
        elif inlet.buffer.startswith(b"\x16"):
            writer.write(ALERT)


class _Names(asyncio.DatagramProtocol):
    """The name server's socket."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        sidecar = self._sidecar
        if addr[0] != sidecar._peer or self._transport is None:  # noqa: SLF001 - its own other half
            return
        reply = dns.answer(data, ipaddress.IPv4Address(sidecar._inside), sidecar._rules.knows)  # noqa: SLF001 - as above
        if reply is None:
            return
        if reply.refused:
            sidecar._refused("no entry of egress allows that name", "dns", reply.refused)  # noqa: SLF001 - as above
        self._transport.sendto(reply.data, addr)


async def serve(rules: list[Rule], inside: str, peer: str) -> None:
    """Serve until standard input, on which the answers come, has ended."""
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    records = Records(_write_all)
    await Sidecar(Rules(rules), inside, peer, records).start()
    _write_all(b'{"ready":true}\n')
    while line := await stdin.readline():
        records.heard(line)


def _write_all(data: bytes) -> None:
    """Write to standard output; whoever reads it always does, and where nobody does, nothing is let through either."""
    while data:
        data = data[os.write(1, data) :]


def main(config: str) -> None:
    """Run as a program.

    Args:
        config: JSON: ``{"rules", "inside", "peer"}``.
    """
    given = json.loads(config)
    asyncio.run(serve([parse(rule) for rule in given["rules"]], given["inside"], given["peer"]))
