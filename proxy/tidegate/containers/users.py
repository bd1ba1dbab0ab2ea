"""Who a container's processes are: users that settings call by name are looked up in the image's own list of users."""

from __future__ import annotations

import io
import re
import tarfile
from typing import TYPE_CHECKING

from docker.errors import NotFound

from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from docker import APIClient

NOBODY = "65534:65534"  # on all the usual systems
_ROOT = "0:0"
_LIST = "/etc/passwd"
_MOST_BYTES = 1 << 20
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")

_known: dict[tuple[str, str], str] = {}  # by image id and name, which say for good who it is


def resolve(client: APIClient, user: str | None, image: str, labels: dict[str, str]) -> str:
    """Return who a user is, as ``UID:GID`` in numbers.

    Engines look names up themselves, but take an id that isn't a number for 0, and add groups.

    Args:
        client: the engine.
        user: the user as the settings call it.
        image: the id of the image it is one of.
        labels: of the container that is created, and never started, to read the image's list.

    Raises:
        PipeError: where the image has no such user, or it is root and wasn't called so. The text is a clause.
    """
    if user is None:
        return NOBODY
    if user == "root":
        return _ROOT
    if user[0].isdigit():
        return user
    if (image, user) not in _known:
        ids = find(user, _list_of(client, image, labels))
        if ids is None:
            raise PipeError(f"the image has no user {user}")
        if ids[0] == "0":
            raise PipeError(f'the image\'s user {user} is root, which is to be called so: user = "root"')
        _known[image, user] = ":".join(ids)
    return _known[image, user]


def _list_of(client: APIClient, image: str, labels: dict[str, str]) -> bytes:
    host_config = client.create_host_config(network_mode="none")
    made: str = client.create_container(image, ["-"], labels=labels, host_config=host_config)["Id"]
    try:
        return content(client.get_archive(made, _LIST)[0])
    except NotFound:
        return b""
    finally:
        client.remove_container(made, v=True, force=True)


def content(archive: Iterable[bytes]) -> bytes:
    """Return the text of a tar archive's one file; nothing where it is something else, or too long for a list."""
    packed = bytearray()
    for chunk in archive:
        packed += chunk
        if len(packed) > _MOST_BYTES:
            return b""
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            members = tar.getmembers()
            file = tar.extractfile(members[0]) if len(members) == 1 and members[0].isreg() else None
            return file.read() if file is not None else b""
    except tarfile.TarError:
        return b""


def find(user: str, text: bytes) -> tuple[str, str] | None:
    """Return a user's id and group in a list of users; None where it isn't in it, or not as it should be."""
    for line in text.decode("utf-8", "replace").split("\n"):
        fields = line.split(":")
        if fields[0] == user:
            ids = [*fields, "", ""][2:4]
            return (ids[0], ids[1]) if all(map(_NUMBER.fullmatch, ids)) else None
    return None
