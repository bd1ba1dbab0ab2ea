"""The file of pins: its owner's alone, replaced whole, and changed by one at a time.

Whoever changes it takes the lock beside it, reads what is there now, and writes a new file in its place; so a running
Tidegate, another one and ``tidegate pins`` may share it. Who only reads notices by its stamp that it changed.
"""

from __future__ import annotations

import fcntl
import glob
import os
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError

from tidegate_pins.book import Book

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tidegate_pins.book import FileKind

MODE = 0o600
_LOCK_SECONDS, _LOCK_LOOK = 1.5, 0.01
_MOST_BYTES = 2 * 1024 * 1024 * 1024

Stamp = tuple[int, int, int]


class PinsError(ValueError):
    """The pins can't be used: one sentence, without anything of their content."""


class Store:
    """The pins of one file, for all that use it in this process. Safe for threads.

    Attributes:
        path: the file.
        generation: goes up with each change of what is pinned, whoever made it.
    """

    _open: ClassVar[dict[Path, tuple[Store, int]]] = {}

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation = 0
        self._name = os.fspath(path)
        self._book = Book()
        self._stamp: Stamp | None = None
        self._news: set[tuple[str, FileKind]] = set()
        self._writing = threading.Lock()
        self._failure = ""

    @classmethod
    def acquire(cls, path: Path) -> Store:
        """Return the store of a file, which is made where it isn't there; :meth:`release` it.

        Raises:
            PinsError: where it can't be used.
        """
        real = Path(os.path.realpath(path))
        store, users = cls._open.get(real) or (cls(real), 0)
        if not real.exists():
            store.change(lambda book: book, always=True)
        store.book()
        cls._open[real] = (store, users + 1)
        return store

    def release(self) -> None:
        """Say that a user of the store is done with it."""
        store, users = self._open.get(self.path, (self, 1))
        if users > 1:
            self._open[self.path] = (store, users - 1)
        else:
            self._open.pop(self.path, None)

    def book(self) -> Book:
        """Return what is pinned now; the file is read where it changed.

        Raises:
            PinsError: where it can't be read.
        """
        try:
            found = os.stat(self._name)  # noqa: PTH116 - for every call, and twice as fast as the method
        except OSError as error:
            self._stamp = None
            raise PinsError(f"the pins in {self.path} can't be read: {error.strerror}") from None
        if (found.st_mtime_ns, found.st_size, found.st_ino) != self._stamp:
            self._read()
        return self._book

    def _read(self) -> None:
        self._stamp = None
        try:
            with self.path.open("rb") as file:
                told = os.fstat(file.fileno())
                _check_owner(self.path, told)
                data = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise PinsError(f"the pins in {self.path} can't be read: {error.strerror}") from None
        if len(data) > _MOST_BYTES:
            raise PinsError(f"the pins in {self.path} can't be read: the file is larger than {_MOST_BYTES} bytes")
        try:
            book = Book.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = "/".join(map(str, first["loc"][:3])) or "its text"
            raise PinsError(f"the pins in {self.path} can't be read: {where} is not as Tidegate writes it") from None
        if self.generation:
            self._news |= book.other_than(self._book)
        self._book = book
        self.generation += 1
        self._stamp = (told.st_mtime_ns, told.st_size, told.st_ino)

    def news(self) -> set[tuple[str, FileKind]]:
        """Return of which servers, and of what kind, others changed what is pinned since this was asked last.

        Raises:
            PinsError: where the file can't be read.
        """
        self.book()
        news, self._news = self._news, set()
        return news

    def change(self, how: Callable[[Book], Book], *, always: bool = False, seconds: float = _LOCK_SECONDS) -> Book:
        """Change what is pinned, and return it once it is on disk.

        Args:
            how: makes the new book of that which is there now.
            always: whether the file is written where nothing changed, or isn't there.
            seconds: how long to wait for others that are changing it.

        Raises:
            PinsError: where that can't be done; then nothing has changed.
        """
        with self._writing:
            try:
                with _locked(self.path, seconds):
                    before = self.book() if self.path.exists() or not always else Book()
                    after = how(before)
                    if after is before and not always:
                        return before
                    self._write(after)
                    return after
            except OSError as error:
                raise PinsError(f"the pins can't be written to {self.path}: {error.strerror}") from None

    def _write(self, book: Book) -> None:
        data = book.model_dump_json().encode()
        folder = self.path.parent
        _sweep(self.path)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{self.path.name}.")  # its owner's alone
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                told = os.fstat(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(name).unlink()
            raise
        self._book, self._stamp = book, (told.st_mtime_ns, told.st_size, told.st_ino)
        self.generation += 1
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _check_owner(path: Path, told: os.stat_result) -> None:
    """See that a file is its owner's alone, and the owner is who reads it.

    Raises:
        PinsError: where that isn't so: others could have approved something in it.
    """
    if told.st_uid not in (os.geteuid(), 0):
        raise PinsError(f"the pins in {path} can't be trusted: the file is another user's")
    if told.st_mode & 0o077:
        raise PinsError(f"the pins in {path} can't be trusted: others may open the file; `chmod 600` it")


def _sweep(path: Path) -> None:
    """Remove what a crash left half written. The lock is held, so nobody is writing."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        with suppress(OSError):
            left.unlink()


@contextmanager
def _locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock of a file of pins.

    Raises:
        PinsError: where somebody else holds it too long.
        OSError: where it can't be opened.
    """
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
    try:
        until = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise PinsError(f"the pins in {path} are being changed by somebody else") from None
            time.sleep(_LOCK_LOOK)
        yield
    finally:
        os.close(descriptor)
