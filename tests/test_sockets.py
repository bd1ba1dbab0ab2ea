"""UNIX sockets: who may connect, and what is replaced."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from tidegate import sockets


def test_only_its_owner_can_connect(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with sockets.listening(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with sockets.listening(path, 0o666):  # the one before is replaced, as nobody listens on it
        assert stat.S_IMODE(path.stat().st_mode) == 0o666


def test_one_that_somebody_listens_on_stays_theirs(tmp_path: Path) -> None:
    with sockets.listening(tmp_path / "s") as listener:
        with pytest.raises(OSError, match="in use") as caught:
            sockets.listening(tmp_path / "s")
        assert caught.value.errno == errno.EADDRINUSE
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))
            accepted = sockets.accepted(listener, frozenset({os.geteuid()}))
            while accepted is None:  # what looked whether somebody listens was there before
                accepted = sockets.accepted(listener, frozenset({os.geteuid()}))
            accepted.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("kept")
    with pytest.raises(FileExistsError, match="no socket"):
        sockets.listening(tmp_path / "notes")
    assert (tmp_path / "notes").read_text() == "kept"


def test_who_isnt_among_the_users_is_refused(tmp_path: Path) -> None:
    with sockets.listening(tmp_path / "s") as listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "s"))
        assert sockets.accepted(listener, frozenset({os.geteuid() + 1})) is None
        assert client.recv(1) == b""
        assert sockets.accepted(listener, frozenset({os.geteuid()})) is None  # nobody else is there
