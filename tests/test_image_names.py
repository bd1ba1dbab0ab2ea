"""Names of images, and the globs that match them."""

import pytest

from tidegate.image_names import ImageName, parse
from tidegate.image_settings import ImagePolicy, matches, policy_for

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("files", ImageName("docker.io", "library/files")),
        ("mcp/files", ImageName("docker.io", "mcp/files")),
        ("mcp/files:1.2", ImageName("docker.io", "mcp/files", "1.2")),
        ("docker.io/files", ImageName("docker.io", "library/files")),
        ("index.docker.io/mcp/files", ImageName("docker.io", "mcp/files")),
        ("ghcr.io/acme/a/b:x", ImageName("ghcr.io", "acme/a/b", "x")),
        ("GHCR.io/acme/a", ImageName("ghcr.io", "acme/a")),
        ("localhost/files", ImageName("localhost", "files")),
        ("host:5000/files", ImageName("host:5000", "files")),
        ("[::1]:5000/files:1", ImageName("[::1]:5000", "files", "1")),
        (f"files@{DIGEST}", ImageName("docker.io", "library/files", None, DIGEST)),
        (f"ghcr.io/a/b:1@{DIGEST}", ImageName("ghcr.io", "a/b", "1", DIGEST)),
        (DIGEST, ImageName("", "", id=DIGEST)),
    ],
)
def test_a_name_is_taken_apart(text: str, name: ImageName) -> None:
    assert parse(text) == name
    assert parse(text).pinned == ("sha256:" in text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "/",
        "Files",
        "a b",
        "a//b",
        "../a",
        "a/../b",
        "a:b:c",
        "files@",
        "files@sha256:12",
        f"files@sha512:{HEX}",
        f"files@{DIGEST}@{DIGEST}",
        f"@{DIGEST}",
        f"sha256:{HEX.upper()}",
        f"sha256:{HEX}\n",
        HEX,
        "a" * 300,
        "-host.io/files",
        "user:password@host.io/files",
        "host.io:123456/files",
        "files:",
        "files:" + "a" * 129,
        "é",
    ],
)
def test_what_is_no_name_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(image names no container image|a digest is )"):
        parse(text)


@pytest.mark.parametrize(
    ("registry", "local"),
    [
        *(("localhost", True), ("localhost:5000", True), ("127.0.0.2:5000", True), ("[::1]:5000", True)),
        *(("10.0.0.1:5000", False), ("localhost.example.com", False), ("docker.io", False)),
    ],
)
def test_only_registries_on_this_machine_are_spoken_to_without_tls(registry: str, *, local: bool) -> None:
    assert parse(f"{registry}/files").is_local is local


@pytest.mark.parametrize(
    ("glob", "image", "well"),
    [
        ("*", "files", True),
        ("*", DIGEST, True),
        ("docker.io/library/*", "files", True),
        ("docker.io/mcp/*", "mcp/files:1", True),
        ("ghcr.io/acme/*", "ghcr.io/acme/a/b", True),
        ("ghcr.io/acme/*", "ghcr.io/acme", False),
        ("ghcr.io/acme/*", "ghcr.io/acme-evil/a", False),
        ("ghcr.io/acme/*", "evil.io/ghcr.io/acme/a", False),
        ("*.acme.com/*", "eu.acme.com/a", True),
        ("*.acme.com/*", "evil.io/x.acme.com/a", False),
        ("*/acme/*", "evil.io/acme/a", True),
        ("ghcr.io/acme/*", DIGEST, False),
        ("*/*", DIGEST, False),
    ],
)
def test_a_glob_matches_registry_and_repository_each_by_itself(glob: str, image: str, *, well: bool) -> None:
    assert matches(glob, parse(image).repository) is well


def test_the_first_entry_that_matches_an_image_decides() -> None:
    entries = [
        ImagePolicy(match="ghcr.io/acme/files", unsigned=True),
        ImagePolicy(match="ghcr.io/acme/*", cosign_key="acme.pub"),
    ]
    assert policy_for(parse("ghcr.io/acme/files:1"), entries) is entries[0]
    assert policy_for(parse("ghcr.io/acme/other:1"), entries) is entries[1]
    assert policy_for(parse("ghcr.io/other/files:1"), entries) is None
