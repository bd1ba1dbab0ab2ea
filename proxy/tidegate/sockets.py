"""UNIX sockets that other processes connect to, and whose these are."""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("tidegate.sockets")  # the launcher has no structlog

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)


def listening(path: Path, mode: int = 0o600) -> socket.socket:
    """Listen on a UNIX socket; one that nobody listens on any more is replaced.

    Args:
        path: where.
        mode: the mode of its file, which says who can connect at all.

    Raises:
        OSError: where that can't be, as where somebody listens, or something else than a socket is there.
    """
    listener = socket.socket(socket.AF_UNIX)
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                if not stat.S_ISSOCK(path.lstat().st_mode):  # it is what connecting to any file ends in
                    raise FileExistsError(errno.EEXIST, "something is there that is no socket", str(path)) from None
                path.unlink()
            except FileNotFoundError:
                pass
        mask = os.umask(0o777 & ~mode)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen()
        listener.settimeout(0)
    except BaseException:
        listener.close()
        raise
    return listener


def accepted(listener: socket.socket, users: frozenset[int]) -> socket.socket | None:
    """Return the next connection, if it is of one of some users; the kernel says whose it is (unix(7), SO_PEERCRED)."""
    try:
        connection, _ = listener.accept()
    except OSError:
        return None
    if sys.platform == "linux":  # elsewhere the mode of the file has to do
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, user, _ = _CREDENTIALS.unpack(told)
        if user not in users:
            log.warning("A connection of the user %s was refused.", user)
            connection.close()
            return None
    return connection
