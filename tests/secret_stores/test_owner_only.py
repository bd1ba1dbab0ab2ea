"""Files that their owner alone can read: nobody else's are taken, and what is written is whole or not there."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tidegate.secret_stores import StoreError, owner_only

pytestmark = pytest.mark.requirement("secrets-stay-in")

SECONDS = 30


def refused(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        owner_only.read(path)
    with pytest.raises(StoreError):
        owner_only.change(path, lambda old: old or b"new")
    return str(caught.value)


def test_what_is_written_is_the_owners_alone_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "made" / "secrets"
    old = os.umask(0)
    try:
        owner_only.change(path, lambda found: b"one" if found is None else b"two")
        owner_only.change(path, lambda found: (found or b"") + b"!")
    finally:
        os.umask(old)
    assert owner_only.read(path) == b"one!"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert owner_only.read(tmp_path / "a") is None
    assert owner_only.read(tmp_path / "no" / "folder") is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secrets"
    path.write_bytes(b"x")
    path.chmod(mode)
    assert refused(path) == f"others can read {path}: chmod 600 {path}"


def test_a_link_is_refused_and_what_it_points_to_stays(tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    aim.write_bytes(b"x")
    aim.chmod(0o600)
    path = tmp_path / "secrets"
    path.symlink_to(aim)
    assert "is a symbolic link" in refused(path)
    assert aim.read_bytes() == b"x"


def test_a_link_where_the_new_file_is_written_is_removed_and_not_followed(tmp_path: Path) -> None:
    aim, path = tmp_path / "aim", tmp_path / "secrets"
    aim.write_bytes(b"theirs")
    (tmp_path / ".secrets.new").symlink_to(aim)
    owner_only.change(path, lambda _: b"ours")
    assert (aim.read_bytes(), path.read_bytes()) == (b"theirs", b"ours")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["aim", "secrets"]


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "secrets", 0o600)
    assert refused(tmp_path / "secrets").endswith("is no file")


def test_a_folder_in_which_others_can_put_files_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o777)
    assert refused(place / "secrets") == f"others can put files into {place}, so it is no place for secrets"
    place.chmod(0o1777)
    assert owner_only.read(place / "secrets") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="platform: only root can give a file away")
def test_another_users_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    path.write_bytes(b"x")
    path.chmod(0o600)
    os.chown(path, 65534, 65534)
    assert refused(path).endswith("belongs to another user")


def test_many_that_write_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    threads = [
        threading.Thread(
            target=owner_only.change, args=(path, lambda old, one=bytes([65 + number]): (old or b"") + one)
        )
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert sorted(owner_only.read(path) or b"") == list(range(65, 81))


def test_what_a_killed_writer_left_is_gone_with_the_next_writing(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    owner_only.change(path, lambda _: b"old")
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom tidegate.secret_stores import owner_only\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "owner_only.change(Path(sys.argv[1]), lambda _: b'half')\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=SECONDS)
    assert owner_only.read(path) == b"old"
    assert (tmp_path / ".secrets.new").exists()
    owner_only.change(path, lambda old: (old or b"") + b"!")
    assert owner_only.read(path) == b"old!"
    assert list(tmp_path.iterdir()) == [path]


def test_an_edit_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    owner_only.change(path, lambda _: b"old")

    def fails(_: bytes | None) -> bytes:
        raise StoreError("no")

    with pytest.raises(StoreError, match="no"):
        owner_only.change(path, fails)
    assert owner_only.read(path) == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_made_once(tmp_path: Path) -> None:
    assert owner_only.make(tmp_path / "key", b"first") == b"first"
    assert owner_only.make(tmp_path / "key", b"second") == b"first"
