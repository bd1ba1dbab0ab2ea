"""Standard streams by the descriptors of pipes: what goes through them, and how they end."""

import asyncio
import os

from ends.programs import PATIENCE
from tidegate.ends.buffers import Outbox
from tidegate.ends.standard import reading, writing


async def test_what_is_written_is_read_and_the_end_is_told() -> None:
    out, into = os.pipe()
    taken, ended, lost = bytearray(), asyncio.Event(), asyncio.Event()
    outbox = Outbox()
    reader = await reading(out, taken.extend, ended.set)
    writer = await writing(into, outbox, lost.set)
    outbox.open(writer)
    async with asyncio.timeout(PATIENCE):
        await outbox.put(b"[1]")
        writer.close()
        await ended.wait()
        await lost.wait()
    assert taken == b"[1]\n"
    reader.close()


async def test_a_pipe_that_nobody_reads_any_more_is_told_of() -> None:
    out, into = os.pipe()
    lost = asyncio.Event()
    writer = await writing(into, Outbox(), lost.set)
    os.close(out)
    async with asyncio.timeout(PATIENCE):
        await lost.wait()
    assert writer.is_closing()
