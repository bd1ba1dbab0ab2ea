"""The stores `file` and `encrypted`: what was put in comes out, and nothing stands on the disk that shouldn't."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from secret_stores.storing import VALUE, stores, value_of
from tidegate.secret_stores import Secret, StoreError
from tidegate.settings import SettingsError

PLAIN = {"use": "file", "path": "s"}
KEYED = {"use": "encrypted", "path": "s", "key": "file:key"}
PHRASED = {"use": "encrypted", "path": "s", "passphrase": "env:PHRASE"}
ODD = "line one\nline two \u2603 \\ ' \" $(id)\n"


@pytest.fixture(autouse=True)
def phrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHRASE", "correct horse")


@pytest.mark.parametrize("entry", [PLAIN, KEYED, PHRASED], ids=["file", "keyed", "phrased"])
def test_secrets_are_kept_replaced_listed_and_removed(tmp_path: Path, entry: dict[str, Any]) -> None:
    first = stores(tmp_path, entry)
    assert (value_of(first, "a"), first.names(), first.remove("a")) == (None, {}, None)
    first.set("b", Secret(VALUE))
    first.set("a", Secret("before"))
    first.set("a", Secret(ODD))
    again = stores(tmp_path, entry)
    assert (value_of(again, "a"), value_of(again, "b")) == (ODD, VALUE)
    assert list(again.names()) == ["a", "b"]
    assert again.remove("a") == entry["use"]
    assert list(stores(tmp_path, entry).names()) == ["b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == (["key", "s"] if "key" in entry else ["s"])


@pytest.mark.requirement("secrets-stay-in")
@pytest.mark.parametrize("entry", [KEYED, PHRASED], ids=["keyed", "phrased"])
def test_an_encrypted_file_shows_neither_values_nor_names(tmp_path: Path, entry: dict[str, Any]) -> None:
    stores(tmp_path, entry).set("name-of-it", Secret(VALUE))
    assert not {b"name-of-it", VALUE.encode()} & {
        word for path in tmp_path.iterdir() for word in (b"name-of-it", VALUE.encode()) if word in path.read_bytes()
    }
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


@pytest.mark.requirement("secrets-stay-in")
@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', f'{{"a": "{VALUE}"', "\x00", "[" * 100_000], ids=range(6))
def test_a_file_of_something_else_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "s").write_text(text)
    (tmp_path / "s").chmod(0o600)
    with pytest.raises(StoreError) as caught:
        stores(tmp_path, PLAIN).find("a")
    assert (
        str(caught.value)
        == f"the secret store 'file': {tmp_path / 's'} holds no secrets: it is no JSON object of strings"
    )
    with pytest.raises(StoreError):
        stores(tmp_path, PLAIN).set("b", Secret(VALUE))
    assert (tmp_path / "s").read_text() == text


def test_another_key_or_passphrase_is_refused_and_destroys_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for entry in (KEYED, PHRASED):
        (tmp_path / "s").unlink(missing_ok=True)
        monkeypatch.setenv("PHRASE", "the first")
        stores(tmp_path, entry).set("a", Secret(VALUE))
        before = (tmp_path / "s").read_bytes()
        (tmp_path / "key").write_bytes(Fernet.generate_key())
        (tmp_path / "key").chmod(0o600)
        monkeypatch.setenv("PHRASE", "another")
        with pytest.raises(StoreError, match="can't be decrypted: the key is another"):
            stores(tmp_path, entry).find("a")
        with pytest.raises(StoreError, match="can't be decrypted: the key is another"):
            stores(tmp_path, entry).set("a", Secret("x"))
        assert (tmp_path / "s").read_bytes() == before


@pytest.mark.parametrize(
    "data", [b"tidegate-scrypt:", b"tidegate-scrypt:!!:x", b"tidegate-scrypt:AAAA", b"gAAAA", b"tidegate-scrypt::x"]
)
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "s").write_bytes(data)
    (tmp_path / "s").chmod(0o600)
    with pytest.raises(StoreError):
        stores(tmp_path, PHRASED).find("a")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"use": "encrypted"}, "has either key or passphrase"),
        ({"use": "encrypted", "key": "env:A", "passphrase": "env:B"}, "has either key or passphrase"),
        ({"use": "encrypted", "key": VALUE}, "a key stands elsewhere, and never in the settings"),
        ({"use": "encrypted", "key": "prompt"}, "a key stands elsewhere, and never in the settings"),
        ({"use": "encrypted", "passphrase": VALUE}, "a key stands elsewhere, and never in the settings"),
        ({"use": "file", "pth": "x"}, "pth: there is no such setting"),
    ],
)
@pytest.mark.requirement("explicit-only")
def test_settings_that_are_not_well_are_a_mistake_that_shows_no_key(
    tmp_path: Path, entry: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        stores(tmp_path, entry)
    assert said in str(caught.value)
    assert VALUE not in str(caught.value)


def test_a_key_that_is_missing_no_key_or_readable_by_others_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores(tmp_path, KEYED).set("a", Secret(VALUE))
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(StoreError, match="others can read"):
        stores(tmp_path, KEYED).find("a")
    (tmp_path / "key").unlink()
    with pytest.raises(StoreError, match="key isn't there"):
        stores(tmp_path, KEYED).find("a")
    named = {**KEYED, "key": "env:A_KEY"}
    with pytest.raises(StoreError, match="the environment variable A_KEY is not set"):
        stores(tmp_path, named).find("a")
    monkeypatch.setenv("A_KEY", VALUE)
    with pytest.raises(StoreError) as caught:
        stores(tmp_path, named).find("a")
    assert "env:A_KEY is no key of 32 bytes in base64" in str(caught.value)
    assert VALUE not in str(caught.value)


def test_a_passphrase_is_asked_for_on_a_terminal_only(tmp_path: Path) -> None:
    asks = {**PHRASED, "passphrase": "prompt"}
    with pytest.raises(StoreError, match="standard input is no terminal"):
        stores(tmp_path, asks).set("a", Secret(VALUE))


def test_the_default_place_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    stores(tmp_path / "elsewhere").set("a", Secret(VALUE))
    assert json.loads((tmp_path / "tidegate" / "secrets.json").read_text()) == {"a": VALUE}
