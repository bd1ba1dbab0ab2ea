"""What a container is held to, and that each loosening of it is told."""

from pathlib import Path
from typing import Any

import pytest

from tidegate.containers import seccomp
from tidegate.containers.hardening import arguments, loosened
from tidegate.containers.users import NOBODY
from tidegate.settings import ServerSettings, build


def server(**keys: Any) -> ServerSettings:
    return build({"servers": {"a": {"image": "sha256:" + "0" * 64, **keys}}}, folder=Path("/srv/a")).servers["a"]


LOOSER: list[tuple[dict[str, Any], list[str]]] = [
    ({"user": "root"}, ["its processes run as root"]),
    ({"user": "0:5"}, ["its processes run as root"]),
    ({"user": "5:0"}, ["its processes are of root's group"]),
    (
        {"user": "0:0", "capabilities": ["CHOWN", "NET_RAW"]},
        ["its processes run as root", "its root has the capability CHOWN", "its root has the capability NET_RAW"],
    ),
    ({"memory": "1g"}, ["it may use 1g of memory instead of 256m"]),
    ({"shm": "64m"}, ["it may share 64m of memory among its processes instead of 1m"]),
    ({"cpus": 1.5}, ["it may use 1.5 processors instead of 1"]),
    ({"pids": 129}, ["it may have 129 processes and threads instead of 128"]),
    ({"tmpfs": ["/a:exec", "/b"]}, ["programs can be run from /a"]),
    ({"read_only": False}, ["it can write to its own files, and so fill the host's disk"]),
    ({"mounts": ["./x:/x", "./y:/y:rw"]}, ["it can write to ./y of the host"]),
    ({"seccomp": "engine"}, ["the engine's list of system calls holds it instead of Tidegate's"]),
]
STRICTER: list[dict[str, Any]] = [
    {},
    {"user": "1000:1000", "workdir": "/srv", "runtime": "runsc"},
    {"memory": "64m", "cpus": 0.5, "pids": 16, "shm": "4k", "tmpfs": ["/tmp:size=1m"], "mounts": ["./x:/x:ro"]},
]


@pytest.mark.parametrize(("keys", "sentences"), LOOSER)
def test_what_is_looser_than_usual_is_told(keys: dict[str, Any], sentences: list[str]) -> None:
    assert loosened(server(**keys)) == sentences


@pytest.mark.parametrize("keys", STRICTER)
def test_what_is_not_looser_is_not_told(keys: dict[str, Any]) -> None:
    assert loosened(server(**keys)) == []


def test_servers_that_are_no_containers_have_nothing_to_loosen() -> None:
    for keys in ({"command": ["x"]}, {"url": "https://example.com/mcp"}):
        assert loosened(build({"servers": {"a": keys}}, folder=Path("/srv")).servers["a"]) == []


def test_every_key_of_a_container_is_used() -> None:
    made = arguments(
        server(
            user="0:0", memory="1g", cpus=0.5, pids=9, tmpfs=["/a:size=1k,exec"], shm="2m", read_only=False,
            runtime="r", capabilities=["KILL"], seccomp="engine",
        ),
        NOBODY,
    )  # fmt: skip
    assert made["mem_limit"] == made["memswap_limit"] == 1 << 30
    assert (made["nano_cpus"], made["pids_limit"], made["shm_size"]) == (500_000_000, 9, 2 << 20)
    assert made["tmpfs"] == {
        "/tmp": "rw,noexec,nosuid,nodev,mode=1777,uid=65534,gid=65534,size=16777216,nr_inodes=16384",
        "/a": "rw,exec,nosuid,nodev,mode=1777,uid=65534,gid=65534,size=1024,nr_inodes=16",
    }
    assert (made["read_only"], made["runtime"]) == (False, "r")
    assert (made["cap_drop"], made["cap_add"]) == (["ALL"], ["KILL"])
    assert made["security_opt"] == ["no-new-privileges"]
    assert arguments(server(), NOBODY)["security_opt"][1] == f"seccomp={seccomp.profile()}"


def test_a_volume_of_the_image_is_a_folder_in_memory_unless_something_else_is_there() -> None:
    made = arguments(server(mounts=["./x:/x"], tmpfs=["/y:exec"]), NOBODY, ["/v/", "/x", "/y"])
    assert list(made["tmpfs"]) == ["/tmp", "/v", "/y"]
    assert made["tmpfs"]["/y"].startswith("rw,exec")
    assert list(arguments(server(mounts=["./x:/tmp"]), NOBODY)["tmpfs"]) == []
