"""Has the engine get images, and finds the digests of those it has; for the commands, never for a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.containers.engine import Refused
from tidegate.containers.trust import image_id, inspect, repo_digests
from tidegate.ends.pipe import PipeError
from tidegate.image_names import DIGEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import APIClient

    from tidegate.containers.engine import Engine
    from tidegate.image_names import ImageName

    Progress = Callable[[int, int], None]

_SILENCE = 600  # seconds: an engine says nothing while it unpacks
_DIGEST = "Digest: "


async def has(engine: Engine, image: ImageName) -> bool:
    """Whether the engine has an image.

    Raises:
        PipeError: where it can't be asked.
    """
    try:
        await engine.starting(lambda client: inspect(client, image))
    except Refused as refusal:
        if refusal.status == 404:
            return False
        raise
    return True


async def pull(engine: Engine, image: ImageName, progress: Progress) -> str | None:
    """Have the engine get an image; return the digest that it says it got.

    Args:
        engine: the engine.
        image: the image, by tag or digest.
        progress: told how many bytes are there, and of how many; from another thread.

    Raises:
        PipeError: where it can't be had.
    """
    try:
        return await engine.starting(lambda client: _pull(client, image, progress))
    except Refused as refusal:
        raise PipeError(f"The engine can't get {image.asked}: {refusal.told}.") from None


async def digest_of(engine: Engine, image: ImageName, told: str | None) -> tuple[str, bool]:
    """Return the digest of an image that the engine has, and true; its image id and false where it's from no registry.

    Args:
        engine: the engine.
        image: the image, by its tag.
        told: the digest that a pull just told, if there was one; it is chosen where several are known.

    Raises:
        TrustError: where the engine doesn't say what it is.
        PipeError: where the engine can't be asked, or doesn't have it.
    """
    inspected = await engine.starting(lambda client: inspect(client, image))
    digests = repo_digests(inspected, image)
    if told is not None and told in digests:
        return told, True
    return (digests[0], True) if digests else (image_id(inspected), False)


def _pull(client: APIClient, image: ImageName, progress: Progress) -> str | None:
    client.timeout = _SILENCE
    layers: dict[str, tuple[int, int]] = {}
    found = None
    said: Any
    for said in client.pull(image.repository, image.digest or image.tag or "latest", stream=True, decode=True):
        if "error" in said:
            lines = str(said["error"]).strip().splitlines() or ["no reason given"]
            raise PipeError(f"The engine can't get {image.asked}: {lines[0][:300].rstrip('. ')}.")
        status, detail = str(said.get("status", "")), said.get("progressDetail") or {}
        if status == "Downloading" and detail.get("total"):
            layers[said["id"]] = (detail["current"], detail["total"])
        elif status == "Download complete" and said.get("id") in layers:
            layers[said["id"]] = (layers[said["id"]][1],) * 2
        elif status.startswith(_DIGEST) and DIGEST.fullmatch(status.removeprefix(_DIGEST)):
            found = status.removeprefix(_DIGEST)
        progress(sum(done for done, _ in layers.values()), sum(total for _, total in layers.values()))
    return found
