"""How a container is given its secrets, so that the engine never knows them: not in what it shows, nor on its disk.

Where the image has a shell, the container starts with a few lines of it, which read the values from standard input,
before anything else comes there. They write them to files in memory, or put them into the environment, and become the
image's own program. Nothing of it needs a file of this machine, so the engine may be anywhere.

Where there is no shell, files in this machine's memory are mounted, and unlinked once the container runs. That works
where the engine sees this machine's files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from docker.types import Mount
from requests import codes

from tidegate.containers import lease
from tidegate.containers.engine import OWNER
from tidegate.ends.pipe import PipeError
from tidegate.secret_stores.memory import MemoryFiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import APIClient

    from tidegate.secret_stores.base import Secret
    from tidegate.server_settings import ServerSettings

SHELL = "/bin/sh"
FOLDER = "/run/secrets"
REFUSED = 78  # the exit code of the shell's lines where they can't do their work (sysexits.h, EX_CONFIG)

_HELD = "tidegate_value"
_BEGIN = f"""set -f
unset {_HELD} || exit {REFUSED}
case $(command -v printf) in printf) ;; *) exit {REFUSED} ;; esac
tidegate_umask=$(umask)
umask 077
"""  # where printf is no builtin, its arguments would be seen in the list of processes
_READ = f"IFS= read -r {_HELD} || exit {REFUSED}\n"
_END = f"""umask "$tidegate_umask"
unset {_HELD} tidegate_umask
exec "$@"
"""


@dataclass(frozen=True)
class Image:
    """What is known of an image.

    Attributes:
        entrypoint: its own.
        command: its own.
        shell: whether it has :data:`SHELL`.
    """

    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    shell: bool

    @classmethod
    def of(cls, inspected: Mapping[str, Any], *, shell: bool) -> Image:
        """Return what the engine's ``inspect`` of an image says."""
        config = inspected.get("Config") or {}
        return cls(tuple(config.get("Entrypoint") or ()), tuple(config.get("Cmd") or ()), shell)


@dataclass(frozen=True)
class Delivery:
    """What to do for a container's secrets.

    Attributes:
        entrypoint: of the container; the image's own where it's None.
        command: of the container, in place of the settings' arguments; those, where it's None.
        environment: more variables.
        tmpfs: more folders in memory.
        mounts: more mounts.
        preface: what to write to its standard input before everything else, and before it starts.
        files: to be made before the container, and removed once it has started, or couldn't be.
    """

    entrypoint: list[str] | None = None
    command: list[str] | None = None
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    tmpfs: dict[str, str] = field(default_factory=dict)
    mounts: list[Mount] = field(default_factory=list)
    preface: bytes = field(default=b"", repr=False)
    files: MemoryFiles | None = None


def deliver(
    client: APIClient, container: str, server: ServerSettings, secrets: Mapping[str, Secret], user: str
) -> Delivery:
    """Return what to do for a container's secrets; files that it has are made by now. In a thread.

    Args:
        client: the engine.
        container: what the container will be called, for one that is never started.
        server: its server's settings.
        secrets: its secrets, by the names of variables.
        user: whom it runs as, ``UID`` or ``UID:GID``.

    Raises:
        PipeError: where there is no way that keeps them secret.
    """
    if not secrets:
        return Delivery()
    inspected: dict[str, Any] = client.inspect_image(server.image)  # type: ignore[no-untyped-call]  # docker-py's stubs
    shell = server.delivery != "plain-env" and has_shell(client, inspected["Id"], container)
    return prepare(server, secrets, Image.of(inspected, shell=shell), user)


_shells: dict[str, bool] = {}  # by image id, which means the same files for ever


def known_shell(image: str) -> bool | None:
    """Return whether an image, by its id, has a shell; None where nobody has looked yet."""
    return _shells.get(image)


def look_for_shell(client: APIClient, image: str, container: str) -> bool:
    """Whether an image has a shell, as a container shows that was made of it and doesn't run."""
    # docker-py would have the whole file sent, which takes ten times as long.
    url = f"{client.base_url}/v{client.api_version}/containers/{container}/archive"
    answer = client.head(url, params={"path": SHELL}, timeout=client.timeout)
    if answer.status_code != codes.not_found:
        answer.raise_for_status()
    _shells[image] = answer.status_code == codes.ok
    return _shells[image]


def has_shell(client: APIClient, image: str, container: str) -> bool:
    """Whether an image has a shell; looked for in a container that is made for it and never started."""
    known = known_shell(image)
    if known is not None:
        return known
    labels = {OWNER: str(lease.this_process())}
    host = client.create_host_config(network_mode="none")
    client.create_container(image, ["-"], name=container, labels=labels, host_config=host)
    try:
        return look_for_shell(client, image, container)
    finally:
        client.remove_container(container, force=True, v=True)


def prepare(
    server: ServerSettings, secrets: Mapping[str, Secret], image: Image, user: str, *, name: str = "The server"
) -> Delivery:
    """Return what to do; files that it has are made by now.

    Args:
        server: the server's settings.
        secrets: its secrets, by the names of variables.
        image: its image.
        user: whom it runs as, ``UID`` or ``UID:GID``.
        name: what to call it in errors.

    Raises:
        PipeError: where there is no way that keeps them secret.
    """
    how = server.delivery
    if not secrets:
        return Delivery()
    if how == "plain-env":
        return Delivery(environment={variable: value.reveal() for variable, value in secrets.items()})
    if image.shell:
        return _through_shell(server, secrets, image, user)
    if how == "env":
        raise PipeError(
            f"{name} can't be started: its image has no {SHELL}, so variables would be seen in docker inspect; "
            'say secrets_as = "file", or "plain-env" if that may be.'
        )
    return _mounted(secrets, user)


def program(server: ServerSettings, image: Image) -> list[str]:
    """Return what a container runs, with its arguments.

    Raises:
        PipeError: where nobody says that.
    """
    found = [*image.entrypoint, *(server.args or image.command)]
    if not found:
        raise PipeError(f"The image {server.image} says no program to run, so args must.")
    return found


def _through_shell(server: ServerSettings, secrets: Mapping[str, Secret], image: Image, user: str) -> Delivery:
    files = server.delivery == "file"
    lines = [_READ + (_to_file(name) if files else _to_environment(name)) for name in secrets]
    script = _BEGIN + "".join(lines) + _END
    return Delivery(
        entrypoint=[SHELL, "-c", script, "tidegate"],
        command=program(server, image),
        tmpfs={FOLDER: _tmpfs(user)} if files else {},
        preface=b"".join(spelled(value) for value in secrets.values()),
    )


def _to_file(name: str) -> str:
    place = f"{FOLDER}/{name}"
    return f'printf %b "${_HELD}" > {place} || exit {REFUSED}\nexport {name}_FILE={place}\n'


def _to_environment(name: str) -> str:
    """Return the lines for one variable; a substitution loses line ends at its end, so there is a full stop."""
    return f'{_HELD}=$(printf %b. "${_HELD}") || exit {REFUSED}\nexport {name}="${{{_HELD}%.}}"\n'


def _mounted(secrets: Mapping[str, Secret], user: str) -> Delivery:
    uid, _, gid = user.partition(":")
    owner = (int(uid), int(gid) if gid.isdigit() else int(uid)) if uid.isdigit() else None
    files = MemoryFiles(secrets, owner or (-1, -1))
    files.make()
    return Delivery(
        environment={f"{name}_FILE": f"{FOLDER}/{name}" for name in secrets},
        mounts=[Mount(f"{FOLDER}/{name}", str(files.folder / name), type="bind", read_only=True) for name in secrets],
        files=files,
    )


def _tmpfs(user: str) -> str:
    uid, _, gid = user.partition(":")
    owned = "rw,noexec,nosuid,nodev,size=8m,"
    if uid.isdigit():
        return f"{owned}mode=0700,uid={uid}" + (f",gid={gid}" if gid.isdigit() else "")
    return f"{owned}mode=1777"  # the files are the user's own all the same


def spelled(value: Secret) -> bytes:
    """Return a value as a line that the shell's ``printf %b`` turns into its bytes: all of them in octal."""
    return "".join(f"\\0{byte:03o}" for byte in value.reveal().encode()).encode() + b"\n"
