"""Reads a policy: a folder, one ``.rego`` file, or a ``.tar.gz`` in OPA's bundle format, never unpacked to disk.

Nothing of it is run here. What can't be read as a whole, or isn't signed as the settings ask, is refused with one
sentence.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, NoReturn

from tidegate_policy import signatures
from tidegate_policy.sources import PolicyError, Sources, revision_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from tidegate_policy.signatures import Verification

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of a whole bundle, unpacked."""

MAX_FILES = 10_000
"""Files of a bundle."""

_MANIFEST = ".manifest"
_DATA = "data.json"
_REFUSED = {
    "data.yaml": "data is read from data.json only: convert it, as `opa build` does",
    "data.yml": "data is read from data.json only: convert it, as `opa build` does",
    "patch.json": "delta bundles are not for policies that judge messages: give a whole one",
}
_PACKAGE = re.compile(r"^[ \t]*package[ \t]+([A-Za-z_][\w.]*)", re.MULTILINE)


class Bundle(NamedTuple):
    """A policy as it was read.

    Attributes:
        sources: what an engine is given.
        tests: path and text of each ``*_test.rego``.
    """

    sources: Sources
    tests: tuple[tuple[str, str], ...]


_Files = dict[str, bytes]
"""The files of a bundle by name, parted by slashes."""


def read(path: Path, verification: Verification | None = None) -> Bundle:
    """Read a policy.

    Args:
        path: of a folder, a ``.rego`` file or a ``.tar.gz``.
        verification: what its signature must be; ``None`` where it needs none.

    Raises:
        PolicyError: where it can't be used.
    """
    try:
        files = _files(path)
    except OSError as error:
        raise PolicyError(f"{path} can't be read: {error.strerror or 'no such bundle'}") from error
    if verification is not None:
        _verify(path, files, verification)
    manifest = _manifest(path, files)
    modules, tests = _modules(path, files)
    data = _data(path, files)
    _inside_roots(path, manifest, modules, data)
    if not modules:
        raise PolicyError(f"{path}: there is no .rego file in it, or none but tests")
    revision = manifest.get("revision") or revision_of(modules, data)
    return Bundle(Sources(modules, data, revision), tests)


def stamp(path: Path) -> Hashable:
    """Return something that is another when a policy's files have changed, from their names, times and sizes alone."""
    found = []
    for name, file in _paths(path) if path.is_dir() else [("", path)]:
        if name and not _counts(name):
            continue
        try:
            state = file.stat()
        except OSError:  # gone meanwhile: that is a change too
            found.append((name, 0, 0, 0))
        else:
            found.append((name, state.st_mtime_ns, state.st_size, state.st_ino))
    return tuple(found)


def _counts(name: str) -> bool:
    base = name.rpartition("/")[2]
    return base.endswith(".rego") or base in (_DATA, *_REFUSED) or name in (_MANIFEST, signatures.FILE)


def _files(path: Path) -> _Files:
    if path.is_dir():
        return _of_folder(path)
    if path.name.endswith((".tar.gz", ".tgz")):
        with path.open("rb") as file:
            return _of_archive(path, file)
    if path.suffix != ".rego" and path.exists():
        raise PolicyError(f"{path}: a policy is a folder, a .rego file or a .tar.gz bundle")
    return {path.name: _content(path, MAX_BYTES, path)}


def _paths(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder in their order, but for hidden folders, such as those of configuration maps."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(parent, name)
            yield file.relative_to(folder).as_posix(), file


def _of_folder(folder: Path) -> _Files:
    files: _Files = {}
    left = MAX_BYTES
    for count, (name, file) in enumerate(_paths(folder)):
        if count >= MAX_FILES:
            raise PolicyError(f"{folder}: there are more than {MAX_FILES} files in it")
        if file.is_file():
            files[name] = _content(file, left, folder)
            left -= len(files[name])
    return files


def _content(file: Path, left: int, bundle: Path) -> bytes:
    with file.open("rb") as opened:
        data = opened.read(left + 1)
    if len(data) > left:
        raise PolicyError(f"{bundle}: it is larger than {MAX_BYTES} bytes")
    return data


class _Limited:
    """Reads what is packed, up to a limit."""

    def __init__(self, file: gzip.GzipFile, path: Path) -> None:
        self._file, self._path, self._left = file, path, MAX_BYTES + MAX_FILES * 1024

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise PolicyError(f"{self._path}: it is larger than {MAX_BYTES} bytes")
        return data


def _of_archive(path: Path, file: BinaryIO) -> _Files:
    files: _Files = {}
    left = MAX_BYTES
    try:
        with gzip.GzipFile(fileobj=file) as packed, tarfile.open(fileobj=_Limited(packed, path), mode="r|") as archive:  # type: ignore[call-overload]  # it needs `read` alone
            for count, member in enumerate(archive):
                if count >= MAX_FILES:
                    raise PolicyError(f"{path}: there are more than {MAX_FILES} files in it")
                name = _member(path, member)
                if name is None:
                    continue
                if name in files:
                    raise PolicyError(f"{path}: {name} is in it twice")
                if member.size > left:
                    raise PolicyError(f"{path}: it is larger than {MAX_BYTES} bytes")
                content = archive.extractfile(member)
                files[name] = b"" if content is None else content.read()
                left -= len(files[name])
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError) as error:
        if isinstance(error, PolicyError):
            raise
        raise PolicyError(f"{path}: it is no whole .tar.gz") from error
    return files


def _member(path: Path, member: tarfile.TarInfo) -> str | None:
    """Return the name of a regular file in an archive; ``None`` for a folder."""
    name = member.name.removeprefix("./").strip("/") if member.name not in (".", "./") else ""
    if member.isdir():
        return None
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.sparse is not None:
        raise PolicyError(f"{path}: {_shown(name)} is neither a file nor a folder")
    if not name or not name.isprintable() or "\\" in name or {"", ".", ".."} & set(name.split("/")):
        raise PolicyError(f"{path}: {_shown(name)} is no name for a file of a bundle")
    return name


def _shown(name: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in name[:100])


def _verify(path: Path, files: _Files, verification: Verification) -> None:
    if signatures.FILE not in files:
        raise PolicyError(f"{path}: it has no {signatures.FILE}, and the settings ask for a signature")
    signed = signatures.signed_files(str(path), files[signatures.FILE], verification)
    inside = f"{path.resolve().name}/"  # `opa sign -b NAME` puts the folder's name before each
    if path.is_dir() and signed and all(name.startswith(inside) for name in signed):
        signed = {name.removeprefix(inside): value for name, value in signed.items()}
    for name in files:
        if _counts(name) and name != signatures.FILE and name not in signed:
            raise PolicyError(f"{path}: {name} is not among the files that are signed")
    for name, (algorithm, value) in signed.items():
        if name not in files:
            raise PolicyError(f"{path}: {_shown(name)} is signed and not there")
        if name.rpartition("/")[2] in _REFUSED:
            continue  # refused for what it is
        try:
            found = signatures.digest(name, files[name], algorithm)
        except (ValueError, RecursionError):
            found = ""
        if found != value:
            raise PolicyError(f"{path}: {name} is not as it was signed")


def _manifest(path: Path, files: _Files) -> dict[str, Any]:
    if _MANIFEST not in files:
        return {}
    found = _json(f"{path}: {_MANIFEST}", files[_MANIFEST])
    roots = found.get("roots", [""]) if isinstance(found, dict) else None
    good = isinstance(roots, list) and all(isinstance(root, str) for root in roots)
    if not good or not isinstance(found.get("revision", ""), str):
        raise PolicyError(f"{path}: {_MANIFEST} is an object whose `revision` is a string and `roots` are strings")
    versions = [found.get("rego_version", 1)]
    each = found.get("file_rego_versions", {})
    versions += each.values() if isinstance(each, dict) else [each]
    if any(version != 1 for version in versions):
        raise PolicyError(f"{path}: {_MANIFEST} asks for Rego v0; policies are written in Rego v1")
    if found.get("wasm"):
        raise PolicyError(f"{path}: {_MANIFEST} names WebAssembly; build the bundle with `opa build -t rego`")
    manifest: dict[str, Any] = found
    return manifest


def _modules(path: Path, files: _Files) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    modules: list[tuple[str, str]] = []
    tests: list[tuple[str, str]] = []
    for name in sorted(files):
        if not name.endswith(".rego"):
            continue
        try:
            text = files[name].decode()
        except UnicodeDecodeError as error:
            line = files[name].count(b"\n", 0, error.start) + 1
            raise PolicyError(f"{path}: {name}:{line}: it is not UTF-8") from error
        (tests if name.endswith("_test.rego") else modules).append((name, text))
    return tuple(modules), tuple(tests)


def _data(path: Path, files: _Files) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name in sorted(files, key=lambda name: (name.count("/"), name)):
        folder, _, base = name.rpartition("/")
        if base in _REFUSED:
            raise PolicyError(f"{path}: {name}: {_REFUSED[base]}")
        if base != _DATA:
            continue
        value = _json(f"{path}: {name}", files[name])
        for key in reversed(folder.split("/") if folder else []):
            value = {key: value}
        if not isinstance(value, dict):
            raise PolicyError(f"{path}: {name}: the data at the root is an object")
        _merge(data, value, f"{path}: {name}")
    return data


def _merge(into: dict[str, Any], value: dict[str, Any], where: str) -> None:
    waiting = [(into, value)]
    while waiting:
        target, given = waiting.pop()
        for key, item in given.items():
            if key not in target:
                target[key] = item
            elif isinstance(target[key], dict) and isinstance(item, dict):
                waiting.append((target[key], item))
            else:
                raise PolicyError(f"{where}: {_shown(key)!r} has a value already, from another {_DATA}")


def _json(where: str, data: bytes) -> Any:
    try:
        text = data.decode()
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_members)
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates
    except json.JSONDecodeError as error:
        raise PolicyError(f"{where}:{error.lineno}: it is not JSON: {error.msg}") from None
    except UnicodeError:
        raise PolicyError(f"{where}: it is not UTF-8") from None
    except RecursionError:
        raise PolicyError(f"{where}: it is nested too deep") from None
    except ValueError as error:
        raise PolicyError(f"{where}: it is not JSON: {error}") from None
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _inside_roots(
    path: Path, manifest: dict[str, Any], modules: Sequence[tuple[str, str]], data: dict[str, Any]
) -> None:
    """Refuse what is outside of the roots that the manifest claims, as OPA does."""
    roots = [root.strip("/").split("/") if root.strip("/") else [] for root in manifest.get("roots", [""])]
    covers: Callable[[list[str]], bool] = lambda way: any(way[: len(root)] == root for root in roots)  # noqa: E731 - one line
    for name, text in modules:
        package = _PACKAGE.search(text)
        if package and not covers(package[1].split(".")):
            line = text.count("\n", 0, package.start(1)) + 1
            raise PolicyError(f"{path}: {name}:{line}: package {package[1]} is outside of the manifest's roots")
    waiting: list[tuple[list[str], Any]] = [([], data)]
    while waiting:
        way, value = waiting.pop()
        if covers(way):
            continue
        if not isinstance(value, dict) or not any(root[: len(way)] == way for root in roots):
            raise PolicyError(f"{path}: the data at /{_shown('/'.join(way))} is outside of the manifest's roots")
        waiting.extend(([*way, key], item) for key, item in value.items())
