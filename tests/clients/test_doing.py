"""Writing what was planned: all of it or nothing, and never over somebody else's change."""

from pathlib import Path

import pytest

from tidegate.clients import doing, known, planning, records
from tidegate.clients.edits import FileRefused
from tidegate.clients.planning import Wish

ENTRY = {"url": "http://127.0.0.1:8811/mcp"}
TEXT = '{"mcpServers": {"a": {"command": "x"}}}'


@pytest.fixture
def wish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wish:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    client = known.find("cursor")
    assert client is not None
    file = tmp_path / "mcp.json"
    file.write_text(TEXT)
    return Wish(client, file, "move", entry=ENTRY, settings=tmp_path / "tidegate.toml")


def test_a_file_that_changed_meanwhile_is_left_alone_and_so_is_all_else(wish: Wish) -> None:
    planned = planning.plan(wish)
    assert planned.settings is not None
    wish.file.write_text(TEXT + "\n")
    with pytest.raises(FileRefused, match="changed by someone else meanwhile"):
        doing.carry_out(planned)
    assert wish.file.read_text() == TEXT + "\n"
    assert not planned.settings.snapshot.path.exists()
    assert records.find("cursor", wish.file) is None


def test_a_file_that_appeared_meanwhile_is_left_alone(wish: Wish) -> None:
    wish.file.unlink()
    planned = planning.plan(wish)
    wish.file.write_text("mine")
    with pytest.raises(FileRefused):
        doing.carry_out(planned)
    assert wish.file.read_text() == "mine"


def test_settings_that_changed_meanwhile_are_left_alone(wish: Wish) -> None:
    planned = planning.plan(wish)
    assert wish.settings is not None
    wish.settings.write_text("# mine\n")
    with pytest.raises(FileRefused):
        doing.carry_out(planned)
    assert wish.settings.read_text() == "# mine\n"
    assert wish.file.read_text() == TEXT


def test_a_record_is_kept_for_its_owner_alone_and_says_what_was_there(wish: Wish) -> None:
    record = doing.carry_out(planning.plan(wish))
    found = records.find("cursor", wish.file)
    assert found == record
    assert found is not None
    assert found.file.before == TEXT.encode()
    assert found.file.after == wish.file.read_bytes()
    assert found.settings is not None
    assert found.settings.before is None
    assert {path.stat().st_mode & 0o77 for path in [record.folder, *record.folder.iterdir()]} == {0}
    assert records.every() == [record]


def test_a_record_that_cannot_be_read_is_a_reason_to_stop(wish: Wish) -> None:
    record = doing.carry_out(planning.plan(wish))
    (record.folder / "record.json").write_text('{"version": 99}')
    with pytest.raises(FileRefused, match="another version"):
        records.find("cursor", wish.file)
    (record.folder / "record.json").write_text("{")
    with pytest.raises(FileRefused, match="can't be read"):
        records.find("cursor", wish.file)
    assert records.every() == []
