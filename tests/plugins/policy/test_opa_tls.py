"""The engine `opa` over TLS: whom it trusts, what it shows of itself, and which files it refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.certificates import Authority
from support.opa_server import OpaServer
from tidegate_policy.config import OpaConfig
from tidegate_policy.opa import Opa
from tidegate_policy.sources import PolicyError, Sources, Unit

pytestmark = pytest.mark.opa

UNIT = Unit("bundle", "data.tidegate.decision")
SOURCES = Sources((("main.rego", 'package tidegate\n\ndecision := {"labels": ["seen"]}\n'),), {}, "revision")
ONLY_TIDEGATE = """package system.authz

import rego.v1

default allow := false

allow if input.identity == "CN=tidegate"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(place: Path) -> Authority:
    return Authority(place, "authority")


@pytest.fixture(scope="module")
def server(place: Path, authority: Authority) -> Iterator[OpaServer]:
    certificate, key = authority.signed("server")
    flags = (f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}")
    with OpaServer(*flags, scheme="https") as started:
        yield started


@pytest.fixture(scope="module")
def mutual(place: Path, authority: Authority) -> Iterator[OpaServer]:
    certificate, key = authority.signed("mutual")
    (place / "authz.rego").write_text(ONLY_TIDEGATE)
    flags = (
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--tls-ca-cert-file={authority.certificate}",
        "--authentication=tls",
        "--authorization=basic",
    )
    with OpaServer(*flags, place / "authz.rego", scheme="https") as started:
        yield started


async def answered(server: OpaServer, place: Path, **config: str) -> bool:
    opa = Opa(OpaConfig.model_validate({"urls": [server.url], **config}), 5.0, place)
    await opa.load(SOURCES, (UNIT,))
    try:
        return await opa.ask((UNIT,), {}) == [{"labels": ["seen"]}]
    finally:
        await opa.close()


async def test_a_server_whose_certificate_is_trusted_is_asked(server: OpaServer, place: Path) -> None:
    assert await answered(server, place, ca="authority.pem")


async def test_a_server_whose_certificate_is_not_trusted_is_not_asked(server: OpaServer, place: Path) -> None:
    Authority(place, "stranger")
    for config in ({"ca": "stranger.pem"}, {}):
        with pytest.raises(PolicyError, match="its certificate is not trusted: "):
            await answered(server, place, **config)


async def test_a_certificate_for_another_address_is_not_trusted(place: Path, authority: Authority) -> None:
    certificate, key = authority.signed("elsewhere", "192.0.2.1")
    flags = (f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}")
    told = "its certificate is not trusted: IP address mismatch"
    with OpaServer(*flags, scheme="https") as other, pytest.raises(PolicyError, match=told):
        await answered(other, place, ca="authority.pem")


async def test_tidegate_shows_its_own_certificate(mutual: OpaServer, place: Path, authority: Authority) -> None:
    authority.signed("tidegate")
    assert await answered(mutual, place, ca="authority.pem", certificate="tidegate.pem", key="tidegate.key")


async def test_without_a_certificate_or_with_anothers_nothing_is_answered(
    mutual: OpaServer, place: Path, authority: Authority
) -> None:
    with pytest.raises(PolicyError, match=r"the OPA server can't be used: https://.*: TLS failed: \w+"):
        await answered(mutual, place, ca="authority.pem")
    authority.signed("another")
    with pytest.raises(PolicyError, match="it doesn't allow this"):
        await answered(mutual, place, ca="authority.pem", certificate="another.pem", key="another.key")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"ca": "nothing.pem"}, r"^opa\.ca: nothing\.pem can't be used: No such file or directory$"),
        ({"ca": "empty.pem"}, r"^opa\.ca: empty\.pem can't be used: it is no PEM file with certificates$"),
        (
            {"certificate": "nothing.pem", "key": "nothing.pem"},
            r"^opa\.certificate and opa\.key can't be used: No such",
        ),
        (
            {"certificate": "empty.pem", "key": "empty.pem"},
            r"^opa\.certificate and opa\.key can't be used: they are no",
        ),
        (
            {"certificate": "server.pem", "key": "locked.key"},
            r"^opa\.certificate and opa\.key can't be used: they are no",
        ),
    ],
)
async def test_files_that_are_no_certificates_are_refused_in_one_sentence(
    server: OpaServer, place: Path, config: dict[str, str], told: str
) -> None:
    (place / "empty.pem").write_text("")
    (place / "locked.key").write_text(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    with pytest.raises(PolicyError, match=told) as caught:
        await answered(server, place, **config)
    assert "\n" not in str(caught.value)
