"""What of the machine a server in the sandbox is shown, so that it runs and sees no more than that takes.

The program is followed to all it consists of: links, interpreters named in ``#!`` lines, virtual environments and
the Python below them, ``node_modules``, packages that are installed as links to their sources. A path among the
arguments is shown too, because whoever wrote the settings named it: a script with the package it lies in, a file or
folder as it is. Homes, shared folders and sensitive places are never shown whole.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tidegate.sandbox.mounts import within
from tidegate.sensitive import homes, refusal

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""What is shown of every system."""

_INSTALLATIONS = ("/nix/store", "/home/linuxbrew/.linuxbrew", "/opt/homebrew")  # shown whole where a program is in it
_SHARED = ("/", "/etc", "/home", "/media", "/mnt", "/opt", "/srv", "/tmp", "/var", "/var/tmp")  # noqa: S108 - never shown
_BIN = ("bin", "sbin", "libexec", "shims", "Scripts")
SCRIPTS = (".cjs", ".jar", ".js", ".mjs", ".php", ".pl", ".py", ".rb", ".sh", ".ts")
"""How the names of scripts end."""

_PACKAGES = ("package.json", "pyproject.toml", "setup.py", "node_modules", ".venv")
_HOPS = 40  # links and interpreters that are followed


class View:
    """The paths that a command needs to be shown, read-only.

    Args:
        path: where programs are looked for: the server's PATH.
        folder: the working folder, from which relative paths start.

    Attributes:
        shown: the paths, in the order in which they were found.
        environment: variables that make up for what isn't where it used to be.
    """

    def __init__(self, path: str, folder: str) -> None:
        self.shown: list[str] = []
        self.environment: dict[str, str] = {}
        self._path = path
        self._folder = folder
        self._left = _HOPS
        self._followed: set[str] = set()
        self._known: dict[str, bool] = {}  # which folders are private: it takes a while to tell

    def command(self, command: tuple[str, ...]) -> str:
        """Show a program and its arguments; return the program's path.

        Raises:
            FileNotFoundError: where there is no such program.
            PermissionError: where it can't be executed.
        """
        program = self._find(command[0])
        self._program(program)
        for argument in command[1:]:
            self._argument(argument)
        return program

    def _find(self, name: str) -> str:
        if "/" not in name:
            found = shutil.which(name, path=self._path)
            if found is None:
                raise FileNotFoundError(name)
            return os.path.join(self._folder, found)  # noqa: PTH118 - a part of PATH may be relative
        program = os.path.normpath(os.path.join(self._folder, name))  # noqa: PTH118 - links aren't to be followed yet
        if not Path(program).exists():
            raise FileNotFoundError(name)
        if Path(program).is_dir() or not os.access(program, os.X_OK):
            raise PermissionError(name)
        return program

    def _show(self, path: str) -> None:
        if not any(within(path, other) for other in (*SYSTEM, *self.shown)):
            self.shown.append(path)

    def _program(self, program: str) -> None:
        """Show a program with all it consists of: what it links to, what interprets it, what it is installed with."""
        if program in self._followed:
            return
        while program not in self._followed and self._left > 0:
            self._left -= 1
            self._followed.add(program)
            self._installed(program)
            target = _link(program)
            if target is None:
                break
            program = target
        self._installed(str(Path(program).resolve()))
        interpreter = _interpreter(program)
        if interpreter:
            with suppress(OSError):
                self._program(self._find(interpreter))

    def _installed(self, program: str) -> None:
        """Show what a program is installed with."""
        whole = next((place for place in _INSTALLATIONS if within(program, place)), None)
        if whole:
            self._show(whole)
        elif "/node_modules/" in program:
            self._show(program[: program.index("/node_modules/")] + "/node_modules")
        else:
            parent = Path(program).parent
            root = parent.parent
            if parent.name not in _BIN or self._private(str(root)):
                self._show(program)
                self._siblings(program, root)
            elif (root / "pyvenv.cfg").is_file():
                self._environment_of_python(root)
            elif _is_installation(root):
                self._show(str(root))
            else:
                self._show(program)

    def _siblings(self, program: str, root: Path) -> None:
        """Show what goes with a program in a folder that can't be shown whole, such as ``~/.local/bin``."""
        if Path(program).name in ("uvx", "bunx"):
            other = program[:-1] if program.endswith("uvx") else program
            if Path(other).exists():
                self._show(other)
        for packages in root.glob("lib/python3*/site-packages"):  # pip install --user
            if not within(str(root), "/usr"):
                self._show(str(packages))
                self.environment.setdefault("PYTHONUSERBASE", str(root))
                self._linked_packages(packages)

    def _environment_of_python(self, root: Path) -> None:
        """Show a virtual environment, the Python it was made of, and the sources that its packages link to."""
        if str(root) in self.shown:
            return
        self._show(str(root))
        with suppress(OSError, UnicodeDecodeError):
            for line in (root / "pyvenv.cfg").read_text().splitlines():
                key, _, value = line.partition("=")
                if key.strip() == "home" and value.strip().startswith("/"):
                    self._program(f"{value.strip()}/python3")
        for packages in root.glob("lib/python3*/site-packages"):
            self._linked_packages(packages)

    def _linked_packages(self, packages: Path) -> None:
        """Show the sources of packages that are installed as links to them."""
        sources: list[str] = []
        with suppress(OSError):
            names = sorted(os.listdir(packages))  # noqa: PTH208 - much faster, and there are hundreds
            for name in (name for name in names if name.endswith(".pth")):
                sources += _paths_in(f"{packages}/{name}")
            for name in (name for name in names if name.endswith(".dist-info")):
                source = _edited_in(f"{packages}/{name}/direct_url.json")
                if source and not any(within(other, source) for other in sources):
                    sources.append(source)
        for source in sources:
            if os.path.isdir(source) and not self._private(source):  # noqa: PTH112 - pathlib raises where it may not look
                self._show(source)

    def _argument(self, argument: str) -> None:
        """Show what an argument names, if it names something: ``PATH``, or ``--option=PATH``."""
        for text in (argument, argument.partition("=")[2]):
            if not text or "\0" in text or len(text) > 4096:
                continue
            path = os.path.normpath(os.path.join(self._folder, text))  # noqa: PTH118 - links aren't followed yet
            with suppress(OSError):
                if ("/" in text or text.endswith(SCRIPTS)) and Path(path).exists():
                    self._named(path)

    def _named(self, path: str) -> None:
        if Path(path).is_dir() and not self._private(path):
            self._show(path)
        elif Path(path).is_file() and refusal(path) is None:
            if "/node_modules/" in path:
                self._show(path[: path.index("/node_modules/")] + "/node_modules")
            elif path.endswith(SCRIPTS):
                for folder in dict.fromkeys((self._package(path), str(Path(path).parent))):
                    if folder and not self._private(folder):
                        self._show(folder)
                        break
            self._show(path)
            real = str(Path(path).resolve())
            if real != path:
                self._show(real)

    def _package(self, script: str) -> str | None:
        """Return the folder of the package that a script belongs to."""
        for folder in list(Path(script).parents)[:6]:
            if self._private(str(folder)):
                return None
            if any((folder / name).exists() for name in _PACKAGES):
                return str(folder)
        return None

    def _private(self, folder: str) -> bool:
        found = self._known.get(folder)
        if found is None:
            found = self._known[folder] = private(folder)
        return found


def private(folder: str) -> bool:
    """Whether a folder is never shown whole unless a mount says so: homes, shared ones, sensitive ones, those above."""
    kept = [f"{home}/{name}" for home in homes() for name in (".cache", ".config", ".local", ".local/share")]
    return folder in _SHARED or folder in kept or refusal(folder) is not None


def _paths_in(links: str) -> list[str]:
    """Return the paths that a ``.pth`` file adds."""
    with suppress(OSError, UnicodeDecodeError):
        return [line.strip() for line in Path(links).read_text().splitlines() if line.startswith("/")]
    return []


def _edited_in(origin: str) -> str | None:
    """Return where a package's sources are that is installed in place, by its ``direct_url.json``."""
    with suppress(OSError, ValueError, AttributeError, KeyError, TypeError):
        told = json.loads(Path(origin).read_bytes())
        url = urlsplit(told["url"])
        if url.scheme == "file" and told.get("dir_info", {}).get("editable"):
            return unquote(url.path)
    return None


def _link(program: str) -> str | None:
    with suppress(OSError):
        return os.path.normpath(Path(program).parent / Path(program).readlink())
    return None


def _interpreter(program: str) -> str | None:
    """Return what a script's first line says shall run it."""
    with suppress(OSError):
        with Path(program).open("rb") as file:
            head = file.read(512)
        if not head.startswith(b"#!"):
            return None
        words = head[2:].split(b"\n", 1)[0].decode(errors="replace").split()
        if words and Path(words[0]).name == "env":
            words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        elif words and Path(words[0]).name == "sh" and (named := _in_shell(head)):
            return named  # how pip and uv write a line that would be too long
        return words[0] if words else None
    return None


def _in_shell(head: bytes) -> str | None:
    second = head.split(b"\n")[1:2]
    if not second or not second[0].startswith(b"'''exec' "):
        return None
    return second[0][9:].decode(errors="replace").split('"$0"')[0].strip().strip("\"'")


def _is_installation(root: Path) -> bool:
    """Whether a folder is that of one installation: a Python, a Node, a package of its own."""
    if str(root.parent) == "/opt" or (root / "conda-meta").is_dir() or (root / "Cellar").is_dir():
        return True
    if (root / "lib" / "node_modules").is_dir() or ((root / "shims").is_dir() and (root / "versions").is_dir()):
        return True
    return any(root.glob("lib/python3*/os.py"))
