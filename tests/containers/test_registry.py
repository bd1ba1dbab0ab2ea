"""The registry is read with suspicion, and credentials go nowhere else."""

import asyncio
import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from support.played_registry import REPOSITORY, Answer, PlayedRegistry, digest_of, played_registry
from tidegate.containers.registry import Registry
from tidegate.containers.trusted import MANIFEST_BYTES, TrustError
from tidegate.image_names import parse

SECRET = "hunter2-hunter2"
BASIC = f"Basic {base64.b64encode(f'me:{SECRET}'.encode()).decode()}"
NONE = f"sha256:{'0' * 64}"


@pytest.fixture
def registry() -> Iterator[PlayedRegistry]:
    with played_registry() as played:
        yield played


@pytest.fixture
def elsewhere() -> Iterator[PlayedRegistry]:
    with played_registry() as played:
        yield played


@pytest.fixture
def known(registry: PlayedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's file, with credentials for the registry."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    auths = {registry.address: {"auth": BASIC.removeprefix("Basic ")}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    return tmp_path / "config.json"


def reader(registry: PlayedRegistry) -> Registry:
    return Registry(registry.image(NONE))


async def test_manifests_and_blobs_are_held_against_their_digests(registry: PlayedRegistry) -> None:
    digest = registry.put_manifest({"layers": []}, "tag")
    blob = registry.put_blob(b"a blob")
    registry.put_blob(b"something else", under=NONE)
    registry.answers[f"/v2/{REPOSITORY}/manifests/{NONE}"] = Answer(b"{}")
    async with reader(registry) as reading:
        assert await reading.manifest("tag") == (digest, {"layers": []})
        assert await reading.manifest(digest) == (digest, {"layers": []})
        assert await reading.manifest("other") is None
        assert await reading.blob(blob) == b"a blob"
        with pytest.raises(TrustError, match="another manifest"):
            await reading.manifest(NONE)
        with pytest.raises(TrustError, match="another blob"):
            await reading.blob(NONE)


async def test_what_the_registry_says_of_a_digest_isnt_believed(registry: PlayedRegistry) -> None:
    registry.answers[f"/v2/{REPOSITORY}/manifests/tag"] = Answer(b"{}", headers={"Docker-Content-Digest": NONE})
    async with reader(registry) as reading:
        assert await reading.manifest("tag") == (digest_of(b"{}"), {})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_without_the_credentials(
    registry: PlayedRegistry, elsewhere: PlayedRegistry, known: Path, status: int
) -> None:
    registry.wants, registry.challenge = BASIC, 'Basic realm="x"'
    digest = registry.put_blob(b"a blob")
    where = registry.answers.pop(f"/v2/{REPOSITORY}/blobs/{digest}")
    elsewhere.answers["/kept"] = where
    registry.answers[f"/v2/{REPOSITORY}/blobs/{digest}"] = Answer(
        status=status, headers={"Location": f"http://{elsewhere.address}/kept?signed=1"}
    )
    async with reader(registry) as reading:
        assert await reading.blob(digest) == b"a blob"
    assert [asked.authorization for asked in registry.asked] == [None, BASIC]
    assert [(asked.path, asked.authorization) for asked in elsewhere.asked] == [("/kept?signed=1", None)]


@pytest.mark.parametrize(
    "location", ["http://example.com/x", "file:///etc/passwd", "ftp://127.0.0.1/", "//[", "http://me:you@127.0.0.1/x"]
)
async def test_a_redirect_to_where_there_is_no_tls_is_not_followed(registry: PlayedRegistry, location: str) -> None:
    registry.answers[f"/v2/{REPOSITORY}/blobs/{NONE}"] = Answer(status=302, headers={"Location": location})
    async with reader(registry) as reading:
        with pytest.raises(TrustError, match="without TLS"):
            await reading.blob(NONE)


async def test_redirects_end(registry: PlayedRegistry) -> None:
    path = f"/v2/{REPOSITORY}/blobs/{NONE}"
    registry.answers[path] = Answer(status=302, headers={"Location": path})
    async with reader(registry) as reading:
        with pytest.raises(TrustError, match="answered 302"):
            await reading.blob(NONE)
    assert len(registry.asked) == 4


async def test_a_token_is_got_from_where_the_registry_says(
    registry: PlayedRegistry, elsewhere: PlayedRegistry, known: Path
) -> None:
    registry.wants = "Bearer a-token"
    registry.challenge = f'Bearer realm="http://{elsewhere.address}/token",service="reg",scope="repository:other:push"'
    elsewhere.answers["/token"] = Answer(b'{"token": "a-token"}')
    digest = registry.put_manifest({"layers": []})
    async with reader(registry) as reading:
        assert await reading.manifest(digest) is not None
        assert await reading.manifest(digest) is not None
    (asked,) = elsewhere.asked
    query = parse_qs(urlsplit(asked.path).query)
    assert query == {"service": ["reg"], "scope": [f"repository:{REPOSITORY}:pull"]}  # to read this one, and no more
    assert asked.authorization == BASIC


async def test_without_credentials_a_token_is_asked_for_all_the_same(
    registry: PlayedRegistry, elsewhere: PlayedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    registry.wants, registry.challenge = "Bearer t", f'Bearer realm="http://{elsewhere.address}/token"'
    elsewhere.answers["/token"] = Answer(b'{"access_token": "t"}')
    digest = registry.put_manifest({"layers": []})
    async with reader(registry) as reading:
        assert await reading.manifest(digest) is not None
    assert elsewhere.asked[0].authorization is None


@pytest.fixture
def known_by_token(registry: PlayedRegistry, known: Path) -> None:
    known.write_text(json.dumps({"auths": {registry.address: {"identitytoken": SECRET}}}))


async def test_an_identity_token_is_exchanged_for_one_to_read_with(
    registry: PlayedRegistry, elsewhere: PlayedRegistry, known_by_token: None
) -> None:
    registry.wants, registry.challenge = "Bearer t", f'Bearer realm="http://{elsewhere.address}/token",service="r"'
    elsewhere.answers["/token"] = Answer(b'{"access_token": "t"}')
    digest = registry.put_manifest({"layers": []})
    async with reader(registry) as reading:
        assert await reading.manifest(digest) is not None
    form = parse_qs(elsewhere.asked[0].body.decode())
    assert form["refresh_token"] == [SECRET]
    assert form["grant_type"] == ["refresh_token"]


@pytest.mark.parametrize(
    ("challenge", "told"),
    [
        ("", "answered 401"),
        ("Digest realm=x", "answered 401"),
        ('Bearer realm="http://example.com/token"', "without TLS"),
        ('Bearer realm="nowhere"', "without TLS"),
        ('Bearer realm="http://{address}/none"', "gives no access"),
        ('Bearer realm="http://{address}/odd"', "gives no access"),
        ('Bearer realm="http://{address}/lines"', "gives no access"),
        ('Bearer realm="http://{address}/wrong"', "answered 401"),
    ],
)
async def test_a_registry_that_gives_no_access_is_told(
    registry: PlayedRegistry, elsewhere: PlayedRegistry, known: Path, challenge: str, told: str
) -> None:
    registry.wants, registry.challenge = "Bearer t", challenge.format(address=elsewhere.address)
    elsewhere.answers["/odd"] = Answer(b'{"token": 1}')
    elsewhere.answers["/lines"] = Answer(b'{"token": "a\\r\\nb: c"}')
    elsewhere.answers["/wrong"] = Answer(b'{"token": "x"}')
    async with reader(registry) as reading:
        with pytest.raises(TrustError, match=told) as error:
            await reading.manifest("tag")
    assert SECRET not in str(error.value)


async def test_more_than_a_manifest_may_have_is_not_read(registry: PlayedRegistry) -> None:
    registry.answers[f"/v2/{REPOSITORY}/manifests/tag"] = Answer(b" " * (MANIFEST_BYTES + 1))
    async with reader(registry) as reading:
        with pytest.raises(TrustError, match="gave more than"):
            await reading.manifest("tag")


@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
async def test_a_registry_that_fails_is_told(registry: PlayedRegistry, status: int) -> None:
    registry.answers[f"/v2/{REPOSITORY}/manifests/tag"] = Answer(status=status)
    registry.answers[f"/v2/{REPOSITORY}/referrers/{NONE}"] = Answer(status=status)
    async with reader(registry) as reading:
        with pytest.raises(TrustError, match=f"answered {status}"):
            await reading.manifest("tag")
        with pytest.raises(TrustError, match=f"answered {status}"):
            await reading.referrers(NONE)


async def test_a_registry_that_isnt_there_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and doesn't listen
        async with Registry(parse(f"127.0.0.1:{taken.getsockname()[1]}/a@{NONE}")) as reading:
            with pytest.raises(TrustError, match="can't be reached"):
                await reading.manifest("tag")


async def test_what_speaks_no_http_is_told() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-x\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Registry(parse(f"127.0.0.1:{port}/a@{NONE}")) as reading:
            with pytest.raises(TrustError, match="can't be reached"):
                await reading.manifest("tag")


async def test_a_registry_elsewhere_is_spoken_to_over_tls_alone() -> None:
    assert Registry(parse(f"mcp/files@{NONE}"))._base == "https://registry-1.docker.io/v2/mcp/files/"
    assert Registry(parse(f"10.0.0.1:5000/files@{NONE}"))._base == "https://10.0.0.1:5000/v2/files/"
