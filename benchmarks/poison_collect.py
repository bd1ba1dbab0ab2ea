"""Collects definitions of others, outside the repository: installs servers, starts them, and keeps what they list.

`python -m benchmarks.poison_collect FOLDER` reads `poison_servers.toml`, installs each server below FOLDER with npm or
pip, without scripts of packages, and starts it under bubblewrap: without a network, with nothing but a folder of its
own to write to, and with credentials that are none. What it lists is kept as FOLDER/definitions/NAME.json, which
`python -m benchmarks.poison --collected FOLDER` measures. A server that was read is not started again, so a run that
broke off goes on. The definitions belong to their authors and don't go into the repository.
"""

import argparse
import contextlib
import json
import os
import queue
import shlex
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

SERVERS = Path(__file__).with_name("poison_servers.toml")
SECONDS, INSTALLED_IN = 60, 600
MOST_PAGES = 50
LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}

Definition = dict[str, Any]


class SilentError(Exception):
    """A server ended or didn't answer in time."""


# -- one server -----------------------------------------------------------------------------------------------


class Server:
    """A server that runs, and asks about what it has."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder, env=env
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._number = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a request, an empty one where it failed."""
        self._number += 1
        self.send({"id": self._number, "method": method, "params": params})
        until = time.monotonic() + SECONDS
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty, ValueError):
                line = self._lines.get(timeout=left)
                if not line:
                    break
                message = json.loads(line)
                if isinstance(message, dict) and message.get("id") == self._number and "method" not in message:
                    result = message.get("result")
                    return result if isinstance(result, dict) else {}
        raise SilentError(method)

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._reader.join(SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()


def definitions(server: Server) -> dict[str, list[Definition]]:
    """Return what a server that was just started has: its instructions, and its lists by member."""
    who = {"name": "benchmark", "version": "1"}
    greeting = server.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": who})
    server.send({"method": "notifications/initialized"})
    found: dict[str, list[Definition]] = {}
    if greeting.get("instructions"):
        found["instructions"] = [{"name": "instructions", "description": greeting["instructions"]}]
    has = greeting.get("capabilities") or {}
    for method, member in LISTS.items():
        if method.partition("/")[0] not in has:
            continue
        items: list[Definition] = []
        cursor: dict[str, Any] = {}
        for _ in range(MOST_PAGES):
            page = server.ask(method, cursor)
            items += [item for item in page.get(member) or () if isinstance(item, dict)]
            if not page.get("nextCursor"):
                break
            cursor = {"cursor": page["nextCursor"]}
        found[member] = items
    return found


def of_server(command: list[str]) -> list[Definition]:
    """Start a server, list its instructions, tools, prompts, resources and templates, and end it."""
    server = Server(command, Path("/"))
    try:
        return [item for items in definitions(server).values() for item in items]
    except (SilentError, OSError) as error:
        print(f"{command[-1]}: ended early ({error})", file=sys.stderr)
        return []
    finally:
        server.end()


# -- installing, and the sandbox --------------------------------------------------------------------------------


def installed(registry: str, package: str, folder: Path) -> Path:
    """Install a package into a folder of its own, and return where its programs are."""
    if registry == "npm":
        bins = folder / "node_modules" / ".bin"
        steps = [["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), package]]
    else:
        bins = folder / "bin"
        steps = [
            [sys.executable, "-m", "venv", str(folder)],
            [str(bins / "pip"), "install", "--quiet", "--only-binary", ":all:", package],
        ]
    if not (folder / "installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for step in steps:
            subprocess.run(step, check=True, capture_output=True, timeout=INSTALLED_IN)
        (folder / "installed").touch()
    return bins


def caged(command: list[str], folder: Path, home: Path) -> list[str]:
    """Return a command that runs another in a sandbox: all read-only but its home, no network, no other processes."""
    seen = [("--ro-bind", str(path), str(path)) for path in (sys.base_prefix, folder)]
    return [
        *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/", "--dev", "/dev"),
        *("--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run", "--tmpfs", str(Path.home())),
        *(word for words in seen for word in words),
        *("--bind", str(home), str(home), "--chdir", str(home), "--"),
        *command,
    ]


def collected(registry: str, package: str, settings: dict[str, Any], folder: Path) -> dict[str, list[Definition]]:
    """Install a server, start it in the sandbox, and return what it has."""
    name = package.replace("/", "+")
    bins = installed(registry, package, folder / registry / name)
    home = folder / "homes" / name
    (home / "empty").mkdir(parents=True, exist_ok=True)
    (home / "file.json").write_text("{}")
    stand = {"FILE": str(home / "file.json"), "FOLDER": str(home / "empty")}
    words = [stand.get(word, word) for word in shlex.split(settings["run"])]
    env = {key: stand.get(value, value) for key, value in settings.get("env", {}).items()}
    command = caged([str(bins / words[0]), *words[1:]], folder, home)
    server = Server(command, folder, {"PATH": os.environ["PATH"], "HOME": str(home), "CI": "1", **env})
    try:
        return definitions(server)
    finally:
        server.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="outside the repository; it grows to some gigabytes")
    parser.add_argument("--servers", type=Path, default=SERVERS, help="which to read, instead of poison_servers.toml")
    parser.add_argument("--only", action="append", default=[], metavar="PACKAGE", help="of these packages alone")
    options = parser.parse_args()
    folder = options.folder.resolve()
    if Path(__file__).parents[1] in folder.parents:
        parser.error("the folder must be outside the repository: definitions of others don't go into it")
    kept = folder / "definitions"
    kept.mkdir(parents=True, exist_ok=True)
    for registry, servers in tomllib.loads(options.servers.read_text()).items():
        for package, settings in servers.items():
            target = kept / f"{package.replace('/', '+')}.json"
            if target.exists() or (options.only and package not in options.only):
                continue
            try:
                found = collected(registry, package, settings, folder)
            except (OSError, SilentError, subprocess.SubprocessError) as error:
                print(f"{package}: {type(error).__name__}", flush=True)
                continue
            counts = {member: len(items) for member, items in found.items()}
            if any(counts.values()):
                target.write_text(json.dumps({"package": package, **found}))
            print(f"{package}: {counts}", flush=True)


if __name__ == "__main__":
    main()
