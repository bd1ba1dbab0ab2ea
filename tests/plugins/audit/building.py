"""What the tests of the audit log share: decisions, logs with some records, and a look at what is in them."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tidegate import Decision, Flow, Message, Step
from tidegate.testing import flow, request
from tidegate_audit.files import rotated
from tidegate_audit.record import Recorder, event
from tidegate_audit.writer import Options, Writer

DEADLINE = 60.0
SLOW_FSYNC = Options(fsync_interval=60)
"""So that nothing happens in the background but what a test asks for."""


def call(name: str = "now", **arguments: Any) -> Message:
    return request("tools/call", {"name": name, "arguments": arguments})


def decided(message: Message | None = None, **parts: Any) -> Decision:
    steps = parts.pop("steps", (Step("lists", "decide", "pass", 1500),))
    return Decision("test-1", message or call(), steps=steps, **parts)


def recorded(decision: Decision, about: Flow | None = None) -> dict[str, Any]:
    """The record of a decision, as JSON has it."""
    made = Recorder().record(decision, about or flow(decision.message))
    kept: dict[str, Any] = json.loads(json.dumps(made))
    return kept


@contextmanager
def writing(path: Path, options: Options = SLOW_FSYNC) -> Iterator[Writer]:
    writer = Writer(path, options)
    try:
        yield writer
    finally:
        writer.close()


def append(writer: Writer, count: int) -> None:
    for _ in range(count):
        writer.append(event("an event of the tests"))


def a_log(path: Path, count: int, options: Options = SLOW_FSYNC) -> Path:
    with writing(path, options) as writer:
        append(writer, count)
    return path


async def on_disk(writer: Writer, seq: int) -> None:
    told = asyncio.get_running_loop().create_future()
    writer.when_on_disk(seq, [told])
    async with asyncio.timeout(DEADLINE):
        await told


def synced(writer: Writer) -> None:
    """Append a record and wait until the thread has had it on disk."""
    asyncio.run(on_disk(writer, writer.append(event("the thread is asked for a fsync"))))


def log_files(path: Path) -> list[Path]:
    return [*(each for _, each in rotated(path)), path]


def lines(path: Path) -> list[bytes]:
    """The lines of a log, through all of its files."""
    return [line for each in log_files(path) if each.exists() for line in each.read_bytes().splitlines(keepends=True)]


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(path)]
