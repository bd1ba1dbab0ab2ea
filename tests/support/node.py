"""Node and the npm packages that the tests run against: found, or installed once for each lock file.

What is installed stands in `tests/npm/package-lock.json`, each package with its hash. Node itself is among them
(the packages `node-*` hold its binaries), so any older Node that comes with an `npm` is enough to begin with.
No package's install script is run.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NPM_FOLDER = ROOT / "tests" / "npm"
CACHE = ROOT / ".cache" / "npm"
MINIMUM = (22, 19)  # what the Inspector needs; the conformance suite needs 22
INSTALL_SECONDS = 600

_FILES = ("package.json", "package-lock.json", ".npmrc")


class NodeMissingError(Exception):
    """Node or its packages can't be had here; the text is one sentence that says why."""


@dataclass(frozen=True)
class Peers:
    """The installed packages: the `node` program to run them with, and the `node_modules` folder they are in."""

    node: Path
    modules: Path

    def command(self, package: str, script: str) -> list[str]:
        """The command line that starts a script of a package, without its arguments."""
        return [str(self.node), str(self.modules / package / script)]


@cache
def peers() -> Peers:
    """Return the installed packages, after installing them the first time (tens of seconds, then never again).

    Raises:
        NodeMissingError: there is no npm, its registry can't be reached, or there is no Node that is new enough.

    """
    digest = hashlib.sha256(b"\0".join((NPM_FOLDER / name).read_bytes() for name in _FILES)).hexdigest()[:16]
    installed = CACHE / digest
    if not installed.is_dir():
        with _locked(CACHE / f"{digest}.lock"):
            if not installed.is_dir():
                _install(installed)
    return Peers(_node(installed / "node_modules"), installed / "node_modules")


@cache
def node_reason() -> str | None:
    """Return why the tests marked `node` can't run here, as one sentence, or None when they can.

    Installs the packages if they aren't yet, so ask only when such a test is about to run.
    """
    try:
        peers()
    except NodeMissingError as missing:
        return str(missing)
    return None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that other processes of the tests wait for; it ends with its holder, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _install(target: Path) -> None:
    """Install the lock file's packages beside `target`, then move them there, so `target` is whole or absent."""
    npm = shutil.which("npm")
    if npm is None:
        raise NodeMissingError("npm is not on PATH: install Node.js (any version with npm) to run these tests")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="installing-") as made:
        for name in _FILES:
            shutil.copy(NPM_FOLDER / name, made)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            done = subprocess.run(
                command, cwd=made, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise NodeMissingError(f"`npm ci` did not end within {INSTALL_SECONDS} seconds") from None
        if done.returncode:
            told = (done.stderr or done.stdout).strip().splitlines() or ["without a word"]
            raise NodeMissingError(f"`npm ci` failed, so the Node peers are not installed: {told[0]}")
        Path(made).rename(target)
        Path(made).mkdir()  # for TemporaryDirectory to remove


def _node(modules: Path) -> Path:
    """Find a Node that is new enough: the installed package's, else the one on PATH."""
    on_path = shutil.which("node")
    for candidate in [*sorted(modules.glob("node-*/bin/node")), *([Path(on_path)] if on_path else [])]:
        if os.access(candidate, os.X_OK) and _version(candidate) >= MINIMUM:
            return candidate
    raise NodeMissingError(f"no Node {MINIMUM[0]}.{MINIMUM[1]} or later: install one and put it on PATH")


def _version(node: Path) -> tuple[int, ...]:
    try:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    except OSError:
        return ()
    return tuple(int(part) for part in told.strip().removeprefix("v").split(".") if part.isdigit())
