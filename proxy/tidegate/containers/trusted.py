"""What the checks of images share: how they fail, and the limits on what is read for them."""

from __future__ import annotations

import json
from typing import Any

MANIFEST_BYTES = 4 * 1024 * 1024
BLOB_BYTES = 1024 * 1024
"""The most that is read of a manifest, and of a signature or a bundle of them."""

SIGNATURES = 50
"""The most signatures of an image that are looked at."""


class TrustError(Exception):
    """An image can't be trusted, or that can't be found out; the text says why, in half a sentence."""


class Unsigned(TrustError):  # noqa: N818 - it says what the image is
    """There is no signature that counts; with what is wrong with one there is, if there is one."""


def json_object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object that some bytes are, or None where they are none; one with a name twice is none."""
    try:
        found = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def objects(tree: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of a member that is a list of them; what is none is left out."""
    found = tree.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made
