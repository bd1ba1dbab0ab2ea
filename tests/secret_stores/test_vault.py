"""The store `vault`: what it asks of a KV engine, and what it makes of the answers. `support.vault` serves it."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secret_stores.storing import VALUE, stores, value_of
from support.certificates import Authority
from support.vault import TOKEN, Vault, vault
from tidegate.secret_stores import Secret, StoreError
from tidegate.secret_stores.opening import Stores
from tidegate.settings import SettingsError


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # the proxies of the environment aren't for this


@pytest.fixture
def served() -> Iterator[Vault]:
    with vault() as running:
        yield running


def opened(served: Vault, **more: Any) -> Stores:
    return stores(Path("/nonexistent"), {"use": "vault", "address": served.address, "token": "env:VAULT_TOKEN", **more})


def down(served: Vault, **more: Any) -> tuple[str, bool]:
    with pytest.raises(StoreError) as caught:
        opened(served, **more).find("a")
    assert TOKEN not in str(caught.value)
    assert VALUE not in str(caught.value)
    return str(caught.value), caught.value.down


def test_each_secret_is_an_entry_of_its_own(served: Vault) -> None:
    its = opened(served)
    assert (value_of(its, "a"), its.names(), its.remove("a")) == (None, {}, None)
    its.set("a", Secret(VALUE))
    its.set("b", Secret("another"))
    assert served.entries == {"tidegate/a": [{"value": VALUE}], "tidegate/b": [{"value": "another"}]}
    assert (value_of(its, "a"), list(its.names())) == (VALUE, ["a", "b"])
    its.set("a", Secret("newer"))
    assert value_of(its, "a") == "newer"
    assert its.remove("a") == "vault"
    assert list(served.entries) == ["tidegate/b"]


def test_all_secrets_may_be_fields_of_one_entry(served: Vault) -> None:
    its = opened(served, path="apps/mcp")
    its.set("a", Secret(VALUE))
    its.set("b", Secret("another"))
    assert served.entries["apps/mcp"][-1] == {"a": VALUE, "b": "another"}
    assert (value_of(its, "b"), list(its.names())) == ("another", ["a", "b"])
    assert its.remove("a") == "vault"
    assert served.entries["apps/mcp"][-1] == {"b": "another"}


def test_other_fields_of_an_entry_stay(served: Vault) -> None:
    served.entries["tidegate/a"] = [{"owner": "ann", "value": "before"}]
    its = opened(served)
    its.set("a", Secret(VALUE))
    assert served.entries["tidegate/a"][-1] == {"owner": "ann", "value": VALUE}
    its.remove("a")
    assert served.entries["tidegate/a"][-1] == {"owner": "ann"}


def test_a_deleted_version_is_no_secret_and_can_be_written_again(served: Vault) -> None:
    served.entries["tidegate/a"] = [{"value": "before"}, None]
    its = opened(served)
    assert value_of(its, "a") is None
    its.set("a", Secret(VALUE))
    assert value_of(its, "a") == VALUE


def test_what_others_write_at_the_same_time_is_not_lost(served: Vault) -> None:
    served.racing = 2
    opened(served).set("a", Secret(VALUE))
    assert served.entries["tidegate/a"][-1] == {"theirs": "x", "value": VALUE}
    served.racing = 100
    with pytest.raises(StoreError, match="is being written by others: try again"):
        opened(served).set("a", Secret("x"))


def test_the_token_and_the_namespace_are_headers(served: Vault, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "token").chmod(0o600)
    opened(served, namespace="team", token=f"file:{tmp_path / 'token'}").find("a")
    method, path, headers = served.got[-1]
    assert (method, path, headers["X-Vault-Namespace"]) == ("GET", "/v1/secret/data/tidegate/a", "team")


@pytest.mark.requirement("secrets-stay-in")
def test_a_vault_that_refuses_or_is_down_is_told_apart_and_its_words_are_not_repeated(
    served: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.sealed = True
    assert down(served) == (f"the secret store 'vault': Vault at {served.address} answers with HTTP 503", True)
    served.sealed = False
    for answer in (b"<html>", VALUE.encode(), b"[1]", b"[" * 100_000):
        served.answer = answer
        assert down(served)[0].endswith("doesn't answer with JSON (HTTP 200)")
    for answer in (b"{}", b'{"data": {"data": {"value": "x"}}}', b'{"data": {"data": [], "metadata": {"version": 1}}}'):
        served.answer = answer
        assert "isn't a KV engine of version 2" in down(served)[0]
    served.answer = b'{"data": {"data": {"value": 1}, "metadata": {"version": 1}}}'
    assert "has no text in its field value" in down(served)[0]
    served.answer = None
    assert down(served, mount="elsewhere") == (
        f"the secret store 'vault': Vault at {served.address} has no KV engine at elsewhere",
        False,
    )
    monkeypatch.setenv("VAULT_TOKEN", "another")
    assert down(served) == (
        f"the secret store 'vault': Vault at {served.address} refuses the token, or the token may not do this",
        False,
    )
    monkeypatch.delenv("VAULT_TOKEN")
    assert "the environment variable VAULT_TOKEN is not set" in down(served)[0]


def test_a_vault_that_is_not_there_is_down() -> None:
    entry = {"use": "vault", "address": "http://127.0.0.1:1", "token": "env:VAULT_TOKEN"}
    with pytest.raises(StoreError, match=r"can't be reached at http://127.0.0.1:1 \(ConnectError\)") as caught:
        stores(Path(), entry).find("a")
    assert caught.value.down


def test_over_tls_the_certificate_must_be_of_the_named_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.signed("vault"))
    ca = str(authority.certificate)
    with vault(context) as running:
        opened(running, ca=ca).set("a", Secret(VALUE))
        assert value_of(opened(running, ca=ca), "a") == VALUE
        said, is_down = down(running)
        assert (said.endswith("(ConnectError)"), is_down) == (True, True)
        assert "can't be read" in down(running, ca="/nonexistent/ca.pem")[0]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"address": "http://vault.example.com:8200"}, "address is https"),
        ({"address": "vault.example.com"}, "address is https://HOST:PORT"),
        ({"address": f"https://ann:{VALUE}@vault.example.com"}, "address is https://HOST:PORT"),
        ({"address": "https://vault.example.com", "token": VALUE}, "a key stands elsewhere"),
        ({}, "address: field required"),
    ],
)
@pytest.mark.requirement("explicit-only")
def test_settings_that_are_not_well_are_a_mistake(entry: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        stores(Path(), {"use": "vault", "token": "env:VAULT_TOKEN", **entry})
    assert said in str(caught.value)
    assert VALUE not in str(caught.value)
