"""Connections over a pair of streams: both ends of it, joined here without a container between them."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tidegate.egress.frames import CREDIT, DATA, MOST, OPEN, WINDOW, Frame, Malformed, encode
from tidegate.egress.inward import Inward
from tidegate.ends.carried import Carrier

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENCE = 20.0


class Kept(asyncio.Protocol):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.data = bytearray()
        self.came = asyncio.Event()
        self.over: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.came.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set_result(exc)


class Joined:
    """A carrier and what answers it, and how many bytes of data came from there."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self.carrier = Carrier(self.lost.set)
        self.far: asyncio.StreamWriter | None = None
        self.inward: Inward | None = None
        self.received = 0

    def say(self, data: bytes) -> None:
        """Send bytes to the carrier, framed as an engine does."""
        assert self.far is not None
        self.received += len(data)
        self.far.write(struct.pack(">BxxxI", 1, len(data)) + data)


@asynccontextmanager
async def joined(serve: Serve | None) -> AsyncIterator[Joined]:
    found = Joined()
    port = 1
    listener = None
    serving: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert serve is not None
        serving.add(task)
        with suppress(ConnectionError):
            await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    if serve is not None:
        listener = await asyncio.start_server(served, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
    near, far = socket.socketpair()
    await found.carrier.start(near)
    reader, found.far = await asyncio.open_unix_connection(sock=far)
    inward = found.inward = Inward(port, found.say)

    async def pump() -> None:
        while data := await reader.read(65536):
            inward.take(data)

    task = asyncio.create_task(pump())
    try:
        async with asyncio.timeout(PATIENCE):
            yield found
    finally:
        found.carrier.close()
        await asyncio.wait([task])
        for each in list(inward._open.values()):
            each.close()
        if serving:
            await asyncio.wait(serving, timeout=PATIENCE)
        found.far.close()
        with suppress(ConnectionError):
            await found.far.wait_closed()
        if listener is not None:
            listener.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_bytes_go_both_ways_in_order_and_in_full() -> None:
    async with joined(echo) as both:
        made = [await both.carrier.connect(Kept) for _ in range(20)]
        sent = [bytes([number]) * 1_000_000 for number in range(20)]
        for each, data in zip(made, sent, strict=True):
            assert each.transport is not None
            each.transport.write(data)
        for each, data in zip(made, sent, strict=True):
            while len(each.data) < len(data):
                each.came.clear()
                await each.came.wait()
            assert bytes(each.data) == data


async def test_nobody_who_listens_means_no_connection() -> None:
    async with joined(None) as both:
        with pytest.raises(ConnectionRefusedError):
            await both.carrier.connect(Kept)


async def test_the_servers_end_ends_it_once_all_has_come() -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"s" * 500_000)
        writer.close()

    async with joined(speak) as both:
        made = await both.carrier.connect(Kept)
        assert await made.over is None
        assert len(made.data) == 500_000


async def test_who_doesnt_read_is_sent_no_more_than_the_window() -> None:
    flooded = asyncio.Event()

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"f" * 65536)
                async with asyncio.timeout(0.5):
                    await writer.drain()
        except (TimeoutError, ConnectionError):
            flooded.set()
            writer.transport.abort()

    async with joined(flood) as both:
        made = await both.carrier.connect(Kept)
        assert made.transport is not None
        made.transport.pause_reading()
        await flooded.wait()
        assert len(made.data) <= WINDOW
        assert both.received < WINDOW + 10_000
        made.transport.abort()
        assert await made.over is None


async def test_the_end_of_the_streams_ends_all_connections() -> None:
    async with joined(echo) as both:
        made = await both.carrier.connect(Kept)
        assert both.far is not None
        both.far.transport.abort()
        assert isinstance(await made.over, OSError)
        await both.lost.wait()
        with pytest.raises(OSError, match="closed"):
            await both.carrier.connect(Kept)


async def test_more_than_fit_wait_until_one_ends() -> None:
    async with joined(echo) as both:
        made = [await both.carrier.connect(Kept) for _ in range(MOST)]
        one_more = asyncio.create_task(both.carrier.connect(Kept))
        await asyncio.sleep(0)  # sleep: lets it begin
        assert not one_more.done()
        assert made[0].transport is not None
        made[0].transport.close()
        assert (await one_more).transport is not None


@pytest.mark.parametrize(
    "data",
    [b"\xff" * 9, encode(Frame(OPEN, 0)), encode(Frame(DATA, 99, b"x")), encode(Frame(CREDIT, 0, credit=WINDOW))],
)
async def test_what_no_sidecar_says_ends_the_way(data: bytes) -> None:
    async with joined(echo) as both:
        await both.carrier.connect(Kept)
        both.say(data)
        await both.lost.wait()


@pytest.mark.parametrize("data", [b"\xff" * 9, encode(Frame(OPEN, 5)), encode(Frame(DATA, 0, b"x"))])
async def test_what_no_carrier_asks_for_ends_the_sidecar(data: bytes) -> None:
    with pytest.raises(Malformed):
        Inward(1, lambda _: None).take(data)
