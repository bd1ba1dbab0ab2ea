"""What a server's container is created with: hardened, whatever its settings don't loosen in so many words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docker.types import LogConfig, Ulimit
from docker.utils import version_gte

from tidegate.containers import hardening, lease, users
from tidegate.containers.engine import OWNER
from tidegate.containers.mounts import bind
from tidegate.ends.pipe import PipeError
from tidegate.server_settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from docker import APIClient

    from tidegate.containers.egress import Joined
    from tidegate.containers.secret_delivery import Delivery
    from tidegate.settings import Settings

INSTANCE, SERVER = "io.tidegate.instance", "io.tidegate.server"
"""The labels that name a container's instance, and its server in the settings."""

USER = "65534:65534"
"""Nobody, on all the usual systems."""

_PLAIN = ServerSettings(image=f"sha256:{0:064x}")  # of defaults alone


@dataclass(frozen=True, slots=True)
class Parts:
    """What else a container is created with.

    Attributes:
        secrets: returns how it is given its secrets, where its processes are a user's, ``UID:GID`` in numbers.
        way_out: how its ``egress`` is given to it.
        attached: whether the engine carries its standard input.
    """

    secrets: Callable[[str], Delivery]
    way_out: Joined
    attached: bool = True


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
    if server.runtime is not None and server.runtime not in client.info().get("Runtimes", {}):
        raise PipeError(f"{name} can't be started: the engine hasn't got the runtime {server.runtime}.")
    image: dict[str, Any] = client.inspect_image(server.image)  # type: ignore[no-untyped-call] # of no annotations
    labels = {OWNER: str(lease.this_process()), INSTANCE: container, SERVER: name}
    try:
        user = users.resolve(client, server.user, image["Id"], labels)
    except PipeError as error:
        raise PipeError(f"{name} can't be started: {error}.") from None
    secrets = parts.secrets(user)
    mounts = [bind(mount, settings.folder) for mount in server.mounts] + secrets.mounts
    held_to = hardened(client, server, user, image["Config"].get("Volumes") or {}) | parts.way_out.host
    held_to["tmpfs"] |= secrets.tmpfs
    environment = {"HOME": "/tmp"} | parts.way_out.environment | server.env  # noqa: S108 - the only folder it can write to
    client.create_container(
        server.image,
        secrets.command or list(server.args) or None,
        entrypoint=secrets.entrypoint,
        name=container,
        user=user,
        working_dir=server.workdir,
        stdin_open=parts.attached,
        environment=environment | secrets.environment,
        labels=labels,
        healthcheck={"test": ["NONE"]},  # the image's would run beside the server; its answers tell how it is
        host_config=client.create_host_config(mounts=mounts, **held_to),
        networking_config=parts.way_out.endpoint(client),
    )


def hardened(
    client: APIClient, server: ServerSettings = _PLAIN, user: str = USER, volumes: Iterable[str] = ()
) -> dict[str, Any]:
    """Return what a container is held to, as arguments of docker-py's ``create_host_config``.

    Args:
        client: the engine.
        server: the settings of its server; those of a container that is no server's are the defaults.
        user: who its processes are, ``UID:GID`` in numbers.
        volumes: the paths that its image declares as volumes.
    """
    return {
        "ulimits": [Ulimit(name="nofile", soft=1024, hard=1024), Ulimit(name="core", soft=0, hard=0)],
        "log_config": LogConfig(type=LogConfig.types.NONE),  # others copy all a server says to the disk
        "cgroupns": "private" if version_gte(client.api_version, "1.41") else None,
        **hardening.arguments(server, user, volumes),
    }
