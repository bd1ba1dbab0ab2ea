"""What a server's container is created with: hardened, whatever its settings don't loosen in so many words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docker.types import LogConfig, Ulimit
from docker.utils import version_gte

from tidegate.containers import hardening, lease, users
from tidegate.containers.engine import OWNER
from tidegate.containers.mounts import bind
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from pathlib import Path

    from docker import APIClient

    from tidegate.settings import ServerSettings

INSTANCE, SERVER = "io.tidegate.instance", "io.tidegate.server"
"""The labels that name a container's instance, and its server in the settings."""


def create(client: APIClient, container: str, name: str, server: ServerSettings, folder: Path) -> None:
    """Create a server's container.

    Args:
        client: the engine.
        container: what to call it.
        name: the server's name in the settings.
        server: its settings.
        folder: where the relative paths of mounts start from.

    Raises:
        PipeError: where the settings can't be kept.
    """
    if server.runtime is not None and server.runtime not in client.info().get("Runtimes", {}):
        raise PipeError(f"{name} can't be started: the engine hasn't got the runtime {server.runtime}.")
    image: dict[str, Any] = client.inspect_image(server.image)  # type: ignore[no-untyped-call] # of no annotations
    labels = {OWNER: str(lease.this_process()), INSTANCE: container, SERVER: name}
    try:
        user = users.resolve(client, server.user, image["Id"], labels)
    except PipeError as error:
        raise PipeError(f"{name} can't be started: {error}.") from None
    mounts = [bind(mount, folder) for mount in server.mounts]
    client.create_container(
        server.image,
        list(server.args) or None,
        name=container,
        user=user,
        working_dir=server.workdir,
        stdin_open=True,
        environment={"HOME": "/tmp"} | server.env,  # noqa: S108 - the only folder it can write to
        labels=labels,
        healthcheck={"test": ["NONE"]},  # the image's would run beside the server; its answers tell how it is
        host_config=client.create_host_config(
            mounts=mounts,
            ulimits=[Ulimit(name="nofile", soft=1024, hard=1024), Ulimit(name="core", soft=0, hard=0)],
            log_config=LogConfig(type=LogConfig.types.NONE),  # others copy all a server says to the disk
            cgroupns="private" if version_gte(client.api_version, "1.41") else None,
            **hardening.arguments(server, user, image["Config"].get("Volumes") or {}),
        ),
    )
