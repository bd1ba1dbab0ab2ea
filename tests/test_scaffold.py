"""`tidegate plugins new`: what it writes works as it is."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support.clean import Clean
from tidegate import scaffold

NAME = "my-rules"
SERVER = Path(sys.executable).with_name("mcp-server-time")


def test_it_writes_a_package_settings_and_a_test(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "where"
    written = scaffold.create(NAME, folder)
    assert sorted(path.relative_to(folder).as_posix() for path in written) == [
        "README.md",
        "pyproject.toml",
        "src/tidegate_my_rules/__init__.py",
        "src/tidegate_my_rules/py.typed",
        "tests/test_tidegate_my_rules.py",
        "tidegate.toml",
    ]
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "tidegate-my-rules"
    assert project["entry-points"] == {"tidegate": {"my-rules": "tidegate_my_rules:MyRules"}}
    assert "$" not in "".join(path.read_text() for path in written)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "can't be an interceptor's name"),
        ("My-Rules", "can't be an interceptor's name"),
        ("my_rules", "can't be an interceptor's name"),
        ("my rules", "can't be an interceptor's name"),
        ("../rules", "can't be an interceptor's name"),
        ("rules-", "can't be an interceptor's name"),
        ("2rules", "can't be an interceptor's name"),
        ("rülés", "can't be an interceptor's name"),
        ("rules\n", "can't be an interceptor's name"),
        ("r" * 41, "can't be an interceptor's name"),
        ("tidegate-rules", "leave the prefix away: 'rules' makes the package 'tidegate-rules'"),
        ("lists", "an interceptor called 'lists' is already installed, by tidegate"),
    ],
)
def test_a_name_that_does_not_fit_is_refused_and_nothing_is_written(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        scaffold.create(name, tmp_path)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(FileExistsError, match="is already there"):
        scaffold.create(NAME, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


def test_what_can_not_be_written_whole_is_not_written_at_all(tmp_path: Path) -> None:
    (tmp_path / "tests").write_text("a file in the place of a folder")
    with pytest.raises(OSError, match="tests"):
        scaffold.create(NAME, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "tests"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [NAME, "field"])  # the second one's class is called like what the module imports
def test_what_it_writes_installs_is_found_and_passes_its_own_tests(tmp_path: Path, clean: Clean, name: str) -> None:
    clean.run("tidegate", "plugins", "new", name, "--folder", str(tmp_path))
    clean.install(clean.wheel(tmp_path))
    assert scaffold.distribution(name) in clean.run("tidegate", "plugins", "list", "--json")
    assert "passed" in clean.run("python", "-m", "pytest", "-q", "-W", "error", cwd=tmp_path)
    settings = tmp_path / "tidegate.toml"
    settings.write_text(settings.read_text().replace('"mcp-server-time"', f'"{SERVER}"'))
    assert name in clean.run("tidegate", "check", str(settings))


@pytest.mark.parametrize("name", [NAME, "field"])
def test_what_it_writes_is_clean_by_ruffs_defaults(tmp_path: Path, name: str) -> None:
    scaffold.create(name, tmp_path)
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache"]
        done = subprocess.run(ruff, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout
