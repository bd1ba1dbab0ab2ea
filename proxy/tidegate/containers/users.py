"""Who a user is that settings call by a name: the image's own list of users tells."""

from __future__ import annotations

import io
import re
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LIST = "/etc/passwd"
"""Where images have that list."""

_MOST_BYTES = 1 << 20
_NOT_ROOT = re.compile(r"[1-9][0-9]{0,9}")


def is_name(user: str) -> bool:
    """Whether a user is given by a name other than root's."""
    return not user[0].isdigit() and user != "root"


def may_be_root(user: str, archive: Iterable[bytes]) -> bool | None:
    """Return whether a user is root, or can't be shown not to be; None where there is no such user.

    Engines take an id that isn't a number for 0, and so does this.

    Args:
        user: the name.
        archive: the list of users, as a tar archive with one file.
    """
    text = _content(archive)
    if text is None:
        return None
    found = [line.strip().split(":") for line in text.split("\n")]
    ids = [fields[2] if len(fields) > 2 else "" for fields in found if fields[0] == user]
    if not ids:
        return None
    return not all(_NOT_ROOT.fullmatch(uid) for uid in ids)


def _content(archive: Iterable[bytes]) -> str | None:
    """Return the one file's text; None where it is none, or too long to be what it should."""
    packed = bytearray()
    for chunk in archive:
        packed += chunk
        if len(packed) > _MOST_BYTES:
            return None
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            members = tar.getmembers()
            if len(members) != 1 or not members[0].isreg():
                return None
            file = tar.extractfile(members[0])
            return file.read().decode("utf-8", "replace") if file is not None else None
    except tarfile.TarError:
        return None
