"""What the settings say of images, and what they may not say."""

from pathlib import Path

import pytest

from tidegate.image_settings import loosened
from tidegate.settings import ServerSettings, SettingsError, parse

DIGEST = "ab" * 32
PROCESS = '[servers.a]\ncommand = ["x"]\n'
TAG = 'servers.a: image is a tag, which can change: pin it with `tidegate pin`, or say pull = "tag-ok"'
PROOF = "an entry has exactly one of cosign_key, keyless and unsigned = true"

MISTAKES = {
    "[servers.a]\nimage = 'x:1'": TAG,
    "[servers.a]\nimage = 'x'\npull = 'pinned'": TAG,
    f"[servers.a]\nimage = 'x@sha256:{DIGEST}'\npull = 'tag-ok'": (
        'servers.a: pull = "tag-ok" has no meaning for an image that is pinned'
    ),
    "[servers.a]\nimage = 'x'\npull = 'always'": "servers.a.pull: input should be 'pinned' or 'tag-ok'",
    "[servers.a]\nimage = 'x@sha256:12'": "servers.a: a digest is sha256: and 64 lower-case hexadecimal digits",
    "[servers.a]\nimage = 'Not An Image'": "servers.a: image names no container image",
    f"{PROCESS}pull = 'tag-ok'": "servers.a: pull has no meaning for a server with command",
    # images
    "[[images]]\nmatch = '*'": f"images.0: {PROOF}",
    "[[images]]\nmatch = '*'\nunsigned = false": f"images.0: {PROOF}",
    "[[images]]\nmatch = '*'\nunsigned = true\ncosign_key = 'k.pub'": f"images.0: {PROOF}",
    "[[images]]\nmatch = '*'\ncosign_key = ''": "images.0: cosign_key names a file",
    "[[images]]\nmatch = 'mcp/*'\nunsigned = true": (
        "images.0: 'mcp/*' doesn't begin with a registry, as docker.io/library/* does"
    ),
    "[[images]]\nmatch = '*'\nunsigned = true\nsigned_as = '*'": (
        "images.0: signed_as has no meaning without cosign_key"
    ),
    "[[images]]\nmatch = '*'\nkeyless = { identity = 'a', issuer = 'b' }": (
        "images.0.keyless: keyless has an identity, and an issuer that starts with https://"
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told_in_one_sentence(text: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse(text, folder=Path())
    assert str(error.value) == f"settings: {MISTAKES[text]}"


@pytest.mark.parametrize(
    "text",
    [
        f"[servers.a]\nimage = 'x@sha256:{DIGEST}'",
        f"[servers.a]\nimage = 'ghcr.io/a/x:1@sha256:{DIGEST}'\npull = 'pinned'",
        f"[servers.a]\nimage = 'sha256:{DIGEST}'",
        "[servers.a]\nimage = 'x'\npull = 'tag-ok'",
        "[[images]]\nmatch = '*'\nkeyless = { identity = 'a@b.example', issuer = 'https://b.example' }",
        "[[images]]\nmatch = 'ghcr.io/a/*'\ncosign_key = 'a.pub'\nsigned_as = 'ghcr.io/b/*'",
    ],
)
def test_what_says_exactly_which_image_is_well(text: str) -> None:
    parse(text, folder=Path())


def test_a_tag_is_a_loosened_default() -> None:
    assert loosened(ServerSettings(image=f"sha256:{DIGEST}")) == []
    assert loosened(ServerSettings(image="files:1", pull="tag-ok")) == [
        "its image is whatever the tag files:1 means at a start (pull)"
    ]
