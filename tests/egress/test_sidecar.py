"""The sidecar between a program and servers of ours, all on this machine: what gets through, and what is told of it."""

import asyncio
import ipaddress
import socket
import ssl
import struct
from contextlib import suppress
from pathlib import Path

import pytest

from egress.rig import ELSEWHERE, INSIDE, ME, OUTSIDE, PATIENCE, Rig, connect, free, rest, rig, talk
from egress.test_hello import hello
from ends.programs import until
from tidegate.egress.rules import Address, Rule, Rules
from tidegate.egress.sidecar import Sidecar


async def test_an_allowed_host_is_reached_by_the_proxy_and_both_ends_are_told() -> None:
    async with rig() as it:
        said = await talk(it.proxy, connect(f"ONE.test.:{it.plain}", b"\x00bye"))
        assert said.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nhello\n")
        await until(lambda: len(it.told) == 2)
        first, last = it.told
        place = {"how": "proxy", "host": "one.test", "port": it.plain, "address": OUTSIDE}
        assert {name: first[name] for name in place} == place
        assert first["verdict"] == "allow"
        assert {name: last[name] for name in place} == place
        assert (last["verdict"], last["sent"], last["received"]) == ("closed", 4, 6 + 42)


async def test_a_program_that_knows_no_proxy_reaches_it_by_its_name() -> None:
    async with rig() as it:
        assert (await talk(it.plain, b"\x00raw bye")).startswith(b"hello\n")
        assert it.heard == b"\x00raw bye"
        assert it.told[0]["how"] == "name"


async def test_a_server_that_speaks_first_is_heard_before_anything_is_sent() -> None:
    async with rig() as it:
        reader, writer = await asyncio.open_connection(INSIDE, it.plain)
        async with asyncio.timeout(PATIENCE):
            assert await reader.readline() == b"hello\n"
        writer.close()


async def test_a_request_for_an_address_is_carried_and_nothing_after_it() -> None:
    async with rig() as it:
        request = f"GET http://one.test:{it.plain}/a HTTP/1.1\r\nHost: one.test:{it.plain}\r\n\r\n".encode()
        said = await talk(it.proxy, request + b"GET /b HTTP/1.1\r\nHost: evil.test\r\n\r\n")
        assert said.endswith(b"done")
        assert it.heard == f"GET /a HTTP/1.1\r\nHost: one.test:{it.plain}\r\nConnection: close\r\n\r\n".encode()


async def test_on_a_shared_port_plain_http_is_told_by_its_host() -> None:
    async with rig() as it:
        for name in ("two.test", "a.wild.test"):
            assert (await talk(it.shared, f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())).endswith(b"done")
            assert it.told[-1]["host"] == name
        assert it.asked == ["two.test", "a.wild.test"]


async def test_on_a_shared_port_tls_is_told_by_its_server_name(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        context = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
        context.check_hostname = False  # its certificate is good for an address
        async with asyncio.timeout(PATIENCE):
            for port, place in ((it.tls, None), (it.proxy, f"two.test:{it.tls}")):
                reader, writer = await asyncio.open_connection(INSIDE, port)
                if place is not None:
                    writer.write(connect(place))
                    await reader.readuntil(b"\r\n\r\n")
                await writer.start_tls(context, server_hostname="two.test")
                writer.write(b"bye")
                assert await reader.readline() == b"hello\n"
                writer.close()
        assert {each["host"] for each in it.told} == {"two.test"}
        assert it.heard.count(b"bye") == 2


# What is tried, on which port, and the words that are told of it; nobody outside must hear of any of them.
def attempts(it: Rig) -> dict[str, tuple[int, bytes, str]]:
    shared = it.shared
    return {
        "another port": (it.proxy, connect("one.test:22"), "no entry of egress allows that host"),
        "another host": (it.proxy, connect(f"evil.test:{it.plain}"), "no entry of egress allows that host"),
        "a part of its name": (it.proxy, connect(f"evil.one.test:{it.plain}"), "no entry of egress allows that host"),
        "the wildcard itself": (it.proxy, connect(f"wild.test:{shared}"), "no entry of egress allows that host"),
        "an address": (it.proxy, connect(f"{ELSEWHERE}:{it.plain}"), "no entry of egress allows that address"),
        "the metadata": (it.proxy, connect("169.254.169.254:80"), "no entry of egress allows that address"),
        "the sidecar": (it.proxy, connect(f"{INSIDE}:{it.proxy}"), "no entry of egress allows that address"),
        "IPv6": (it.proxy, connect(f"[::ffff:127.0.0.2]:{it.plain}"), "no entry of egress allows that address"),
        "hexadecimal": (it.proxy, connect(f"0x7f000002:{it.plain}"), "odd notation"),
        "a number": (it.proxy, connect(f"2130706434:{it.plain}"), "odd notation"),
        "a private address": (it.proxy, connect(f"private.test:{shared}"), "is not public"),
        "the metadata by a name": (it.proxy, connect(f"metadata.test:{shared}"), "is not public"),
        "an address in another": (it.proxy, connect(f"mapped.test:{shared}"), "is not public"),
        "a name without one": (it.proxy, connect(f"nowhere.test:{shared}"), "has no address"),
        "a name that isn't": (it.proxy, connect(f"unknown.test:{shared}"), "can't be looked up"),
        "another Host": (it.proxy, f"CONNECT one.test:{it.plain} HTTP/1.1\r\nHost: evil.test\r\n\r\n".encode(), "Host"),
        "a second CONNECT": (
            it.proxy,
            b"GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n" + connect(f"one.test:{it.plain}"),
            "no entry of egress allows that host",
        ),
        "a smuggled header": (
            it.proxy,
            f"CONNECT one.test:{it.plain} HTTP/1.1\r\nA: b\nHost: evil.test\r\n\r\n".encode(),
            "field of the request",
        ),
        "https without CONNECT": (it.proxy, b"GET https://one.test/ HTTP/1.1\r\n\r\n", "CONNECT"),
        "the proxy as a server": (it.proxy, b"GET / HTTP/1.1\r\n\r\n", "names no host"),
        "its own status": (it.proxy, b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n", "no entry of egress"),
        "a huge head": (it.proxy, b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000, "too long"),
        "half a head": (it.proxy, b"GET / HTTP/1.1\r\n", "not all there"),
        "no HTTP at all": (it.proxy, b"\x05\x01\x00\r\n\r\n", "not well formed"),
        "TLS to the proxy": (it.proxy, hello("one.test"), "not all there"),
        "no server name": (shared, hello(None), "without a server name"),
        "another server name": (shared, hello("evil.test"), "no entry of egress allows that host"),
        "half a ClientHello": (shared, hello("one.test")[:60], "not all there"),
        "something else": (shared, b"\x00\x01", "neither TLS nor HTTP"),
        "nothing": (shared, b"", "neither TLS nor HTTP"),
        "plain HTTP for another": (shared, b"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", "no entry of egress"),
        "plain HTTP for none": (shared, b"GET / HTTP/1.0\r\n\r\n", "doesn't name an allowed host"),
        "CONNECT on a port": (shared, connect(f"one.test:{shared}"), "doesn't name an allowed host"),
        "HTTP/2": (shared, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "not well formed"),
    }


NAMES = tuple(attempts(Rig()))


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_not_allowed_reaches_nobody_and_is_told(name: str) -> None:
    async with rig() as it:
        port, data, words = attempts(it)[name]
        said = await talk(port, data, eof=True)
        assert b"200" not in said
        await until(lambda: bool(it.told))
        assert (it.connections, it.heard) == (0, b"")
        assert it.told[0]["verdict"] == "deny"
        assert words in it.told[0]["reason"]
        assert len(it.told) == 1


# These are let through to the host that is allowed, and then name another one.
@pytest.mark.parametrize(
    ("after", "words"),
    [
        (hello("two.test"), "TLS in it names another host"),
        (hello("evil.test"), "TLS in it names another host"),
        (hello(None), "without a server name"),
        (b"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", "HTTP in it names another host"),
        (b"GET / HTTP/1.1\nHost: evil.test\n\n", "not all there"),
        (b"get\t/ http/1.1\r\nHost: evil.test\r\n\r\n", "not well formed"),
        (b"\r\n\r\nGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", "not well formed"),
        (b"GET /\xff HTTP/1.1\r\nHost: evil.test\r\n\r\n", "not well formed"),
    ],
)
@pytest.mark.parametrize("by", ["proxy", "name"])
async def test_a_connection_to_one_host_cant_turn_to_another(after: bytes, words: str, by: str) -> None:
    async with rig() as it:
        port, first = (it.proxy, connect(f"one.test:{it.plain}")) if by == "proxy" else (it.plain, b"")
        await talk(port, first + after, eof=True)
        await until(lambda: len(it.told) == 3)
        assert [each["verdict"] for each in it.told] == ["allow", "deny", "closed"]
        assert words in it.told[1]["reason"]
        assert it.heard == b""


async def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_connected_to() -> None:
    async with rig() as it:
        first = it.resolve

        async def rebinding(name: str, port: int) -> list[Address]:
            found = await first(name, port)
            it.hosts["one.test"] = [ELSEWHERE]
            return found

        assert it.records is not None
        second = Sidecar(
            Rules([Rule("one.test", None, it.plain), Rule("", ipaddress.IPv4Network(f"{OUTSIDE}/32"), it.plain)]),
            "127.0.0.10",
            ME,
            it.records,
            rebinding,
        )
        port = free()
        await second.start(port, port)
        reader, writer = await asyncio.open_connection("127.0.0.10", port)
        writer.write(connect(f"one.test:{it.plain}", b"\x00bye"))
        async with asyncio.timeout(PATIENCE):
            await reader.read()
            writer.close()
            assert it.asked == ["one.test"]
            reader, writer = await asyncio.open_connection("127.0.0.10", port)
            writer.write(connect(f"one.test:{it.plain}"))
            assert (await reader.read()).startswith(b"HTTP/1.1 403")
            writer.close()
        second.close()
        assert it.connections == 1


async def test_of_several_addresses_only_those_that_may_be_are_tried() -> None:
    async with rig() as it:
        await talk(it.proxy, connect(f"mixed.test:{it.shared}", b"\x00bye"))
        assert [each["address"] for each in it.told] == [OUTSIDE, OUTSIDE]


async def test_a_host_that_cant_be_reached_is_told() -> None:
    async with rig() as it:
        said = await talk(it.proxy, connect(f"closed.test:{it.hosts['closed'][0]}"))
        assert said.startswith(b"HTTP/1.1 502")
        assert it.verdicts() == [("allow", "allowed"), ("closed", "it can't be reached")]


@pytest.mark.requirement("no-audit-no-traffic")
async def test_without_a_written_record_nothing_is_connected() -> None:
    async with rig() as it:
        it.writes = False
        for port, data in ((it.proxy, connect(f"one.test:{it.plain}")), (it.plain, b"\x00bye")):
            assert b"200" not in await talk(port, data)
        assert it.connections == 0
        assert ("deny", "the record of it could not be written") in it.verdicts()


@pytest.mark.requirement("no-audit-no-traffic")
async def test_nothing_is_connected_until_the_record_is_written() -> None:
    async with rig() as it:
        it.writes = None
        _, writer = await asyncio.open_connection(INSIDE, it.plain)
        await until(lambda: bool(it.told))
        for _ in range(100):
            await asyncio.sleep(0)
        assert it.connections == 0
        assert it.records is not None
        it.records.heard(b'{"n":1,"ok":true}')
        await until(lambda: it.connections == 1)
        writer.close()


async def test_a_flood_of_refusals_is_counted_and_not_told_one_by_one() -> None:
    async with rig() as it:
        for _ in range(150):
            await talk(it.proxy, connect("evil.test:443"))
        await until(lambda: any(each.get("omitted") for each in it.told))
        assert len(it.told) < 100
        await until(lambda: sum(each.get("omitted") or 1 for each in it.told) == 150)


async def test_a_flood_of_connections_is_held_to_a_rate() -> None:
    async with rig() as it:
        assert it.records is not None
        said = [await it.records.allowed({"host": "one.test"}) for _ in range(1000)]
        assert {*said} == {"", "more connections are begun in a second than are allowed"}
        assert 200 <= said.count("") < 600


async def test_more_connections_than_the_limit_are_cut() -> None:
    async with rig() as it:
        opened = [await asyncio.open_connection(INSIDE, it.shared) for _ in range(129)]
        async with asyncio.timeout(PATIENCE):
            assert await rest(opened[-1][0]) == b""
        for _, writer in opened:
            writer.close()
        assert any("connections are open" in reason for _, reason in it.verdicts())


async def test_a_head_that_comes_too_slowly_is_refused() -> None:
    async with rig(begun=0.2) as it:
        for port, begun in ((it.proxy, b"CONNECT one"), (it.shared, b"\x16\x03\x01"), (it.shared, b"GET ")):
            await talk(port, begun)
            assert it.told[-1]["reason"] == "what the connection begins with took too long"


async def test_a_connection_that_carries_nothing_is_cut() -> None:
    async with rig(idle=0.2) as it:
        assert await talk(it.plain, b"") == b"hello\n"
        await until(lambda: len(it.told) == 2)
        assert "nothing came for" in it.told[1]["reason"]


async def test_nobody_but_the_container_is_served() -> None:
    async with rig() as it:
        loop = asyncio.get_running_loop()
        for port in (it.proxy, it.plain):
            with socket.socket() as other:
                other.bind((ELSEWHERE, 0))
                other.settimeout(0)
                await loop.sock_connect(other, (INSIDE, port))
                async with asyncio.timeout(PATIENCE):
                    with suppress(ConnectionResetError):
                        assert await loop.sock_recv(other, 100) == b""
        assert it.told == []


def question(name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\x00\x00\x01\x00\x01"


async def test_names_are_answered_without_being_looked_up() -> None:
    async with rig() as it:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.bind((ME, 0))
            asking.settimeout(0)
            async with asyncio.timeout(PATIENCE):
                for name, code in (("any.wild.test", 0), ("c2VjcmV0.evil.test", 3)):
                    await loop.sock_sendto(asking, question(name), (INSIDE, it.names))
                    assert (await loop.sock_recv(asking, 512))[3] & 15 == code
        assert it.asked == []
        assert [(each["how"], each["host"]) for each in it.told] == [("dns", "c2VjcmV0.evil.test")]
