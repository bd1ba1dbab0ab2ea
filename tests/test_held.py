"""What the settings give to servers is known to interceptors, where its name says that it is a secret."""

from pathlib import Path
from typing import Any

import pytest

from tidegate import settings
from tidegate.held import held
from tidegate.secret_stores import Secret, StoreError
from tidegate.secret_stores.resolving import Resolved

VALUE = "correct horse battery staple"


def held_of(**server: Any) -> tuple[str, ...]:
    tree = {"servers": {"one": {"command": ["true"], **server} if "url" not in server else server}}
    return held(settings.build(tree, folder=Path("/nonexistent")), Resolved())


@pytest.mark.parametrize(
    "name",
    [
        "API_KEY", "OPENAI_APIKEY", "GITHUB_TOKEN", "CLIENT_SECRET", "PGPASSWORD", "DB_PASSWD", "DB_PWD", "GH_PAT",
        "SENTRY_DSN", "NPM_AUTH", "SSH_PRIVATE_KEY", "AZURE_STORAGE_CONNECTION_STRING", "key",
    ],
)  # fmt: skip
def test_a_variable_whose_name_says_so_holds_a_secret(name: str) -> None:
    assert held_of(env={name: VALUE}) == (VALUE,)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "PWD",
        "OLDPWD",
        "LANG",
        "KEYMAP",
        "SSH_AUTH_SOCK",
        "AWS_SHARED_CREDENTIALS_FILE",
        "XDG_SESSION_ID",
    ],
)
def test_a_variable_that_says_where_or_how_holds_none(name: str) -> None:
    assert held_of(env={name: VALUE}) == ()


def test_a_short_value_would_be_found_everywhere_so_it_does_not_count() -> None:
    assert held_of(env={"API_KEY": "1234567"}) == ()
    assert held_of(env={"A_KEY": "12345678", "B_KEY": "12345678"}) == ("12345678",)


def test_headers_count_without_their_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_TEST_TOKEN", "Bearer t0ken-of-the-test")
    headers = {"Authorization": "env:TIDEGATE_TEST_TOKEN", "X-Api-Key": VALUE, "Accept": "application/json, text/plain"}
    assert held_of(url="https://example.com/mcp", headers=headers) == ("t0ken-of-the-test", VALUE)


def test_secrets_of_stores_count_as_they_are_and_without_white_space_round_them() -> None:
    built = settings.build({}, folder=Path("/nonexistent"))
    secrets = Resolved({"a": Secret(f"{VALUE}\n"), "b": Secret("short"), "c": StoreError("it is down", down=True)})
    assert held(built, secrets) == (f"{VALUE}\n", VALUE)


def test_a_header_whose_secret_is_not_there_holds_nothing() -> None:
    tree = {"servers": {"one": {"url": "https://h/", "headers": {"A": "Bearer secret:gone"}}}}
    assert held(settings.build(tree, folder=Path("/nonexistent")), Resolved()) == ()
