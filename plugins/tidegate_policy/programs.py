"""OPA, for those who want OPA itself to run their tests: the opa program, or a server that runs already."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate_policy.cli_output import MissingError
from tidegate_policy.config import OpaConfig
from tidegate_policy.opa import Opa
from tidegate_policy.projects import TESTS
from tidegate_policy.sources import PolicyError
from tidegate_policy.trials import Lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from tidegate_policy.sources import Sources, Unit

_SECONDS = 10.0  # that it may take for one answer
_PATIENCE = 20.0  # seconds for it to begin to listen
# The program ends when it wants to, or when nobody holds the other end of the pipe any more, however that ended; then
# the folder goes, too, which is `$0`.
_BOUND = """
exec 3<&0
"$@" </dev/null & program=$!
{ cat <&3 >/dev/null; trap '' TERM; kill -9 $program; rm -rf "$0"; } 2>/dev/null & watch=$!
wait $program
kill $watch
"""
_REFUSED = re.compile(r"([^\s:]+\.rego):(\d+): (?:rego_\w+: )?(.+)")


def path() -> str:
    """Return where the opa program is.

    Raises:
        MissingError: where it isn't in PATH.
    """
    found = shutil.which("opa")
    if found is None:
        raise MissingError("there is no opa program in PATH; install it, or name a server with --opa")
    return found


@asynccontextmanager
async def loaded(url: str | None, sources: Sources, units: Sequence[Unit]) -> AsyncIterator[Opa]:
    """Yield OPA with a policy in it, which is taken away at the end.

    Args:
        url: a server's address; by default the opa program is started with the policy.
        sources: the policy.
        units: what it will be asked.

    Raises:
        MissingError: where OPA isn't there.
        PolicyError: where it refuses the policy.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))  # for what the engine logs
        config = OpaConfig(urls=(url,)) if url is not None else await stack.enter_async_context(_started(sources))
        engine = Opa(config, _SECONDS, Path())
        stack.push_async_callback(engine.close)
        try:
            await engine.load(sources, units)
        except PolicyError as error:
            if str(error).startswith("the OPA server can't be used"):
                raise MissingError(str(error)) from None
            raise
        yield engine


@asynccontextmanager
async def _started(sources: Sources) -> AsyncIterator[OpaConfig]:
    """Run the opa program as a server with a policy in it, for as long as this lasts."""
    program = path()
    with tempfile.TemporaryDirectory(prefix="tidegate-") as folder:
        bundle, socket, log = (Path(folder, name) for name in ("bundle", "opa.sock", "log"))
        written(sources, bundle)
        words = ("run", "--server", "--addr", f"unix://{socket}", "--log-level", "error", "--disable-telemetry")
        with log.open("wb") as said:
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", _BOUND, folder, program, *words, "--bundle", "."),
                cwd=bundle,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
            )
        assert process.stdin is not None, "it is a pipe"
        try:
            await _listening(process, socket, log)
            yield OpaConfig(urls=(f"unix:{socket}",), push=False)
        finally:
            process.stdin.close()
            await process.wait()


async def _listening(process: asyncio.subprocess.Process, socket: Path, log: Path) -> None:
    """Wait until a server takes connections.

    Raises:
        MissingError: where it doesn't.
        PolicyError: where it refuses its policy.
    """
    for _ in range(int(_PATIENCE / 0.02)):
        if process.returncode is not None:
            break
        try:
            _, writer = await asyncio.open_unix_connection(socket)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return
    raise _why(log)


def _why(log: Path) -> Exception:
    """Return what is wrong, of what the opa program said before it ended."""
    found = _REFUSED.search(log.read_text(errors="replace"))
    return PolicyError(f"{found[1]}:{found[2]}: {found[3]}") if found else MissingError("the opa program doesn't serve")


def written(sources: Sources, folder: Path) -> None:
    """Write a policy to a folder, as OPA reads it."""
    for name, text in sources.modules:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "data.json").write_text(json.dumps(sources.data))


def coverage(sources: Sources, wanted: re.Pattern[str] | None) -> list[Lines]:
    """Return which lines of a policy its tests reach, as ``opa test`` measures them.

    Raises:
        MissingError: where it says something else.
    """
    with tempfile.TemporaryDirectory(prefix="tidegate-") as folder:
        written(sources, Path(folder))
        words = [path(), "test", "--bundle", "--coverage", "--format", "json", "."]
        words += [] if wanted is None else ["--run", wanted.pattern]
        done = subprocess.run(words, cwd=folder, capture_output=True, check=False)  # noqa: S603 - it was asked for
    try:
        files = json.loads(done.stdout)["files"]
    except (ValueError, KeyError) as error:
        raise MissingError("the opa program says nothing of the lines that the tests reach") from error
    found = []
    for name, each in sorted(files.items()):
        covered = _numbers(each.get("covered", ()))
        missed = _numbers(each.get("not_covered", ())) - covered
        if not name.endswith(TESTS):
            found.append(Lines(name.removeprefix("/"), tuple(sorted(covered)), tuple(sorted(missed))))
    return found


def _numbers(spans: Iterable[dict[str, dict[str, int]]]) -> set[int]:
    return {row for span in spans for row in range(span["start"]["row"], span["end"]["row"] + 1)}
