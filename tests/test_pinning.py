"""Digests in the place of tags: nothing else of a settings file changes."""

import tomllib
from pathlib import Path

import pytest

from tidegate.pinning import Change, images_of, pinned, rewritten, write
from tidegate.settings import SettingsError

DIGEST = f"sha256:{'ab' * 32}"

TEXT = """\
# The settings of the office.   With odd  spaces.

[proxy]
listen   = "127.0.0.1:8811"   # here

[servers.files]
image = 'mcp/files:1.2'    # as approved in March
pull = "tag-ok"            # for now
args = [
  "/data",   # the data
]

[servers.time]
command = ["mcp-server-time"]
"""


def changed(text: str, name: str = "files") -> str:
    named = images_of(text, "settings")[name]
    return rewritten(text, {name: Change(named.text, pinned(named, DIGEST), named.loosened)}, "settings")


def test_the_digest_stands_beside_the_tag_and_all_else_is_as_it_was() -> None:
    expected = TEXT.replace("'mcp/files:1.2'", f'"mcp/files:1.2@{DIGEST}"').replace(
        'pull = "tag-ok"            # for now\n', ""
    )
    assert changed(TEXT) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('servers = { files = { image = "a/b", pull = "tag-ok" } }', "files"),
        ('[servers]\nfiles = { image = "a/b:1" }  # kept', "files"),
        ('servers.files.image = "a/b"\nservers.files.pull = "tag-ok"\n', "files"),
        ('[servers."my.files"]\nimage = """a/b"""\n[servers.other]\nimage = "c"', "my.files"),
        ('[servers.files]\nimage = "a/b"\n[proxy]\n[servers.z]\nurl = "https://h/"\n', "files"),
        ('\ufeff[servers.files]\r\nimage = "a/b"\r\n'.lstrip("\ufeff"), "files"),
    ],
)
def test_it_stands_wherever_a_server_can(text: str, name: str) -> None:
    wanted = tomllib.loads(text)
    server = wanted["servers"][name]
    server["image"] = server["image"] + ("" if ":" in server["image"] else ":latest") + f"@{DIGEST}"
    server.pop("pull", None)
    assert tomllib.loads(changed(text, name)) == wanted


def test_an_image_id_has_its_name_beside_it() -> None:
    text = '[servers.files]\nimage = "files:dev"\n'
    made = rewritten(text, {"files": Change("files:dev", DIGEST, loosened=False)}, "settings")
    assert made == f'[servers.files]\nimage = "{DIGEST}" # files:dev\n'
    assert changed('[servers.files]\nimage = "files:dev" # mine\n') == (
        f'[servers.files]\nimage = "files:dev@{DIGEST}" # mine\n'
    )


def test_a_new_digest_takes_the_place_of_the_old_one() -> None:
    (named,) = images_of(f'[servers.a]\nimage = "a:1@sha256:{"0" * 64}"', "x").values()
    assert pinned(named, DIGEST) == f"a:1@{DIGEST}"


@pytest.mark.parametrize(
    ("text", "told"),
    [("[", "not TOML"), ('[servers.a]\nimage = "Not"', "servers.a: image names no container image")],
)
def test_a_file_that_isnt_well_is_told(text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        images_of(text, "settings")


@pytest.mark.parametrize("text", ["servers = 1", "servers = { a = 1 }", "[servers.a]\nimage = 1", ""])
def test_what_has_no_images_has_none(text: str) -> None:
    assert images_of(text, "settings") == {}


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_the_file_keeps_its_mode_and_what_it_was_is_kept(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "tidegate.toml"
    path.write_text("before")
    path.chmod(mode)
    backup = write(path, "after")
    assert (path.read_text(), backup.read_text()) == ("after", "before")
    assert [each.stat().st_mode & 0o777 for each in (path, backup)] == [mode, mode]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["tidegate.toml", "tidegate.toml.bak"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("before")
    link = tmp_path / "tidegate.toml"
    link.symlink_to("real.toml")
    write(link, "after")
    assert link.is_symlink()
    assert (tmp_path / "real.toml").read_text() == "after"


def test_the_mark_that_an_editor_put_at_the_beginning_stays() -> None:
    text = '\ufeff[servers.files]\nimage = "files:dev"\n'
    assert images_of(text, "settings")["files"].text == "files:dev"
    made = rewritten(text, {"files": Change("files:dev", f"files:dev@{DIGEST}", loosened=False)}, "settings")
    assert made == f'\ufeff[servers.files]\nimage = "files:dev@{DIGEST}"\n'
