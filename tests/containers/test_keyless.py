"""Signatures of who could log in; a Sigstore of the tests' own stands in for the public one."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.played_registry import PlayedRegistry, digest_of, played_registry, statement
from support.played_sigstore import IDENTITY, ISSUER, PlayedSigstore
from tidegate.containers.cosign import check
from tidegate.containers.keyless import Login
from tidegate.containers.registry import Registry
from tidegate.containers.trusted import TrustError
from tidegate.settings import Keyless

pytestmark = pytest.mark.requirement("pinned-is-started")

SIGSTORE = PlayedSigstore()


@pytest.fixture
def registry() -> Iterator[PlayedRegistry]:
    with played_registry() as played:
        yield played


@pytest.fixture
def login(tmp_path: Path) -> Login:
    (tmp_path / "root.json").write_bytes(SIGSTORE.trusted_root())
    return Login(Keyless(identity=IDENTITY, issuer=ISSUER, trusted_root="root.json"), tmp_path)


async def verdict(registry: PlayedRegistry, digest: str, login: Login) -> str | None:
    try:
        async with Registry(registry.image(digest)) as reader:
            await check(reader, registry.image(digest), digest, login, None)
    except TrustError as error:
        return str(error)
    return None


async def test_what_the_identity_has_signed_is_signed(registry: PlayedRegistry, login: Login) -> None:
    digest = registry.put_image()
    registry.put_bundles(digest, SIGSTORE.bundle(statement(digest)))
    assert await verdict(registry, digest, login) is None


def changed(data: bytes, *path: str | int, by: Callable[[Any], Any]) -> bytes:
    """Return a bundle with one member replaced."""
    tree = json.loads(data)
    place = tree
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = by(place[path[-1]])
    return json.dumps(tree).encode()


def other_text(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[-1] ^= 1
    return base64.b64encode(data).decode()


ENTRY = ("verificationMaterial", "tlogEntries", 0)
NOT_BY = "its signature is not by the identity and issuer of the settings"
ATTACKS: dict[str, tuple[Callable[[str], bytes], str]] = {
    "another identity": (lambda digest: SIGSTORE.bundle(statement(digest), identity=f"{IDENTITY}x"), NOT_BY),
    "another issuer": (lambda digest: SIGSTORE.bundle(statement(digest), issuer="https://evil.example"), NOT_BY),
    "another sigstore": (lambda digest: PlayedSigstore().bundle(statement(digest)), NOT_BY),
    "a signature after the certificate's end": (
        lambda digest: SIGSTORE.bundle(statement(digest), late=timedelta(hours=1)),
        NOT_BY,
    ),
    "another image": (
        lambda digest: SIGSTORE.bundle(statement(digest_of(b"other"))),
        "its signature is of another image",
    ),
    "an attestation": (
        lambda digest: SIGSTORE.bundle(statement(digest, "https://slsa.dev/provenance/v1")),
        "it has statements about it, but no signature",
    ),
    "another statement in the envelope": (
        lambda digest: changed(
            SIGSTORE.bundle(statement(digest_of(b"other"))),
            *("dsseEnvelope", "payload"),
            by=lambda _: base64.b64encode(statement(digest)).decode(),
        ),
        NOT_BY,
    ),
    "a signature that was changed": (
        lambda digest: changed(
            SIGSTORE.bundle(statement(digest)), "dsseEnvelope", "signatures", 0, "sig", by=other_text
        ),
        NOT_BY,
    ),
    "a promise that was changed": (
        lambda digest: changed(
            SIGSTORE.bundle(statement(digest)), *ENTRY, "inclusionPromise", "signedEntryTimestamp", by=other_text
        ),
        NOT_BY,
    ),
    "another time": (
        lambda digest: changed(
            SIGSTORE.bundle(statement(digest)), *ENTRY, "integratedTime", by=lambda t: str(int(t) - 1)
        ),
        NOT_BY,
    ),
    "no entry in the log": (
        lambda digest: changed(
            SIGSTORE.bundle(statement(digest)), "verificationMaterial", "tlogEntries", by=lambda _: []
        ),
        NOT_BY,
    ),
    "a certificate that is none": (
        lambda digest: changed(
            SIGSTORE.bundle(statement(digest)),
            *("verificationMaterial", "certificate", "rawBytes"),
            by=lambda _: "AAAA",
        ),
        NOT_BY,
    ),
    "another type in the envelope": (
        lambda digest: changed(SIGSTORE.bundle(statement(digest)), "dsseEnvelope", "payloadType", by=lambda _: "x"),
        NOT_BY,
    ),
    "no bundle": (lambda _: b"{}", NOT_BY),
    "no JSON": (lambda _: b"\xff", NOT_BY),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_bundle_that_isnt_the_identitys_for_that_image_doesnt_count(
    registry: PlayedRegistry, login: Login, name: str
) -> None:
    make, why = ATTACKS[name]
    digest = registry.put_image()
    registry.put_bundles(digest, make(digest))
    assert await verdict(registry, digest, login) == why


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b'{"mediaType": "x"}'])
def test_a_trusted_root_that_cant_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "root.json").write_bytes(content)
    with pytest.raises(TrustError, match=r"^the trusted root root.json can't be read$"):
        Login(Keyless(identity=IDENTITY, issuer=ISSUER, trusted_root="root.json"), tmp_path)


def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['sigstore'] = None\n"
        "from tidegate.containers.trusted import TrustError\n"
        "try:\n    from tidegate.containers import keyless\nexcept TrustError as error:\n    print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "its signature is keyless, for which tidegate[sigstore] must be installed\n"
