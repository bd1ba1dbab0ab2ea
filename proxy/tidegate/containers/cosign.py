"""Signatures that cosign has put beside an image in its registry: those of keys, and Sigstore bundles.

Formats: cosign's SIGNATURE_SPEC ("simple signing", under the tag ``sha256-HEX.sig``), and Sigstore bundles (cosign 3's
default) that refer to the image, each a DSSE envelope around an in-toto statement.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tidegate import image_names
from tidegate.containers.trusted import SIGNATURES, TrustError, Unsigned, json_object, objects
from tidegate.image_settings import matches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tidegate.containers.registry import Registry
    from tidegate.image_names import ImageName

_SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIMPLE_TYPES = ("cosign container image signature", "atomic container signature")
_SIGNATURE = "dev.cosignproject.cosign/signature"
_BUNDLE = "application/vnd.dev.sigstore.bundle"
_EMPTY = "application/vnd.oci.empty.v1+json"  # what cosign 2 calls bundles in an index under a tag
_IN_TOTO = "application/vnd.in-toto+json"
_SIGNED = "https://sigstore.dev/cosign/sign/v1"
"""The predicate of a statement that signs. Attestations have others: they tell of an image, and don't vouch for it."""

_BITS = 2048  # of an RSA key, at the least


class Signer(Protocol):
    """Who is to have signed."""

    def of_payload(self, payload: bytes, signature: bytes) -> bool:
        """Whether it is its signature of a payload ("simple signing")."""
        ...

    def of_bundle(self, data: bytes) -> bytes:
        """Return the in-toto statement of a Sigstore bundle that it has signed.

        Raises:
            TrustError: where it hasn't, or it is none.
        """
        ...


class Key:
    """A public key.

    Args:
        pem: it, in PEM.

    Raises:
        TrustError: where it is none that cosign signs with.
    """

    def __init__(self, pem: bytes) -> None:
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise TrustError("isn't a public key in PEM") from None
        known = (
            isinstance(key, ed25519.Ed25519PublicKey)
            or (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1))
            or (isinstance(key, rsa.RSAPublicKey) and key.key_size >= _BITS)
        )
        if not known:
            raise TrustError("has a key of an unsupported kind (ECDSA P-256 or P-384, Ed25519, RSA from 2048 bits)")
        self._key: Any = key

    def of_payload(self, payload: bytes, signature: bytes) -> bool:
        """Whether it is this key's signature of a payload."""
        ways: list[tuple[Any, ...]] = [()]
        if isinstance(self._key, ec.EllipticCurvePublicKey):
            ways = [(ec.ECDSA(hashes.SHA256()),)]
            if isinstance(self._key.curve, ec.SECP384R1):
                ways.append((ec.ECDSA(hashes.SHA384()),))
        elif isinstance(self._key, rsa.RSAPublicKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
            ways = [(padding.PKCS1v15(), hashes.SHA256()), (pss, hashes.SHA256())]
        for way in ways:
            try:
                self._key.verify(signature, payload, *way)
            except InvalidSignature:
                continue
            return True
        return False

    def of_bundle(self, data: bytes) -> bytes:
        """Return the in-toto statement of a bundle that this key has signed.

        Raises:
            TrustError: where it hasn't, or it is none.
        """
        envelope = (json_object(data) or {}).get("dsseEnvelope")
        if not isinstance(envelope, dict) or envelope.get("payloadType") != _IN_TOTO:
            raise TrustError("it has a bundle that signs no statement")
        statement = _decoded(envelope.get("payload"))
        kind = _IN_TOTO.encode()
        text = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(statement), statement)
        found = objects(envelope, "signatures")[:SIGNATURES]
        if not any(self.of_payload(text, _decoded(entry.get("sig"))) for entry in found):
            raise TrustError("its signature is of another key")
        return statement


async def check(registry: Registry, image: ImageName, digest: str, signer: Signer, signed_as: str | None) -> None:
    """See that a manifest is signed; return if it is.

    Args:
        registry: its repository.
        image: the image it's of.
        digest: its digest.
        signer: who is to have signed it.
        signed_as: a glob of the repository that the signature may name; the image's own by default.

    Raises:
        Unsigned: where it isn't.
        TrustError: where that can't be found out.
    """
    why: list[str] = []
    async for problem in _tried(registry, image, digest, signer, signed_as):
        if problem is None:
            return
        why.append(str(problem))
    raise Unsigned(why[0] if why else "it has no signature")


async def _tried(
    registry: Registry, image: ImageName, digest: str, signer: Signer, signed_as: str | None
) -> AsyncIterator[TrustError | None]:
    """Yield for each signature what is wrong with it, or None."""
    found = await registry.manifest(f"{digest.replace(':', '-')}.sig")
    for layer in objects(found[1], "layers")[:SIGNATURES] if found is not None else []:
        try:
            await _check_simple(registry, layer, image, digest, (signer, signed_as))
        except TrustError as error:
            yield error
        else:
            yield None
    for descriptor in (await registry.referrers(digest))[:SIGNATURES]:
        try:
            async for bundle in _bundles(registry, descriptor):
                _check_statement(signer.of_bundle(bundle), digest)
                yield None
        except TrustError as error:
            yield error


async def _check_simple(
    registry: Registry, layer: dict[str, Any], image: ImageName, digest: str, wanted: tuple[Signer, str | None]
) -> None:
    signer, signed_as = wanted
    notes = layer.get("annotations")
    if layer.get("mediaType") != _SIMPLE or not isinstance(notes, dict) or _SIGNATURE not in notes:
        raise TrustError("it has a signature of a form that isn't known")
    payload = await registry.blob(layer.get("digest"))
    if not signer.of_payload(payload, _decoded(notes[_SIGNATURE])):
        raise TrustError("its signature is of another key")
    critical = (json_object(payload) or {}).get("critical")
    match critical:
        case {
            "type": str(kind),
            "image": {"docker-manifest-digest": str(signed)},
            "identity": {"docker-reference": str(name)},
        } if kind in _SIMPLE_TYPES:
            pass
        case _:
            raise TrustError("its signature is of something else than an image")
    if signed != digest:
        raise TrustError("its signature is of another image")
    try:
        repository = image_names.parse(name).repository
    except ValueError:
        repository = ""
    if not (repository == image.repository if signed_as is None else matches(signed_as, repository)):
        raise TrustError(f"its signature is for {repository or 'no repository'} (allow that with signed_as)")


async def _bundles(registry: Registry, descriptor: dict[str, Any]) -> AsyncIterator[bytes]:
    """Yield the bundles of a manifest that refers to the image."""
    kind = descriptor.get("artifactType")
    digest = descriptor.get("digest")
    if isinstance(kind, str) and kind != _EMPTY and not kind.startswith(_BUNDLE):
        return  # something else that is kept beside the image
    if not isinstance(digest, str) or not image_names.DIGEST.fullmatch(digest):
        raise TrustError("it has a signature of a form that isn't known")
    found = await registry.manifest(digest)
    for layer in objects(found[1], "layers")[:SIGNATURES] if found is not None else []:
        if str(layer.get("mediaType")).startswith(_BUNDLE):
            yield await registry.blob(layer.get("digest"))


def _check_statement(data: bytes, digest: str) -> None:
    """See that an in-toto statement signs a manifest."""
    statement = json_object(data) or {}
    if statement.get("predicateType") != _SIGNED:
        raise TrustError("it has statements about it, but no signature")
    algorithm, _, value = digest.partition(":")
    digests = [subject.get("digest") for subject in objects(statement, "subject")]
    if not any(isinstance(found, dict) and found.get(algorithm) == value for found in digests):
        raise TrustError("its signature is of another image")


def _decoded(text: object) -> bytes:
    """Return what a member in base64 holds.

    Raises:
        TrustError: where it isn't that.
    """
    if not isinstance(text, str):
        raise TrustError("it has a signature of a form that isn't known")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise TrustError("it has a signature of a form that isn't known") from None
