"""The stores `env` and `docker`: what whoever runs Tidegate has given it."""

from pathlib import Path

import pytest

from secret_stores.storing import VALUE, stores, value_of
from tidegate.secret_stores import Secret, StoreError


def test_a_variable_is_the_secret_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_SECRET_FILES_API_KEY", VALUE)
    monkeypatch.setenv("TIDEGATE_SECRET_EMPTY", "")
    opened = stores(Path(), {"use": "env"})
    assert value_of(opened, "files-api-key") == value_of(opened, "Files.api_key") == VALUE
    assert (value_of(opened, "empty"), value_of(opened, "other"), opened.names()) == (None, None, {})


def test_a_file_of_the_folder_is_the_secret_of_its_name(tmp_path: Path) -> None:
    place = tmp_path / "run"
    place.mkdir()
    (place / "a").write_text(f"{VALUE}\n")
    (place / "below").mkdir()
    (place / ".hidden").write_text("x")
    opened = stores(tmp_path, {"use": "docker", "path": "run"})
    assert (value_of(opened, "a"), value_of(opened, "b"), value_of(opened, "below")) == (VALUE, None, None)
    assert opened.names() == {"a": "docker"}
    assert stores(tmp_path, {"use": "docker", "path": "nowhere"}).names() == {}


def test_a_link_within_the_folder_is_followed_and_one_that_leads_out_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "run"
    (place / "..data").mkdir(parents=True)
    (place / "..data" / "a").write_text(VALUE)
    (place / "a").symlink_to("..data/a")
    (tmp_path / "outside").write_text("theirs")
    (place / "b").symlink_to("../outside")
    (place / "c").symlink_to("c")
    opened = stores(tmp_path, {"use": "docker", "path": "run"})
    assert value_of(opened, "a") == VALUE
    with pytest.raises(StoreError, match="leads out of its folder"):
        opened.find("b")
    with pytest.raises(StoreError, match="can't be read"):
        opened.find("c")


def test_neither_can_be_written_to(tmp_path: Path) -> None:
    opened = stores(tmp_path, {"use": "env"}, {"use": "docker", "path": "."})
    with pytest.raises(StoreError, match=r"none of the stores in .* can be written to; there are env, docker"):
        opened.set("a", Secret(VALUE))
    with pytest.raises(StoreError, match="the store 'env' can't be written to"):
        opened.set("a", Secret(VALUE), "env")
