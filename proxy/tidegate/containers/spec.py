"""What a server's container is created with: hardened, whatever its settings don't loosen in so many words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docker.types import LogConfig, Ulimit

from tidegate.containers import lease
from tidegate.containers.engine import OWNER
from tidegate.containers.mounts import bind

if TYPE_CHECKING:
    from docker import APIClient

    from tidegate.containers.egress import Joined
    from tidegate.containers.secret_delivery import Delivery
    from tidegate.settings import ServerSettings, Settings

INSTANCE, SERVER = "io.tidegate.instance", "io.tidegate.server"
"""The labels that name a container's instance, and its server in the settings."""

_MEBIBYTE = 1024 * 1024
_MEMORY = 256 * _MEBIBYTE
USER = "65534:65534"  # nobody, on all the usual systems


@dataclass(frozen=True, slots=True)
class Parts:
    """What else a container is created with.

    Attributes:
        secrets: how it is given its secrets.
        way_out: how its ``egress`` is given to it.
    """

    secrets: Delivery
    way_out: Joined


def create(
    client: APIClient, container: str, name: str, server: ServerSettings, settings: Settings, parts: Parts
) -> None:
    """Create a server's container.

    Args:
        client: the engine.
        container: what to call it.
        name: the server's name in the settings.
        server: its settings.
        settings: all settings; relative paths of mounts start from their folder.
        parts: what else it is created with.

    Raises:
        PipeError: where the settings can't be kept.
    """
    labels = {OWNER: str(lease.this_process()), INSTANCE: container, SERVER: name}
    mounts = [bind(mount, settings.folder) for mount in server.mounts] + parts.secrets.mounts
    held_to = hardened() | parts.way_out.host
    held_to["tmpfs"] |= parts.secrets.tmpfs
    environment = {"HOME": "/tmp"} | parts.way_out.environment | server.env  # noqa: S108 - the only folder it can write to
    client.create_container(
        server.image,
        parts.secrets.command or list(server.args) or None,
        entrypoint=parts.secrets.entrypoint,
        name=container,
        user=USER,
        stdin_open=True,
        environment=environment | parts.secrets.environment,
        labels=labels,
        host_config=client.create_host_config(mounts=mounts, **held_to),
        networking_config=parts.way_out.endpoint(client),
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
