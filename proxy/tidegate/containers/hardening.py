"""What every container of Tidegate's is held to, and what a server's settings loosen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.box_settings import Bind, Tmpfs, is_root, size_of
from tidegate.containers import seccomp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.settings import ServerSettings

_TMP = "/tmp"  # noqa: S108 - the container's


def arguments(server: ServerSettings, user: str, volumes: Iterable[str] = ()) -> dict[str, Any]:
    """Return the box as arguments of docker-py's ``create_host_config``.

    Args:
        server: the server's settings.
        user: who its processes are, ``UID:GID`` in numbers; the folders in memory are theirs.
        volumes: the paths that its image declares as volumes. The engine would make each a writable folder on the
            host's disk that nothing bounds; here it is one in the container's memory.
    """
    memory = size_of(server.memory)
    security = ["no-new-privileges"]
    if server.seccomp == "tidegate":
        security.append(f"seccomp={seccomp.profile()}")
    return {
        "network_mode": "none",
        "dns": ["127.0.0.1"],  # else the engine shows it the host's
        "read_only": server.read_only,
        "tmpfs": _tmpfs(server, user, volumes),
        "cap_drop": ["ALL"],
        "cap_add": list(server.capabilities) or None,
        "security_opt": security,
        "pids_limit": server.pids,
        "mem_limit": memory,
        "memswap_limit": memory,  # the same: no swap
        "nano_cpus": round(server.cpus * 1_000_000_000),
        "init": True,
        "ipc_mode": "private",
        "shm_size": size_of(server.shm),
        "oom_score_adj": 500,
        "auto_remove": True,
        "runtime": server.runtime,
    }


def _tmpfs(server: ServerSettings, user: str, volumes: Iterable[str]) -> dict[str, str]:
    """Return the folders in memory, with their mount options, where no mount of the host's is."""
    wanted = [Tmpfs(_TMP), *(Tmpfs(path.rstrip("/")) for path in volumes), *map(Tmpfs.read, server.tmpfs)]
    taken = {Bind.read(mount).target for mount in server.mounts}
    return {folder.path: folder.options(user) for folder in wanted if folder.path not in taken}


def loosened(server: ServerSettings) -> list[str]:
    """Return a sentence for each hardened default that a server's settings loosen."""
    if server.image is None:
        return []
    told = [*_of_its_user(server), *_of_its_limits(server)]
    if not server.read_only:
        told.append("it can write to its own files, and so fill the host's disk")
    told += [f"programs can be run from {folder.path}" for folder in map(Tmpfs.read, server.tmpfs) if folder.executable]
    told += [f"it can write to {bind.source} of the host" for bind in map(Bind.read, server.mounts) if bind.writable]
    if server.seccomp == "engine":
        told.append("the engine's list of system calls holds it instead of Tidegate's")
    return told


def _of_its_user(server: ServerSettings) -> list[str]:
    if server.user is None:
        return []
    told = []
    if is_root(server.user):
        told.append("its processes run as root")
    elif server.user.partition(":")[2].strip("0") == "" and ":" in server.user:
        told.append("its processes are of root's group")
    told += [f"its root has the capability {name}" for name in server.capabilities]
    return told


def _of_its_limits(server: ServerSettings) -> list[str]:
    usual = {name: field.default for name, field in type(server).model_fields.items()}
    told = []
    if size_of(server.memory) > size_of(usual["memory"]):
        told.append(f"it may use {server.memory} of memory instead of {usual['memory']}")
    if size_of(server.shm) > size_of(usual["shm"]):
        told.append(f"it may share {server.shm} of memory among its processes instead of {usual['shm']}")
    if server.cpus > usual["cpus"]:
        told.append(f"it may use {server.cpus:g} processors instead of {usual['cpus']:g}")
    if server.pids > usual["pids"]:
        told.append(f"it may have {server.pids} processes and threads instead of {usual['pids']}")
    return told
