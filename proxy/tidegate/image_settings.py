"""``[[images]]``: whose signatures images must carry."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from tidegate.settings_types import Flag, Model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.image_names import ImageName
    from tidegate.server_settings import ServerSettings

EVERY = "*"
"""The glob of all images, those that are named by an image id included."""

_REGISTRY = re.compile(r"[^/]*[.:][^/]*|localhost|\*")


class Keyless(Model):
    """``keyless``: a signature by who could log in as somebody, in place of by who has a key."""

    identity: str = Field(description="Who signed: an e-mail address, or the URL of a workflow, exactly.")
    issuer: str = Field(description="Who vouches for that: the URL of the OpenID Connect issuer, exactly.")
    trusted_root: str | None = Field(
        None, description="The JSON file of a Sigstore trusted root; by default that of the public Sigstore is fetched."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.identity or not self.issuer.startswith("https://"):
            raise ValueError("keyless has an identity, and an issuer that starts with https://")
        return self


class ImagePolicy(Model):
    """One ``[[images]]`` entry. The first whose glob matches an image says what is asked of it."""

    match: str = Field(
        description="Glob of registry and repository, without tag or digest: `ghcr.io/acme/*`, "
        "`docker.io/library/python`; `*` alone is every image, named by an image id too."
    )
    cosign_key: str | None = Field(
        None, description="The file of the public key that signed it with cosign, PEM: ECDSA, Ed25519 or RSA."
    )
    keyless: Keyless | None = Field(None, description="Who signed it without a key; needs the extra `sigstore`.")
    unsigned: Flag = Field(default=False, description="Whether no signature is asked for.")
    signed_as: str | None = Field(
        None,
        description="The repository that the signature names, where it is another, as in mirrors; a glob like `match`.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.cosign_key is not None) + (self.keyless is not None) + self.unsigned != 1:
            raise ValueError("an entry has exactly one of cosign_key, keyless and unsigned = true")
        for glob in (self.match, self.signed_as):
            if glob is not None and glob != EVERY and not ("/" in glob and _REGISTRY.fullmatch(glob.partition("/")[0])):
                raise ValueError(f"{glob!r} doesn't begin with a registry, as docker.io/library/* does")
        if self.cosign_key == "":
            raise ValueError("cosign_key names a file")
        if self.signed_as is not None and self.cosign_key is None:
            raise ValueError("signed_as has no meaning without cosign_key")
        return self


def matches(glob: str, repository: str) -> bool:
    """Whether a glob means a repository; its registry is matched by itself, so that no ``*`` there reaches further."""
    if glob == EVERY:
        return True
    registry, _, path = repository.partition("/")
    wanted, _, below = glob.partition("/")
    return bool(registry) and fnmatchcase(registry, wanted) and fnmatchcase(path, below)


def policy_for(image: ImageName, policies: Iterable[ImagePolicy]) -> ImagePolicy | None:
    """Return the first entry that matches an image, if any does."""
    return next((entry for entry in policies if matches(entry.match, image.repository)), None)


def loosened(server: ServerSettings) -> list[str]:
    """Return a sentence where a server's image isn't pinned."""
    if server.pull == "tag-ok":
        return [f"its image is whatever the tag {server.image} means at a start (pull)"]
    return []
