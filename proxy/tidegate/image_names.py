"""Names of container images, taken apart: registry, repository, tag and digest; or an image id."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidegate.settings_types import is_loopback

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
"""A digest, or an image id, in full."""

HUB = "docker.io"
"""The registry of names that name none."""

_HUB_NAMES = ("index.docker.io", "registry-1.docker.io")
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LONGEST = 255
_ODD = re.compile("[0-9a-f]{64}|sha256:.*", re.DOTALL)  # ids that are cut or bare, and would be read as repositories


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image's name.

    Attributes:
        registry: its registry, ``docker.io`` where the name says none; ``""`` for an image id.
        path: its repository in the registry, such as ``library/python``; ``""`` for an image id.
        tag: its tag, if it says one.
        digest: its digest, if it says one.
        id: the image id, where it's one.
    """

    registry: str
    path: str
    tag: str | None = None
    digest: str | None = None
    id: str | None = None

    @property
    def pinned(self) -> bool:
        """Whether it can only ever mean one content."""
        return self.digest is not None or self.id is not None

    @property
    def repository(self) -> str:
        """Registry and repository, as globs of the settings match them."""
        return f"{self.registry}/{self.path}" if self.registry else ""

    @property
    def is_local(self) -> bool:
        """Whether its registry is on this machine, so that it is spoken to without TLS."""
        host, _, port = self.registry.rpartition(":")
        return is_loopback((host if port.isdigit() else self.registry).strip("[]"))

    @property
    def asked(self) -> str:
        """What to ask the engine for."""
        if self.id is not None:
            return self.id
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag or 'latest'}"


def parse(text: str) -> ImageName:
    """Take an image's name apart.

    Raises:
        ValueError: where it is none; the text of the error is a sentence.
    """
    if DIGEST.fullmatch(text):
        return ImageName("", "", id=text)
    rest, at, digest = text.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise ValueError("a digest is sha256: and 64 lower-case hexadecimal digits")
    tag = None
    head, colon, last = rest.rpartition(":")
    if colon and "/" not in last:
        rest, tag = head, last
    registry, path = _split(rest)
    fits = _REGISTRY.fullmatch(registry) and _PATH.fullmatch(path) and (tag is None or _TAG.fullmatch(tag))
    if not fits or len(registry) + len(path) >= _LONGEST or _ODD.fullmatch(text):
        raise ValueError("image names no container image")
    return ImageName(registry, path, tag, digest or None)


def _split(name: str) -> tuple[str, str]:
    """Return registry and path of a name without tag and digest."""
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = HUB, name
    first = first.lower()
    if first in _HUB_NAMES:
        first = HUB
    if first == HUB and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest
