"""The container images of the tests, made once and kept by the engine until what they are made of changes.

All come from ordinary Dockerfiles with `--build-arg BASE=`, which is a stand-in made of this machine's own
files (see `standin`), or the image that TIDEGATE_TEST_BASE names, where the engine can pull one. Every image is
tagged by a hash of its ingredients, so a second run builds nothing. `python -m support.images` builds them all.
"""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import docker
from docker.errors import BuildError, ImageNotFound
from docker.utils.build import exclude_paths

from support import standin

ROOT = Path(__file__).parents[2]
_CONTAINERS = ROOT / "tests" / "containers"
_LABEL = "io.tidegate.test"
_BUILD_SECONDS = 600  # the longest silence of a build: pip says nothing while it downloads
_KEPT = "48h"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class Images:
    """The images by name, each built when it is first asked for; every value is an image id that the engine knows."""

    def __init__(self) -> None:
        self._pruned = False

    @cached_property
    def base(self) -> str:
        """The image the others are built on: has `python` (3.11 or later) and pip."""
        tag = self._base
        with self._engine() as engine:
            return str(engine.images.get(tag).id)

    @cached_property
    def _base(self) -> str:
        """The base image's tag: builders want one."""
        named = os.environ.get("TIDEGATE_TEST_BASE")
        tag = named or f"tidegate-test/base:{standin.recipe_key()}"
        with self._engine() as engine:
            if not _has(engine, tag):
                if named:
                    engine.images.pull(*named.partition(":")[::2])
                else:
                    _import_standin(engine, tag)
        return tag

    @cached_property
    def echo(self) -> str:
        """A tiny MCP server over stdio with one tool, `echo`, of the standard library alone."""
        return self._built("echo", _CONTAINERS / "echo")

    @cached_property
    def time(self) -> str:
        """mcp-server-time over stdio, of the version installed beside the tests."""
        return self._built("time", _CONTAINERS / "mcp-time", VERSION=version("mcp-server-time"))

    @cached_property
    def no_shell(self) -> str:
        """The base without any shell."""
        return self._built("no-shell", _CONTAINERS / "no-shell")

    @cached_property
    def hostile(self) -> str:
        """A server that tries to break out, and tells how far it came."""
        return self._built("hostile", _CONTAINERS / "hostile")

    @cached_property
    def git(self) -> str:
        """mcp-server-git over stdio, of the version installed beside the tests."""
        return self._built("git", _CONTAINERS / "mcp-git", VERSION=version("mcp-server-git"))

    @cached_property
    def python_sdk(self) -> str:
        """A server made with the Python SDK, of the version installed beside the tests."""
        return self._built("python-sdk", _CONTAINERS / "python-sdk", VERSION=version("mcp"))

    @cached_property
    def node(self) -> str:
        """Node with server-everything and server-filesystem, of the versions that tests/npm names."""
        named = json.loads((ROOT / "tests" / "npm" / "package.json").read_text())["dependencies"]
        wanted = [f"@modelcontextprotocol/server-{name}" for name in ("everything", "filesystem")]
        return self._built("node", _CONTAINERS / "node", PACKAGES=" ".join(f"{name}@{named[name]}" for name in wanted))

    @cached_property
    def tidegate(self) -> str:
        """Tidegate itself, from the project's own Dockerfile."""
        return self._built("tidegate", ROOT)

    def _built(self, name: str, context: Path, **arguments: str) -> str:
        """Return the id of the image that `context` makes, building it if the engine doesn't have it."""
        arguments["BASE"] = self._base
        tag = f"tidegate-test/{name}:{_context_key(context, arguments)}"
        with self._engine() as engine:
            if not _has(engine, tag):
                _build(engine, context, tag, arguments)
            return str(engine.images.get(tag).id)

    @contextmanager
    def _engine(self) -> Iterator[docker.DockerClient]:
        """Lend an engine client, to one builder on this machine at a time."""
        lock = cache_folder() / "images.lock"
        with lock.open("w") as file, closing(docker.from_env(timeout=_BUILD_SECONDS)) as engine:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not self._pruned:  # what earlier states of the sources left behind
                engine.images.prune({"label": _LABEL, "dangling": False, "until": _KEPT})
                self._pruned = True
            yield engine


def cache_folder() -> Path:
    """Return the folder for what the tests build once and keep, after making it."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidegate"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _has(engine: docker.DockerClient, tag: str) -> bool:
    try:
        engine.images.get(tag)
    except ImageNotFound:
        return False
    return True


def _import_standin(engine: docker.DockerClient, tag: str) -> None:
    changes = [f"ENV {name}={value}" for name, value in standin.environment().items()]
    changes += [f"LABEL {_LABEL}=base", 'CMD ["python"]']
    repository, _, key = tag.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root.tar"
        standin.write(root)
        engine.api.import_image_from_file(str(root), repository, key, changes=changes)


def _build(engine: docker.DockerClient, context: Path, tag: str, arguments: dict[str, str]) -> None:
    # Proxies are for the build alone: the engine knows these arguments and keeps them out of the image.
    proxies = {name: os.environ[name] for name in _PROXIES if os.environ.get(name)}
    given = proxies | arguments
    try:
        engine.images.build(path=str(context), tag=tag, buildargs=given, labels={_LABEL: "built"}, forcerm=True)
    except BuildError as error:
        log = "".join(str(entry.get("stream", "")) for entry in error.build_log)
        raise RuntimeError(f"building {tag} failed: {error.msg}\n{log[-3000:]}") from error


def _context_key(context: Path, arguments: dict[str, str]) -> str:
    """Return 12 hex digits that change with what the engine would be sent, and with the build's arguments."""
    ignore = context / ".dockerignore"
    patterns = ignore.read_text().splitlines() if ignore.exists() else []
    digest = hashlib.sha256(repr(sorted(arguments.items())).encode())
    for name in sorted(exclude_paths(str(context), patterns)):
        path = context / name
        if path.is_file():
            digest.update(f"{name}\0{path.stat().st_mode:o}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def main() -> None:
    """Build every image, and print its id."""
    images = Images()
    for image in (
        images.base,
        images.echo,
        images.time,
        images.git,
        images.python_sdk,
        images.node,
        images.hostile,
        images.no_shell,
        images.tidegate,
    ):
        print(image)  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
