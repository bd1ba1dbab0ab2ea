"""What a server's container is created with: hardened, whatever its settings don't loosen in so many words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docker.types import LogConfig, Ulimit

from tidegate.containers import lease
from tidegate.containers.engine import OWNER
from tidegate.containers.mounts import bind

if TYPE_CHECKING:
    from pathlib import Path

    from docker import APIClient

    from tidegate.containers.egress import Joined
    from tidegate.settings import ServerSettings

INSTANCE, SERVER = "io.tidegate.instance", "io.tidegate.server"
"""The labels that name a container's instance, and its server in the settings."""

_MEBIBYTE = 1024 * 1024
_MEMORY = 256 * _MEBIBYTE
_USER = "65534:65534"  # nobody, on all the usual systems


def create(client: APIClient, container: str, name: str, server: ServerSettings, folder: Path, way_out: Joined) -> None:
    """Create a server's container.

    Args:
        client: the engine.
        container: what to call it.
        name: the server's name in the settings.
        server: its settings.
        folder: where the relative paths of mounts start from.
        way_out: how its ``egress`` is given to it.

    Raises:
        PipeError: where the settings can't be kept.
    """
    labels = {OWNER: str(lease.this_process()), INSTANCE: container, SERVER: name}
    mounts = [bind(mount, folder) for mount in server.mounts]
    client.create_container(
        server.image,
        list(server.args) or None,
        name=container,
        user=_USER,
        stdin_open=True,
        environment={"HOME": "/tmp"} | way_out.environment | server.env,  # noqa: S108 - the only folder it can write to
        labels=labels,
        host_config=client.create_host_config(mounts=mounts, **(hardened() | way_out.host)),
        networking_config=way_out.endpoint(client),
    )


def hardened() -> dict[str, Any]:
    """Return what every container of Tidegate's is held to, as arguments of docker-py's ``create_host_config``."""
    return {
        "network_mode": "none",
        "read_only": True,
        "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=16m"},  # noqa: S108 - the container's
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": 128,
        "mem_limit": _MEMORY,
        "memswap_limit": _MEMORY,  # the same: no swap
        "nano_cpus": 1_000_000_000,
        "init": True,
        "ipc_mode": "private",
        "shm_size": _MEBIBYTE,
        "ulimits": [Ulimit(name="nofile", soft=1024, hard=1024), Ulimit(name="core", soft=0, hard=0)],
        "oom_score_adj": 500,
        "log_config": LogConfig(type=LogConfig.types.NONE),  # others copy all a server says to the disk
        "auto_remove": True,
    }
