"""The keys that shape a container: what they accept, what they mean, and what is said of the rest."""

from pathlib import Path
from typing import Any

import pytest

from tidegate.box_settings import CAPABILITIES, Bind, Tmpfs, is_root, size_of
from tidegate.settings import ServerSettings, SettingsError, build

IMAGE = "sha256:" + "0" * 64
HERE = Path("/nonexistent")
MOUNT = "is not of the form HOST:TARGET[:ro|rw]"
USER = 'user is "UID:GID" in numbers, or a name that the image knows'
SIZE = 'a size is a number with k, m or g behind it, like "256m"'
TMPFS = 'isn\'t a tmpfs; one is like "/tmp:size=64m" or "/work:size=1g,exec"'
ABSOLUTE = "is an absolute path in the container"


def server(**keys: Any) -> ServerSettings:
    return build({"servers": {"a": {"image": IMAGE, **keys}}}, folder=HERE).servers["a"]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        *(({"user": user}, f"user: {USER}") for user in ("1000", "1000:", ":5", "-1:-1", "Root", "a b", "a:b", "")),
        *(({"memory": size}, f"memory: {SIZE}") for size in ("256", "256M", "0m", "-1m", "1.5g", "")),
        ({"memory": "5m"}, "memory: memory is at least 6m"),
        ({"shm": "64mb"}, f"shm: {SIZE}"),
        ({"cpus": 0}, "cpus: input should be greater than or equal to 0.05"),
        ({"cpus": "1"}, "cpus: input should be a valid number"),
        ({"pids": 3}, "pids: input should be greater than or equal to 4"),
        ({"pids": -1}, "pids: input should be greater than or equal to 4"),
        ({"workdir": "data"}, f"workdir: workdir {ABSOLUTE}"),
        ({"workdir": "/data/../.."}, f"workdir: workdir {ABSOLUTE}"),
        ({"tmpfs": ["data"]}, f"tmpfs: the path of a tmpfs {ABSOLUTE}"),
        ({"tmpfs": ["/"]}, "tmpfs: a tmpfs can't be at /"),
        ({"tmpfs": ["/proc/x"]}, "tmpfs: a tmpfs can't be at /proc/x"),
        ({"tmpfs": ["/a", "/a/:exec"]}, "tmpfs: tmpfs names /a twice"),
        *(({"tmpfs": [f"/a:{x}"]}, f"tmpfs: /a:{x} {TMPFS}") for x in ("", "size=1", "suid", "dev", "size=1m,,exec")),
        ({"runtime": "/usr/bin/runc"}, 'runtime: runtime is the name of one that the engine has, like "runsc"'),
        (
            {"capabilities": ["SYS_ADMIN"], "user": "root"},
            f"capabilities: capabilities that can be given are {', '.join(CAPABILITIES)}; SYS_ADMIN isn't one",
        ),
        ({"capabilities": ["CHOWN"]}, 'capabilities are root\'s: they need user = "root" as well'),
        ({"capabilities": ["CHOWN"], "user": "1:1"}, 'capabilities are root\'s: they need user = "root" as well'),
        ({"seccomp": "unconfined"}, "seccomp: input should be 'tidegate' or 'engine'"),
        ({"read_only": 0}, "read_only: input should be a valid boolean"),
        *(
            ({"mounts": [mount]}, f"the mount {mount} {MOUNT}")
            for mount in ("a", "a:b", ":/b", "/a:/b:rx", "/a:/b:", "")
        ),
        ({"mounts": ["/srv:/proc"]}, "the mount /srv:/proc would hide /proc, which the server needs as it is"),
        ({"mounts": ["/srv:/sys/fs/"]}, "the mount /srv:/sys/fs/ would hide /sys/fs/, which the server needs as it is"),
        ({"mounts": ["/srv:/"]}, "the mount /srv:/ would hide /, which the server needs as it is"),
        ({"mounts": ["/srv:/a/../proc"]}, f"where a mount goes {ABSOLUTE}"),
        ({"mounts": ["/srv:/a", "/opt:/a/"]}, "two things would be at /a in the container"),
        ({"mounts": ["/srv:/a"], "tmpfs": ["/a"]}, "two things would be at /a in the container"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        server(**keys)
    said = str(caught.value).removeprefix("settings: servers.a")
    assert said.removeprefix(".").removeprefix(": ") == sentence


@pytest.mark.parametrize("key", ["user", "memory", "tmpfs", "runtime", "read_only", "capabilities", "seccomp", "shm"])
def test_a_server_that_is_no_container_has_none_of_them(key: str) -> None:
    usual = {"user": "1:1", "memory": "8m", "tmpfs": [], "runtime": "x", "read_only": True, "capabilities": []}
    value = (usual | {"seccomp": "engine", "shm": "1m"})[key]
    with pytest.raises(SettingsError, match=f"{key} has no meaning for a server with command"):
        build({"servers": {"a": {"command": ["x"], key: value}}}, folder=HERE)


def test_sizes_are_in_powers_of_two() -> None:
    assert [size_of(text) for text in ("1k", "16m", "2g")] == [1024, 16 * 1024**2, 2 * 1024**3]


def test_a_folder_in_memory_runs_no_programs_unless_it_says_so() -> None:
    assert (
        Tmpfs.read("/work").options("65534:65534")
        == "rw,noexec,nosuid,nodev,mode=1777,uid=65534,gid=65534,size=16777216,nr_inodes=16384"
    )
    assert (
        Tmpfs.read("/work/:exec,size=1k").options("65534:65534")
        == "rw,exec,nosuid,nodev,mode=1777,uid=65534,gid=65534,size=1024,nr_inodes=16"
    )
    assert Tmpfs.read("/work:exec,noexec") == Tmpfs("/work")


def test_a_mount_is_read_only_unless_it_says_so() -> None:
    assert Bind.read("./a b:/c/") == Bind("./a b", "/c", writable=False)
    assert Bind.read("a:/c:ro") == Bind("a", "/c", writable=False)
    assert Bind.read("a:/c:rw") == Bind("a", "/c", writable=True)


@pytest.mark.parametrize("user", ["root", "0:0", "00:5", "0:65534"])
def test_root_is_spelled_out(user: str) -> None:
    assert is_root(server(user=user).user or "")


@pytest.mark.parametrize("user", ["65534:65534", "10:0", "node", "r00t"])
def test_others_are_not_root(user: str) -> None:
    assert not is_root(server(user=user).user or "root")
