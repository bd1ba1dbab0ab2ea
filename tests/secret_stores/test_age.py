"""The store `age`: a file that age itself reads, encrypted to an identity of Tidegate's and to others."""

import json
from pathlib import Path

import pyrage
import pytest

from secret_stores.storing import VALUE, stores, value_of
from tidegate.secret_stores import Secret, StoreError
from tidegate.settings import SettingsError

ENTRY = {"use": "age", "path": "s", "identity": "file:key"}


def test_secrets_are_kept_and_removed(tmp_path: Path) -> None:
    stores(tmp_path, ENTRY).set("a", Secret(VALUE))
    again = stores(tmp_path, ENTRY)
    assert (value_of(again, "a"), list(again.names())) == (VALUE, ["a"])
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
    assert not any(VALUE.encode() in path.read_bytes() for path in tmp_path.iterdir())
    assert again.remove("a") == "age"
    assert again.names() == {}


def test_others_can_read_it_and_write_it(tmp_path: Path) -> None:
    theirs = pyrage.x25519.Identity.generate()
    entry = {**ENTRY, "recipients": [str(theirs.to_public())]}
    stores(tmp_path, entry).set("a", Secret(VALUE))
    assert json.loads(pyrage.decrypt((tmp_path / "s").read_bytes(), [theirs])) == {"a": VALUE}
    mine = pyrage.x25519.Identity.from_str((tmp_path / "key").read_text().strip())
    (tmp_path / "s").write_bytes(pyrage.encrypt(b'{"b": "of theirs"}', [mine.to_public()]))
    assert value_of(stores(tmp_path, entry), "b") == "of theirs"


def test_an_identity_with_the_comments_of_age_keygen_is_taken(tmp_path: Path) -> None:
    made = pyrage.x25519.Identity.generate()
    (tmp_path / "key").write_text(f"# created: 2026-01-01\n# public key: {made.to_public()}\n{made}\n")
    (tmp_path / "key").chmod(0o600)
    stores(tmp_path, ENTRY).set("a", Secret(VALUE))
    assert json.loads(pyrage.decrypt((tmp_path / "s").read_bytes(), [made])) == {"a": VALUE}


def test_another_identity_or_none_is_refused(tmp_path: Path) -> None:
    stores(tmp_path, ENTRY).set("a", Secret(VALUE))
    key = tmp_path / "key"
    key.write_text(str(pyrage.x25519.Identity.generate()))
    with pytest.raises(StoreError, match="can't be decrypted: it is for others, or damaged"):
        stores(tmp_path, ENTRY).find("a")
    key.write_text(f"AGE-SECRET-KEY-{VALUE}")
    with pytest.raises(StoreError) as caught:
        stores(tmp_path, ENTRY).find("a")
    assert "is no identity of age" in str(caught.value)
    assert VALUE not in str(caught.value)


@pytest.mark.requirement("explicit-only")
def test_settings_that_are_not_well_are_a_mistake_that_shows_no_key(tmp_path: Path) -> None:
    made = str(pyrage.x25519.Identity.generate())
    for entry in ({**ENTRY, "identity": made}, {**ENTRY, "recipients": [made]}):
        with pytest.raises(SettingsError) as caught:
            stores(tmp_path, entry)
        assert made not in str(caught.value)
