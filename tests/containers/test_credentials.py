"""What docker login knows is found where Docker keeps it."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tidegate.containers.credentials import Credentials, credentials_of
from tidegate.containers.trusted import TrustError

SECRET = "hunter2-hunter2"
AUTH = base64.b64encode(f"me:{SECRET}".encode()).decode()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def put(folder: Path, config: Any) -> None:
    (folder / "config.json").write_text(json.dumps(config))


def put_helper(folder: Path, script: str) -> None:
    program = folder / "docker-credential-tests"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)


async def test_without_a_file_there_are_none(folder: Path) -> None:
    assert await credentials_of("ghcr.io") is None


@pytest.mark.parametrize(
    ("registry", "key"),
    [("ghcr.io", "ghcr.io"), ("ghcr.io", "https://ghcr.io"), ("docker.io", "https://index.docker.io/v1/")],
)
async def test_those_of_the_registry_are_found_and_no_others(folder: Path, registry: str, key: str) -> None:
    put(folder, {"auths": {key: {"auth": AUTH}}})
    assert await credentials_of(registry) == Credentials("me", SECRET)
    assert await credentials_of("other.io") is None
    assert await credentials_of("evil-ghcr.io") is None


def test_they_dont_show() -> None:
    assert SECRET not in repr(Credentials("me", SECRET, SECRET))


@pytest.mark.parametrize("config", [[], {"auths": []}, {"auths": {"ghcr.io": 1}}, {"auths": {"ghcr.io": {"auth": ""}}}])
async def test_a_file_without_any_has_none(folder: Path, config: Any) -> None:
    put(folder, config)
    assert await credentials_of("ghcr.io") is None


@pytest.mark.parametrize("auth", ["%%%", base64.b64encode(b"\xff\xff").decode(), base64.b64encode(b"nocolon").decode()])
async def test_what_cant_be_read_is_told_without_its_content(folder: Path, auth: str) -> None:
    put(folder, {"auths": {"ghcr.io": {"auth": auth}}})
    with pytest.raises(TrustError, match=r"^Docker's credentials for ghcr.io can't be read$"):
        await credentials_of("ghcr.io")


async def test_a_file_that_is_no_json_is_told(folder: Path) -> None:
    (folder / "config.json").write_text(SECRET)
    with pytest.raises(TrustError, match=r"config.json can't be read$") as error:
        await credentials_of("ghcr.io")
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("config", [{"credsStore": "tests"}, {"credHelpers": {"ghcr.io": "tests"}, "credsStore": "no"}])
async def test_a_helper_is_asked_as_docker_does(folder: Path, config: Any) -> None:
    put(folder, config)
    put_helper(
        folder, f'read where; test "$1 $where" = "get ghcr.io" && echo \'{{"Username":"me","Secret":"{SECRET}"}}\''
    )
    assert await credentials_of("ghcr.io") == Credentials("me", SECRET)


async def test_a_helper_may_tell_an_identity_token(folder: Path) -> None:
    put(folder, {"credsStore": "tests"})
    put_helper(folder, f'echo \'{{"Username":"<token>","Secret":"{SECRET}"}}\'')
    assert await credentials_of("ghcr.io") == Credentials(identity_token=SECRET)


async def test_a_helper_may_know_none(folder: Path) -> None:
    put(folder, {"credsStore": "tests"})
    put_helper(folder, "echo credentials not found in native keychain; exit 1")
    assert await credentials_of("ghcr.io") is None


@pytest.mark.parametrize("script", ["exit 1", "echo {}", f"echo {SECRET}", "exec head -c 1000000 /dev/zero"])
async def test_a_helper_that_fails_is_told_without_what_it_said(folder: Path, script: str) -> None:
    put(folder, {"credsStore": "tests"})
    put_helper(folder, script)
    with pytest.raises(TrustError, match=r"^docker-credential-tests doesn't tell the credentials for ghcr.io$"):
        await credentials_of("ghcr.io")


@pytest.mark.parametrize(("name", "told"), [("nowhere", "doesn't tell"), ("../../bin/sh", "can't be one")])
async def test_a_helper_that_isnt_one_is_told(folder: Path, name: str, told: str) -> None:
    put(folder, {"credsStore": name})
    with pytest.raises(TrustError, match=told):
        await credentials_of("ghcr.io")
