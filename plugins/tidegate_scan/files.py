"""What ``tidegate scan`` reads: files, folders and standard input, as texts or as recorded messages."""

from __future__ import annotations

import codecs
import os
import re
import stat
import sys
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jiter

if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN = "-"
SKIPPED = frozenset({".git", "node_modules"})
"""Folders that are not gone into: what is in them is somebody else's, or is in the work tree too."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Unread(Exception):  # noqa: N818 - it is no error of the program, but a file that wasn't scanned
    """A file that can't be scanned; the text says why, after its name.

    Attributes:
        kind: how such files are counted: ``binary``, ``large`` or ``unreadable``.
    """

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Record(NamedTuple):
    """A recorded message.

    Attributes:
        line: the line it begins on, from 1.
        tree: the message, parsed.
        text: the message as it is written, where that takes several lines; else ``""``.
    """

    line: int
    tree: Any
    text: str = ""


def below(folder: Path) -> Iterator[Path | OSError]:
    """Yield the files of a folder and those in it, by name; an error for each folder that can't be read.

    Symbolic links are not followed, and what is neither file nor folder is left out.
    """
    failed: list[OSError] = []
    for top, folders, names in os.walk(folder, onerror=failed.append):
        folders[:] = sorted(set(folders) - SKIPPED)
        for name in sorted(names):
            path = Path(top, name)
            try:
                regular = stat.S_ISREG(path.lstat().st_mode)
            except OSError as error:
                yield error
                continue
            if regular:
                yield path
    yield from failed


def read(path: Path | None, limit: int) -> str:
    """Return the text of a file.

    Args:
        path: the file; ``None`` for standard input.
        limit: the most bytes that are read.

    Raises:
        Unread: where it can't be read, is larger than that, or is no text.
    """
    try:
        if path is None:
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with path.open("rb") as file:
                data = file.read(limit + 1)
    except OSError as error:
        raise Unread("unreadable", f"can't be read: {error.strerror}") from None
    if len(data) > limit:
        raise Unread("large", f"is larger than {limit:,} bytes (see --max-bytes)")
    text = _text(data)
    if text is None:
        raise Unread("binary", "is binary")
    return text


def _text(data: bytes) -> str | None:
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return data.decode(codec, "replace")
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")  # any text that ASCII is a part of; columns are bytes then


def records(text: str) -> list[Record] | None:
    """Return the messages that a text consists of: one (or a batch), or one on each line; ``None`` for other texts."""
    if '"jsonrpc"' not in text:
        return None
    whole = _message(text)
    if whole is not None:
        written = text.strip()
        return [Record(text[: text.index(written)].count("\n") + 1, whole, written if "\n" in written else "")]
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            tree = _message(line)
            if tree is None:
                return None
            found.append(Record(number, tree))
    return found


def _message(text: str) -> Any:
    """Return a JSON-RPC message or batch; ``None`` where the text is none, or could be read in two ways."""
    try:
        tree = jiter.from_json(text.encode(), allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError:
        return None
    batch = tree if isinstance(tree, list) else [tree]
    if batch and all(isinstance(each, dict) and each.get("jsonrpc") == "2.0" for each in batch):
        return tree
    return None


_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")\s*:|(?P<value>"(?:[^"\\]|\\.)*"|[{\[]|[^\s{}\[\],:"]+)|(?P<next>,)|[}\]]'
)


def offsets(text: str) -> dict[str, int]:
    """Return where the members and items of a JSON text begin in it, by JSON Pointer; a member begins with its key."""
    found: dict[str, int] = {}
    path: list[str | int] = []  # of what is being read: its key or index in each object or array that it is in
    for token in _TOKEN.finditer(text):
        if token["key"]:
            path[-1] = jiter.from_json(token["key"].encode())
            found[_pointer(path)] = token.start()
        elif token["value"]:
            if path and isinstance(path[-1], int):
                found[_pointer(path)] = token.start()
            if token["value"] in ("{", "["):
                path.append("" if token["value"] == "{" else 0)
        elif not token["next"]:
            path.pop()
        elif isinstance(path[-1], int):
            path[-1] += 1
    return found


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{str(name).replace('~', '~0').replace('/', '~1')}" for name in path)


class Lines:
    """Where characters of a text are, as people count: lines and columns from 1."""

    def __init__(self, text: str) -> None:
        self._starts = [0]
        at = text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = text.find("\n", at + 1)

    def at(self, offset: int) -> tuple[int, int]:
        """Return line and column of a character."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1
