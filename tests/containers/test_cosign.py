"""Signatures beside an image: which count, and which don't."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from support.played_registry import (
    REPOSITORY,
    Answer,
    PlayedRegistry,
    PrivateKey,
    bundle,
    payload,
    pem,
    played_registry,
    sign,
    statement,
)
from tidegate.containers.cosign import Key, check
from tidegate.containers.registry import Registry
from tidegate.containers.trusted import SIGNATURES, TrustError

pytestmark = pytest.mark.requirement("pinned-is-started")

KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
ANOTHER = f"sha256:{'1' * 64}"


@pytest.fixture
def registry() -> Iterator[PlayedRegistry]:
    with played_registry() as played:
        yield played


async def verdict(
    registry: PlayedRegistry, digest: str, key: PrivateKey = KEY, signed_as: str | None = None
) -> str | None:
    """Return why an image isn't well signed, or None where it is."""
    try:
        async with Registry(registry.image(digest)) as reader:
            await check(reader, registry.image(digest), digest, Key(pem(key)), signed_as)
    except TrustError as error:
        return str(error)
    return None


KEYS: dict[str, Callable[[], PrivateKey]] = {
    "ECDSA P-256": lambda: KEY,
    "ECDSA P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("kind", KEYS)
async def test_what_a_key_has_signed_is_signed_and_nothing_else_is(registry: PlayedRegistry, kind: str) -> None:
    key, digest = KEYS[kind](), registry.put_image()
    assert await verdict(registry, digest, key) == "it has no signature"
    registry.put_signatures(digest, registry.signed(OTHER, digest), registry.signed(key, digest))
    assert await verdict(registry, digest, key) is None
    assert await verdict(registry, registry.put_image(b"other"), key) == "it has no signature"


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("index", [True, False])
async def test_a_bundle_that_refers_to_the_image_counts_as_well(
    registry: PlayedRegistry, kind: str, *, index: bool
) -> None:
    key, digest = KEYS[kind](), registry.put_image()
    registry.put_bundles(digest, bundle(OTHER, statement(digest)), bundle(key, statement(digest)), index=index)
    assert await verdict(registry, digest, key) is None


def test_other_ways_to_sign_with_the_same_kinds_of_keys_are_known() -> None:
    first = ec.generate_private_key(ec.SECP384R1())
    assert Key(pem(first)).of_payload(b"x", first.sign(b"x", ec.ECDSA(hashes.SHA384())))
    second = rsa.generate_private_key(65537, 2048)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)
    assert Key(pem(second)).of_payload(b"x", second.sign(b"x", pss, hashes.SHA256()))
    assert not Key(pem(second)).of_payload(b"y", second.sign(b"x", pss, hashes.SHA256()))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a key",
        pem(ec.generate_private_key(ec.SECP521R1())),
        pem(rsa.generate_private_key(65537, 1024)),
        pem(KEY)[:100],
    ],
)
def test_a_file_that_is_no_key_to_sign_with_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError, match=r"PEM|unsupported"):
        Key(data)


def same_twice(data: bytes) -> bytes:
    """Return a payload that names two images, of which parsers may see either."""
    extra = b'"image":{"docker-manifest-digest":"' + ANOTHER.encode() + b'"},"type"'
    return data.replace(b'"type"', extra)


Attack = Callable[[PlayedRegistry, str], dict[str, Any]]


def raw(change: Callable[[bytes], bytes]) -> Attack:
    """Return an attack whose payload is another than cosign's, well signed."""

    def attack(registry: PlayedRegistry, digest: str) -> dict[str, Any]:
        data = change(payload(digest, f"{registry.address}/{REPOSITORY}"))
        return registry.layer(data, sign(KEY, data))

    return attack


def altered(registry: PlayedRegistry, digest: str) -> dict[str, Any]:
    layer = registry.signed(KEY, digest)
    return registry.layer(b"another payload", base64.b64decode(layer["annotations"].popitem()[1]))


def lying(registry: PlayedRegistry, digest: str) -> dict[str, Any]:
    layer = registry.signed(KEY, digest)
    registry.put_blob(b"what isn't of that digest", under=layer["digest"])
    return layer


def huge(registry: PlayedRegistry, digest: str) -> dict[str, Any]:
    data = payload(digest, f"{registry.address}/{REPOSITORY}") + b" " * 2 * 1024 * 1024
    return registry.layer(data, sign(KEY, data))


def gone(registry: PlayedRegistry, digest: str) -> dict[str, Any]:
    layer = registry.signed(KEY, digest)
    del registry.answers[f"/v2/{REPOSITORY}/blobs/{layer['digest']}"]
    return layer


def cut(registry: PlayedRegistry, digest: str) -> dict[str, Any]:
    layer = registry.signed(KEY, digest)
    where = registry.answers[f"/v2/{REPOSITORY}/blobs/{layer['digest']}"]
    where.headers = {"Content-Length": str(len(where.body) + 1), "Connection": "close"}
    return layer


ATTACKS: dict[str, tuple[Attack, str]] = {
    "another key": (lambda registry, digest: registry.signed(OTHER, digest), "of another key"),
    "another image's signature": (lambda registry, digest: registry.signed(KEY, ANOTHER), "of another image"),
    "another repository's signature": (
        lambda registry, digest: registry.signed(KEY, digest, repository="ghcr.io/acme/test"),
        "for ghcr.io/acme/test (allow that with signed_as)",
    ),
    "no repository's signature": (
        lambda registry, digest: registry.signed(KEY, digest, repository=""),
        "for no repository",
    ),
    "another thing signed": (lambda registry, digest: registry.signed(KEY, digest, kind="a release"), "something else"),
    "two images in one payload": (raw(same_twice), "something else"),
    "a payload that is no JSON": (raw(lambda _: b"sha256"), "something else"),
    "a payload that is a list": (raw(lambda data: b"[" + data + b"]"), "something else"),
    "a truncated payload": (raw(lambda data: data[:-1]), "something else"),
    "a payload without an identity": (raw(lambda data: data.replace(b"identity", b"nothing")), "something else"),
    "a payload nested deeply": (raw(lambda _: b"[" * 100_000), "something else"),
    "a signature on another payload": (altered, "of another key"),
    "a registry that lies about a blob": (lying, "another blob than the one of that digest"),
    "a payload of two megabytes": (huge, "gave more than 1048576 bytes"),
    "a blob that isn't there": (gone, "lacks a blob"),
    "an answer that is cut off": (cut, "can't be reached"),
    "a layer without annotations": (
        lambda registry, digest: registry.signed(KEY, digest) | {"annotations": None},
        "of a form that isn't known",
    ),
    "a layer of another type": (
        lambda registry, digest: registry.signed(KEY, digest) | {"mediaType": "text/plain"},
        "of a form that isn't known",
    ),
    "a signature that is no base64": (
        lambda registry, digest: (
            registry.signed(KEY, digest) | {"annotations": {"dev.cosignproject.cosign/signature": "é?"}}
        ),
        "of a form that isn't known",
    ),
    "a layer of another digest's kind": (
        lambda registry, digest: registry.signed(KEY, digest) | {"digest": "sha512:00"},
        "something else than a SHA-256 digest",
    ),
    "a layer that names a path": (
        lambda registry, digest: registry.signed(KEY, digest) | {"digest": "../../../other/blobs/sha256:00"},
        "something else than a SHA-256 digest",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_signature_that_isnt_the_keys_for_that_image_doesnt_count(registry: PlayedRegistry, name: str) -> None:
    attack, why = ATTACKS[name]
    digest = registry.put_image()
    registry.put_signatures(digest, attack(registry, digest))
    assert why in str(await verdict(registry, digest))


BUNDLES: dict[str, tuple[Callable[[str], bytes], str]] = {
    "another key": (lambda digest: bundle(OTHER, statement(digest)), "of another key"),
    "another image": (lambda digest: bundle(KEY, statement(ANOTHER)), "of another image"),
    "an attestation": (
        lambda digest: bundle(KEY, statement(digest, "https://slsa.dev/provenance/v1")),
        "statements about it, but no signature",
    ),
    "a statement that is none": (lambda digest: bundle(KEY, b"[]"), "statements about it, but no signature"),
    "no bundle": (lambda digest: b"[]", "signs no statement"),
    "another type": (
        lambda digest: bundle(KEY, statement(digest)).replace(b"vnd.in-toto", b"vnd.other"),
        "signs no statement",
    ),
    "no signatures": (
        lambda digest: bundle(KEY, statement(digest)).replace(b'"signatures"', b'"other"'),
        "of another key",
    ),
    "a payload that was changed": (
        lambda digest: bundle(KEY, statement(digest)).replace(b'"payload": "', b'"payload": "AAAA'),
        "of another key",
    ),
}


@pytest.mark.parametrize("name", BUNDLES)
async def test_a_bundle_that_isnt_the_keys_for_that_image_doesnt_count(registry: PlayedRegistry, name: str) -> None:
    make, why = BUNDLES[name]
    digest = registry.put_image()
    registry.put_bundles(digest, make(digest))
    assert why in str(await verdict(registry, digest))


@pytest.mark.parametrize(
    ("glob", "well"), [("ghcr.io/acme/files", True), ("ghcr.io/*", True), ("ghcr.io/other/*", False)]
)
async def test_a_mirror_says_what_its_signatures_name(registry: PlayedRegistry, glob: str, *, well: bool) -> None:
    digest = registry.put_image()
    registry.put_signatures(digest, registry.signed(KEY, digest, repository="ghcr.io/acme/files"))
    assert (await verdict(registry, digest, signed_as=glob) is None) is well


async def test_no_more_than_so_many_signatures_are_looked_at(registry: PlayedRegistry) -> None:
    digest = registry.put_image()
    layers = [registry.signed(OTHER, digest) for _ in range(SIGNATURES)]
    registry.put_signatures(digest, *layers, registry.signed(KEY, digest))
    assert await verdict(registry, digest) == "its signature is of another key"


async def test_signatures_that_are_no_manifest_are_refused(registry: PlayedRegistry) -> None:
    digest = registry.put_image()
    name = f"/v2/{REPOSITORY}/manifests/{digest.replace(':', '-')}.sig"
    for body in (b"", b"[]", b"{", b'{"layers": 1, "layers": 2}'):
        registry.answers[name] = Answer(body)
        assert "a manifest that is none" in str(await verdict(registry, digest))
    registry.answers[name] = Answer(json.dumps({"layers": [1, None, "x"]}).encode())
    assert await verdict(registry, digest) == "it has no signature"
