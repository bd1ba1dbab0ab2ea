"""Files that their owner alone can read: read with care, written whole or not at all.

A file is refused where others could read or change it: by its mode, its owner, a symbolic link in its place, or a
folder in which others may put another file there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import sys
from typing import TYPE_CHECKING

from tidegate.secret_stores.base import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_MOST = 16 * 1024 * 1024
_UNMOVED = os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | _UNMOVED  # not to wait for whoever writes to a FIFO
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _UNMOVED


def read(path: Path) -> bytes | None:
    """Return what a file holds; ``None`` where there is none.

    Raises:
        StoreError: where it can't be read, or others could.
    """
    try:
        with _folder(path) as folder:
            return _read(path, folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}") from None


def change(path: Path, edit: Callable[[bytes | None], bytes]) -> None:
    """Replace what a file holds, as one step that others see whole; nobody else changes it meanwhile.

    Args:
        path: the file; its folder is made where there is none.
        edit: returns what it shall hold, from what it holds.

    Raises:
        StoreError: where it can't be written, or others could read it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _folder(path) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            _write(path, folder, edit(_read(path, folder)))
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror}") from None


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    """Open the folder of a file; what is done in it is done in this one, whatever its name comes to mean."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = os.fstat(folder)
        others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if found.st_uid not in (0, os.geteuid()) or (others and not found.st_mode & stat.S_ISVTX):
            raise StoreError(f"others can put files into {path.parent}, so it is no place for secrets")
        yield folder
    finally:
        os.close(folder)


def _read(path: Path, folder: int) -> bytes | None:
    try:
        descriptor = os.open(path.name, _READ, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if _is_link(path, folder):
            raise StoreError(f"{path} is a symbolic link, which secrets aren't read from") from None
        raise StoreError(f"{path} can't be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"{path} is no file")
        if found.st_uid != os.geteuid():
            raise StoreError(f"{path} belongs to another user")
        if found.st_mode & 0o077:
            raise StoreError(f"others can read {path}: chmod 600 {path}")
        data = file.read(_MOST + 1)
    if len(data) > _MOST:
        raise StoreError(f"{path} is longer than {_MOST} bytes")
    return data


def _is_link(path: Path, folder: int) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISLNK(os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode)
    return False


def _write(path: Path, folder: int, data: bytes) -> None:
    """Write beside the file and put that in its place. What a crash leaves beside it the next writing removes."""
    beside = f".{path.name}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside, dir_fd=folder)
    descriptor = os.open(beside, _NEW, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(beside, path.name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside, dir_fd=folder)
        raise
    if sys.platform == "linux":  # elsewhere not every file system lets a folder be synced
        os.fsync(folder)


def make(path: Path, data: bytes) -> bytes:
    """Make a file that holds ``data``, unless there is one; return what it holds.

    Raises:
        StoreError: as :func:`change` does.
    """
    change(path, lambda old: data if old is None else old)
    return read(path) or data
