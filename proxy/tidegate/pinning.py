"""Puts digests in the place of tags in a settings file, and leaves the rest of its text as it is."""

from __future__ import annotations

import os
import tempfile
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from tidegate import image_names
from tidegate.settings_types import SettingsError

_TAG_OK = "tag-ok"
_MARK = "\ufeff"  # what some editors put at the beginning of a file


@dataclass(frozen=True, slots=True)
class Change:
    """What changes about one server.

    Attributes:
        before: its image.
        after: its image from now on, pinned.
        loosened: whether it says ``pull = "tag-ok"``, which goes.
    """

    before: str
    after: str
    loosened: bool


@dataclass(frozen=True, slots=True)
class Named:
    """An image as a settings file names it."""

    text: str
    image: image_names.ImageName
    loosened: bool


def images_of(text: str, source: str) -> dict[str, Named]:
    """Return the images of the servers in a settings file, whatever else there is to say about it.

    Raises:
        SettingsError: where it isn't TOML, or an image's name is none.
    """
    servers = _tree(text, source).get("servers")
    out = {}
    for name, server in servers.items() if isinstance(servers, dict) else ():
        image = server.get("image") if isinstance(server, dict) else None
        if not isinstance(image, str):
            continue
        try:
            parsed = image_names.parse(image)
        except ValueError as error:
            raise SettingsError(f"{source}: servers.{name}: {error}") from None
        out[name] = Named(image, parsed, server.get("pull") == _TAG_OK)
    return out


def pinned(named: Named, digest: str) -> str:
    """Return the name of an image with a digest; its tag stays, for people and for the next update."""
    text = named.text.partition("@")[0]
    if named.image.tag is None and named.image.digest is None:
        text += ":latest"
    return f"{text}@{digest}"


def rewritten(text: str, changes: dict[str, Change], source: str) -> str:
    """Return a settings file's text with changes to its servers.

    Raises:
        SettingsError: where it is written in a way that can't be changed for certain.
    """
    wanted = _tree(text, source)
    try:
        document: Any = tomlkit.parse(text.removeprefix(_MARK))
        for name, change in changes.items():
            server = document["servers"][name]
            server["image"] = change.after
            item = server["image"]
            if isinstance(server, Table) and image_names.DIGEST.fullmatch(change.after) and not item.trivia.comment:
                item.comment(change.before)  # else nobody would know which image that was
            wanted["servers"][name]["image"] = change.after
            if change.loosened:
                del server["pull"]
                del wanted["servers"][name]["pull"]
        made: str = tomlkit.dumps(document)
        well = tomllib.loads(made) == wanted
    except (TOMLKitError, ValueError, LookupError, TypeError):
        well = False
    if not well:
        raise SettingsError(f"{source}: can't be changed without losing something: write the digests there yourself")
    return _MARK + made if text.startswith(_MARK) else made


def write(path: Path, text: str) -> Path:
    """Replace a settings file at once, by one with the same mode and owner; return where the old one is kept.

    Raises:
        OSError: where that can't be done; then the file is as it was.
    """
    path = path.resolve()  # a link stays one
    backup = path.with_name(f"{path.name}.bak")
    _put(backup, path.read_bytes(), path.stat())
    _put(path, text.encode(), path.stat())
    return backup


def _put(path: Path, data: bytes, like: os.stat_result) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            with suppress(PermissionError):  # only the owner and root may
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), like.st_mode & 0o7777)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 - beside the pathlib call above, which has taken it away if all went well
        raise


def _tree(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.removeprefix(_MARK))
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{source}: not TOML: {error}") from None
