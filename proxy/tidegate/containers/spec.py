"""What a server's container is created with: hardened, whatever its settings don't loosen in so many words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docker.errors import NotFound
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
    volumes = image["Config"].get("Volumes") or {}
    labels = {OWNER: str(lease.this_process()), INSTANCE: container, SERVER: name}
    mounts = [bind(mount, folder) for mount in server.mounts]
    client.create_container(
        server.image,
        list(server.args) or None,
        name=container,
        user=server.user or hardening.NOBODY,
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
            **hardening.arguments(server, volumes),
        ),
    )
    if server.user is not None and users.is_name(server.user):
        _check_user(client, container, name, server.user)


def _check_user(client: APIClient, container: str, name: str, user: str) -> None:
    """See that a user's name isn't one of root's: root is what the settings call so.

    Raises:
        PipeError: where it is, or where that can't be told.
    """
    try:
        chunks, _ = client.get_archive(container, users.LIST)
        root = users.may_be_root(user, chunks)
    except NotFound:
        root = None
    if root is None:
        raise PipeError(f"{name} can't be started: the image has no user {user}.")
    if root:
        raise PipeError(f"{name} can't be started: the image's user {user} is root; say user = \"root\" if it may be.")
