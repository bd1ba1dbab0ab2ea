"""Whether a server's image may be started: it is what the settings pin, and signed by whom they say.

Containers are created from the id that was looked at here, so nothing can change in between.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from tidegate import image_names
from tidegate.containers.engine import Refused
from tidegate.containers.trusted import TrustError, Unsigned, objects
from tidegate.image_settings import policy_for

if TYPE_CHECKING:
    from pathlib import Path

    from docker import APIClient

    from tidegate.containers.cosign import Signer
    from tidegate.containers.engine import Engine
    from tidegate.containers.registry import Registry
    from tidegate.image_names import ImageName
    from tidegate.settings import ImagePolicy, ServerSettings, Settings

_SECONDS = 30.0  # for all that is asked of a registry about one image
_PLATFORMS = 40  # of one image that are looked at
_KEY_BYTES = 64 * 1024
_KEPT = 1000  # verdicts
_HEX = re.compile("[0-9a-f]{64}")


def missing(server: ServerSettings) -> str:
    """Return what to do where the engine lacks a server's image."""
    if image_names.parse(str(server.image)).id is not None:
        return f"the engine doesn't have its image {server.image}: build or load it"
    return f"get its image with docker pull {server.image}"


def repo_digests(inspected: dict[str, Any], image: ImageName) -> list[str]:
    """Return the digests under which the engine knows an image in its repository."""
    found = []
    for text in inspected.get("RepoDigests") or ():
        try:
            known = image_names.parse(text)
        except ValueError:
            continue
        if known.repository == image.repository and known.digest is not None:
            found.append(known.digest)
    return found


def inspect(client: APIClient, image: ImageName) -> dict[str, Any]:
    """Return what the engine says about an image."""
    # types-docker has no types for it
    return dict(client.inspect_image(image.asked))  # type: ignore[no-untyped-call]


def image_id(inspected: dict[str, Any]) -> str:
    """Return an image's id.

    Raises:
        TrustError: where the engine says none.
    """
    found = str(inspected.get("Id"))
    found = f"sha256:{found}" if _HEX.fullmatch(found) else found  # as Podman has it
    if not image_names.DIGEST.fullmatch(found):
        raise TrustError("the engine doesn't say its id")
    return found


class Trust:
    """Looks at images before they are started, and remembers which were signed.

    Args:
        engine: where they are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._verified: dict[tuple[object, ...], asyncio.Task[None]] = {}

    async def admit(self, server: ServerSettings, settings: Settings) -> str:
        """Return the id of the image that a server's container may be created from.

        Raises:
            TrustError: where it may not.
            Refused: with status 404, where the engine doesn't have the image.
            PipeError: where the engine can't be asked.
        """
        image = image_names.parse(str(server.image))
        inspected = await self._inspected(image)
        found = image_id(inspected)
        digests = repo_digests(inspected, image)
        if image.id is not None and found != image.id:
            raise TrustError("the engine has another image under that id")
        if image.digest is not None:
            if image.digest not in digests:
                raise TrustError("the engine has another image under that digest")
            digests = [image.digest]
        await self._check_policy(image, digests, found, settings)
        return found

    async def look(self, server: ServerSettings, settings: Settings) -> dict[str, Any]:
        """Return what there is to say about a server's image, as ``check`` shows it.

        Raises:
            PipeError: where the engine can't be asked.
        """
        image = image_names.parse(str(server.image))
        policy = policy_for(image, settings.images)
        asked = bool(settings.images) and not (policy is not None and policy.unsigned)
        said: dict[str, Any] = {
            "image": server.image,
            "pinned": image.pinned,
            "present": True,
            "signed": True if asked else None,
            "detail": "",
        }
        try:
            await self.admit(server, settings)
        except Refused as refusal:
            if refusal.status != 404:
                raise
            said |= {"present": False, "signed": None, "detail": missing(server)}
        except TrustError as error:
            said |= {"signed": False if asked else None, "detail": str(error)}
        return said

    async def _inspected(self, image: ImageName) -> dict[str, Any]:
        return await self._engine.starting(lambda client: inspect(client, image))

    async def _check_policy(self, image: ImageName, digests: list[str], found: str, settings: Settings) -> None:
        """See that an image is what ``[[images]]`` asks for; where there are entries, one must match.

        Raises:
            TrustError: where it isn't.
        """
        if not settings.images:
            return
        policy = policy_for(image, settings.images)
        if policy is None:
            raise TrustError("no [[images]] entry of the settings matches it")
        if policy.unsigned:
            return
        if image.id is not None:
            raise TrustError("a signature is asked for, and an image id doesn't say in which registry to look for it")
        if not digests:
            raise TrustError("a signature is asked for, and the engine has it from no registry")
        pem = await asyncio.to_thread(_read_key, settings.folder, policy.cosign_key) if policy.cosign_key else b""
        key = (image.repository, *digests, found, policy.model_dump_json(), pem, settings.folder)
        task = self._verified.get(key)
        if task is None:
            if len(self._verified) >= _KEPT:
                self._verified.clear()
            work = _verify(image, digests, found, (policy, pem), settings.folder)
            task = self._verified[key] = asyncio.create_task(work, name="signature check")
            task.add_done_callback(lambda done: self._done(key, done))
        await asyncio.shield(task)

    def _done(self, key: tuple[object, ...], task: asyncio.Task[None]) -> None:
        """Keep a good verdict only: what failed may be well when it's asked again."""
        if (task.cancelled() or task.exception() is not None) and self._verified.get(key) is task:
            del self._verified[key]


def _read_key(folder: Path, name: str) -> bytes:
    try:
        with (folder / name).open("rb") as file:
            return file.read(_KEY_BYTES)
    except OSError as error:
        raise TrustError(f"the key file {name} can't be read: {error.strerror}") from None


def _signer(policy: ImagePolicy, pem: bytes, folder: Path) -> Signer:
    """Return who is to have signed."""
    if policy.keyless is not None:
        from tidegate.containers.keyless import Login  # noqa: PLC0415 - an extra, and seconds to import

        return Login(policy.keyless, folder)

    from tidegate.containers.cosign import Key  # noqa: PLC0415 - only where signatures are asked for

    try:
        return Key(pem)
    except TrustError as error:
        raise TrustError(f"the key file {policy.cosign_key} {error}") from None


async def _verify(
    image: ImageName, digests: list[str], found: str, wanted: tuple[ImagePolicy, bytes], folder: Path
) -> None:
    """See that one of an image's digests is signed, or what it holds for this platform.

    Raises:
        TrustError: where none is, or that can't be found out.
    """
    from tidegate.containers import cosign  # noqa: PLC0415 - only where signatures are asked for
    from tidegate.containers.registry import Registry  # noqa: PLC0415 - the same

    policy, pem = wanted
    first: Unsigned | None = None
    try:
        async with asyncio.timeout(_SECONDS), Registry(image) as registry:
            signer = await asyncio.to_thread(_signer, policy, pem, folder)
            for digest in digests:
                for part in (digest, None):
                    signed = part or await _part(registry, digest, found)
                    if signed is None:
                        continue
                    try:
                        await cosign.check(registry, image, signed, signer, policy.signed_as)
                    except Unsigned as error:
                        first = first or error
                    else:
                        return
    except TimeoutError:
        raise TrustError(f"the registry {image.registry} doesn't answer in time") from None
    raise first or Unsigned("it has no signature")


async def _part(registry: Registry, digest: str, found: str) -> str | None:
    """Return the manifest, in an index of several platforms', that the engine's image is of; None where there is none.

    Args:
        registry: the image's repository.
        digest: the digest that may be an index's.
        found: the image's id: the digest of its configuration, or, in newer engines, of its manifest.
    """
    index = await registry.manifest(digest)
    parts = [str(part.get("digest")) for part in objects(index[1], "manifests")[:_PLATFORMS]] if index else []
    if found in parts:
        return found
    for part in parts:
        manifest = await registry.manifest(part) if image_names.DIGEST.fullmatch(part) else None
        config = manifest[1].get("config") if manifest is not None else None
        if isinstance(config, dict) and config.get("digest") == found:
            return part
    return None
