"""What servers in containers cost: `python -m benchmarks.containers`. Needs a Docker engine; takes about three minutes.

One echo server as a local process, in a container, and in one whose streams the engine carries, in turns; a container
for each call, with warm ones; ten servers that are all asked for their tools at once. Exit codes as those of
`benchmarks.run`.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import load, report, settings
from benchmarks.load import Figures, Plan, Session, Tree, WrongAnswerError
from benchmarks.processes import ROOT, Program, StartError, started
from benchmarks.report import Check
from benchmarks.run import machine
from rich.console import Console

PLAN = Plan(sequential=300, big=20, seconds=2.5)
ROUNDS = 3
WARM = 8
CALLS, EVERY = 60, 0.2  # with a container each: five a second
MANY = 10
LISTEN = '[proxy]\nlisten = "127.0.0.1:0"\n\n'
SERVER = (ROOT / "benchmarks" / "stdio_backend.py").read_text()


def standin() -> str:
    """The image of the tests that has Python, built if need be; by its id, as a pinned one."""
    sys.path.insert(0, str(ROOT / "tests"))
    import docker  # noqa: PLC0415 - only here

    from support.images import Images  # noqa: PLC0415 - found only now

    with contextlib.closing(docker.from_env()) as engine:
        return str(engine.images.get(Images().base).id)


def container(name: str, image: str, slow: float = 0.0, **keys: object) -> str:
    """The section of a server in a container, which may take some seconds to get ready."""
    program = f"import time; time.sleep({slow})\n{SERVER}" if slow else SERVER
    members = {"image": image, "args": ["python", "-I", "-c", program], **keys}
    return f"[servers.{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in members.items())


@contextlib.contextmanager
def tidegate(folder: Path, name: str, servers: str) -> Iterator[Program]:
    """Tidegate in front of servers, until the block ends."""
    home = folder / name
    home.mkdir()
    listed = settings.text(servers) if "[servers.bench]" in servers else f"{LISTEN}{servers}{settings.AUDIT}"
    (home / "tidegate.toml").write_text(listed)
    with started(name, ["tidegate", "run", str(home / "tidegate.toml")], folder) as program:
        yield program


def beside(folder: Path, image: str) -> dict[str, list[Figures]]:
    """Figures of the server as a local process, and of the same in a container by either way, a round each in turns."""
    listed = {"local": settings.stdio([sys.executable, "-I", "-c", SERVER])}
    listed |= {streams: container("bench", image, streams=streams) for streams in ("direct", "engine")}
    found: dict[str, list[Figures]] = {name: [] for name in listed}
    with contextlib.ExitStack() as stack:
        programs = {name: stack.enter_context(tidegate(folder, name, text)) for name, text in listed.items()}
        for _ in range(ROUNDS):
            for name, program in programs.items():
                found[name].append(load.run(load.measure(f"{program.listen}/servers/bench/mcp", PLAN, program.pid)))
    return found


async def spaced(url: str) -> list[float]:
    """Seconds of each call of one session, at a steady pace."""
    async with asyncio.timeout(load.PATIENCE), Session(url) as session:
        for _ in range(WARM):
            await session.echo(load.SMALL)
        await asyncio.sleep(2 * WARM * EVERY)
        loop = asyncio.get_running_loop()
        found, due = [], loop.time()
        for _ in range(CALLS):
            due += EVERY
            await asyncio.sleep(max(due - loop.time(), 0))
            found.append(await session.echo(load.SMALL))
    return found


async def first_list(program: Program, name: str) -> float:
    """Seconds from a client's first byte to a server's tools."""
    began = time.perf_counter()
    async with Session(f"{program.listen}/servers/{name}/mcp") as session:
        answer = await session.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}})
        if not answer.message()["result"]["tools"]:
            raise WrongAnswerError(f"no tools: {answer.body[:200]!r}")
        return time.perf_counter() - began


async def at_once(program: Program) -> float:
    """Seconds until all servers have told their tools to clients that ask at the same time."""
    async with asyncio.timeout(load.PATIENCE):
        return max(await asyncio.gather(*(first_list(program, f"s{number}") for number in range(MANY))))


def lists(folder: Path, image: str, name: str, **keys: object) -> tuple[float, float]:
    """Seconds until ten servers have listed, and of the slowest one of them alone; each with containers of its own."""
    servers = "\n".join(
        container(f"s{number}", image, slow=1.5 if number == 0 else 0.0, **keys) for number in range(MANY)
    )
    with tidegate(folder, f"{name}-all", servers) as program:
        together = load.run(at_once(program))
    with tidegate(folder, f"{name}-one", container("s0", image, slow=1.5)) as program:
        alone = load.run(first_list(program, "s0"))
    return together, alone


def measure(image: str, say: Console) -> list[Check]:
    """Measure everything; what is wanted beside what was found."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as temporary:
        folder = Path(temporary)
        say.print("[dim]… a local process and a container in turns[/]")
        found = beside(folder, image)
        local, boxed = found["local"], found["direct"]
        say.print("[dim]… a container for each call[/]")
        with tidegate(folder, "calls", container("bench", image, share="call", warm=WARM)) as program:
            calls = load.run(spaced(f"{program.listen}/servers/bench/mcp"))
            own = Tree(program.pid).rss_mb()
        say.print("[dim]… ten servers at once[/]")
        together, alone = lists(folder, image, "cold")
    for name, what in (
        ("local", "a local process each"),
        ("engine", "a container each whose streams the engine carries"),
    ):
        say.print(f"requests/s, 16 sessions with {what}: {statistics.median(one.rps for one in found[name]):,.0f}")
    say.print(f"a container for each call: p99 {load.percentile(calls, 0.99):.1f} ms, {own:.0f} MB")
    say.print(f"ten servers at once {together:.2f} s, the slowest alone {alone:.2f} s")
    return [
        Check.at_most(
            "sequential p50 over a local process', ms",
            0.4,
            [b.seq_p50 - a.seq_p50 for a, b in zip(local, boxed, strict=True)],
        ),
        Check.at_least("requests/s, 16 sessions with 16 containers", 2500, [one.rps for one in boxed]),
        Check.at_most("memory of Tidegate's processes then, MB", 120, [one.rss_mb or 0.0 for one in boxed]),
        Check.at_most("a container for each call, p50 ms", 8, [load.percentile(calls, 0.5)]),
        Check.at_most("first lists of ten servers, to the slowest one's own", 1.5, [together / alone]),
    ]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure what servers in containers cost.")
    parser.add_argument("--image", help="an image with Python 3.11 as `python`; the tests' own by default")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else report.WIDTH)
    where = machine() | {"other_cores": 0.0}  # the engine's and the containers' work can't be told from others'
    try:
        checks = measure(options.image or standin(), console)
    except (WrongAnswerError, OSError) as error:
        console.print(f"[red]A call went wrong: {error}[/]")
        return 1
    except StartError as error:
        console.print(f"[red]{error}[/]")
        return 3
    report.show_checks(checks, where, console)
    return 0 if all(check.good for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
