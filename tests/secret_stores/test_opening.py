"""Stores are found by entry points and asked in their order; what they raise never says a value."""

from pathlib import Path
from typing import Any

import pytest

from secret_stores.storing import VALUE, stores, value_of
from support.plugging import Install
from tidegate.secret_stores import Secret, StoreError

THEIRS = f"""
from tidegate.secret_stores import Model, Secret


class Theirs:
    class Config(Model):
        mode: str = "well"

    def __init__(self, config, folder):
        self.mode = config.mode
        if self.mode == "unmade":
            raise ValueError("{VALUE}")

    def get(self, name):
        if self.mode == "broken":
            raise KeyError("{VALUE}")
        return Secret("theirs") if name == "a" else None

    def names(self):
        return ["a"]
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = "[tidegate.secret_stores]\ntheirs = theirs_of_the_test:Theirs"
    Install(tmp_path / "site", monkeypatch)("theirs_of_the_test", THEIRS, points)


@pytest.mark.usefixtures("theirs")
def test_the_first_store_that_has_a_secret_gives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_SECRET_A", "of the environment")
    monkeypatch.setenv("TIDEGATE_SECRET_B", "of the environment")
    opened = stores(tmp_path, {"use": "theirs"}, {"use": "env"})
    assert [value_of(opened, name) for name in "abc"] == ["theirs", "of the environment", None]
    assert opened.names() == {"a": "theirs"}
    assert value_of(stores(tmp_path, {"use": "env"}, {"use": "theirs"}), "a") == "of the environment"


@pytest.mark.requirement("secrets-stay-in")
@pytest.mark.usefixtures("theirs")
def test_a_store_that_fails_ends_the_search_and_its_words_are_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_SECRET_A", "perhaps out of date")
    opened = stores(tmp_path, {"use": "theirs", "mode": "broken"}, {"use": "env"})
    with pytest.raises(StoreError) as caught:
        opened.find("a")
    assert (str(caught.value), caught.value.down) == ("the secret store 'theirs' failed (KeyError)", True)
    assert caught.value.__suppress_context__
    with pytest.raises(StoreError, match=r"^the secret store 'theirs' failed \(ValueError\)$"):
        stores(tmp_path, {"use": "theirs", "mode": "unmade"})


@pytest.mark.requirement("explicit-only")
@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"use": "fil"}, "'fil' is not installed; there are age, docker, encrypted, env, file, keyring, "),
        ({"use": "theirs", "moed": "well"}, "secrets.stores: 'theirs': moed: there is no such setting"),
    ],
)
@pytest.mark.usefixtures("theirs")
def test_a_misspelt_store_or_setting_is_a_mistake(tmp_path: Path, entry: dict[str, Any], said: str) -> None:
    with pytest.raises(StoreError) as caught:
        stores(tmp_path, entry)
    assert said in str(caught.value)
    assert not caught.value.down


@pytest.mark.usefixtures("theirs")
def test_the_first_store_that_can_be_written_to_is_written_to_unless_one_is_named(tmp_path: Path) -> None:
    opened = stores(
        tmp_path, {"use": "theirs"}, {"use": "file", "path": "one"}, {"use": "file", "name": "two", "path": "two"}
    )
    assert (opened.set("b", Secret(VALUE)), opened.set("b", Secret(VALUE), "two")) == ("file", "two")
    assert (opened.remove("b"), opened.remove("b"), opened.remove("b", "two")) == ("file", None, "two")
    with pytest.raises(StoreError, match=r"there is no store 'three' in \[secrets\]; there are theirs, file, two"):
        opened.set("b", Secret(VALUE), "three")
