"""What a command is shown of the machine: all that it consists of, and not what lies beside it."""

import os
import sys
from pathlib import Path

import pytest

from tidegate.sandbox.view import View


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a key in it."""
    made = tmp_path / "home"
    (made / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(made))
    return made


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def shown(*command: str | Path, folder: Path | str = "/", path: str = "/usr/bin:/bin") -> list[str]:
    view = View(path, str(folder))
    view.command(tuple(map(str, command)))
    return view.shown


def test_a_program_of_the_system_needs_nothing_more() -> None:
    assert shown("true") == []
    assert shown("/usr/bin/env", "--nothing") == []


def test_what_isnt_there_or_no_program_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("no-such-program", "./nothing", "/no/such"):
        with pytest.raises(FileNotFoundError):
            shown(name, folder=tmp_path)
    for name in ("./file", "/"):
        with pytest.raises(PermissionError):
            shown(name, folder=tmp_path)


def test_a_script_of_a_virtual_environment_brings_it_and_the_python_it_was_made_of(home: Path) -> None:
    base = home / ".pyenv/versions/3.11"
    program(base / "bin/python3.11", "\x7fELF")
    (base / "bin/python3").symlink_to("python3.11")
    (base / "lib/python3.11").mkdir(parents=True)
    (base / "lib/python3.11/os.py").touch()
    venv = home / "work/.venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text(f"home = {base}/bin\nversion = 3.11\n")
    (venv / "bin/python").symlink_to(base / "bin/python3")
    script = program(venv / "bin/server", f"#!{venv}/bin/python\nimport server\n")
    assert shown(script) == [str(venv), str(base)]
    assert shown("server", path=f"{venv}/bin") == [str(venv), str(base)]
    (home / "bin").mkdir()
    (home / "bin/server").symlink_to(script)
    assert shown(home / "bin/server") == [str(home / "bin/server"), str(venv), str(base)]


def test_packages_that_link_to_their_sources_bring_them(home: Path, tmp_path: Path) -> None:
    packages = home / "venv/lib/python3.11/site-packages"
    (packages / "it-1.dist-info").mkdir(parents=True)
    (packages / "it-1.dist-info/direct_url.json").write_text(
        f'{{"url": "file://{home}/my%20source", "dir_info": {{"editable": true}}}}'
    )
    (packages / "other.pth").write_text(f"import evil\n{home}/linked\n{home}\n/no/such\n")
    (home / "my source").mkdir()
    (home / "linked").mkdir()
    (home / "venv/pyvenv.cfg").write_text("home = /usr/bin\n")
    script = program(home / "venv/bin/it")
    assert shown(script) == [str(home / "venv"), str(home / "linked"), str(home / "my source")]


def test_of_a_folder_with_many_programs_only_the_one_is_shown(home: Path) -> None:
    (home / ".local/share").mkdir(parents=True)
    (home / ".local/lib/python3.11/site-packages").mkdir(parents=True)
    script = program(home / ".local/bin/server", "#!/usr/bin/env -S python3 -I\n")
    view = View("/usr/bin", "/")
    view.command((str(script),))
    assert view.shown == [str(script), str(home / ".local/lib/python3.11/site-packages")]
    assert view.environment == {"PYTHONUSERBASE": str(home / ".local")}


def test_a_launcher_brings_the_program_it_hands_over_to(home: Path) -> None:
    program(home / ".local/bin/uv")
    uvx = program(home / ".local/bin/uvx")
    assert shown(uvx) == [str(uvx), str(home / ".local/bin/uv")]


def test_a_program_of_node_brings_its_packages(home: Path) -> None:
    script = program(home / "app/node_modules/server/dist/index.js", "#!/usr/bin/env node\n")
    (home / "app/node_modules/.bin").mkdir()
    (home / "app/node_modules/.bin/server").symlink_to("../server/dist/index.js")
    assert shown(home / "app/node_modules/.bin/server") == [str(home / "app/node_modules")]
    assert shown("env", script) == [str(home / "app/node_modules")]


def test_an_interpreter_by_name_is_found_and_brought(home: Path) -> None:
    node = home / ".nvm/versions/node/v22"
    program(node / "bin/node", "\x7fELF")
    (node / "lib/node_modules").mkdir(parents=True)
    script = program(home / "tools/serve", "#!/usr/bin/env node\n")
    assert shown(script, path=f"{node}/bin:/usr/bin") == [str(script), str(node)]


def test_a_line_that_would_be_too_long_is_read_as_well(home: Path) -> None:
    (home / "venv/bin").mkdir(parents=True)
    (home / "venv/pyvenv.cfg").write_text("")
    program(home / "venv/bin/python", "\x7fELF")
    script = program(home / "bin/it", f"#!/bin/sh\n'''exec' \"{home}/venv/bin/python\" \"$0\" \"$@\"\n' '''\n")
    assert shown(script) == [str(script), str(home / "venv")]


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/x", "lib/node_modules/x", "lib/python3.11/os.py"])
def test_a_home_that_looks_like_an_installation_is_a_home(home: Path, mark: str) -> None:
    (home / mark).parent.mkdir(parents=True, exist_ok=True)
    (home / mark).touch()
    script = program(home / "bin/a")
    assert shown(script) == [str(script)]


def test_links_in_a_circle_end(home: Path) -> None:
    script = program(home / "bin/a", f"#!{home}/bin/a\n")
    assert shown(script) == [str(script)]


def test_a_script_among_the_arguments_brings_its_package(home: Path) -> None:
    (home / "app/build").mkdir(parents=True)
    (home / "app/package.json").touch()
    (home / "app/build/index.js").touch()
    (home / "alone.py").touch()
    assert shown("env", "build/index.js", folder=home / "app") == [str(home / "app")]
    assert shown("env", "alone.py", folder=home) == [str(home / "alone.py")]


def test_a_path_among_the_arguments_is_shown_as_it_is(home: Path) -> None:
    (home / "docs").mkdir()
    (home / "db.sqlite").touch()
    assert shown("env", home / "docs", f"--db={home}/db.sqlite", "https://a/b", "/no/such", "x" * 5000) == [
        str(home / "docs"),
        str(home / "db.sqlite"),
    ]


@pytest.mark.parametrize("name", [".", "..", ".ssh", ".ssh/key", "/", "/etc", "/etc/shadow", "/tmp", "link"])
def test_no_argument_shows_a_home_nor_a_key(name: str, home: Path) -> None:
    (home / ".ssh/key").touch()
    (home / "link").symlink_to(".ssh/key")
    assert shown("env", home / name) == []


def test_the_python_of_these_tests_is_followed_to_its_installation() -> None:
    found = shown(sys.executable)
    assert str(Path(sys.executable).resolve()).startswith(("/usr/", *found))
    assert not [path for path in found if path in (os.path.expanduser("~"), "/")]  # noqa: PTH111 - as the shell does
