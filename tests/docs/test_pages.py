"""What pages show and name is there: settings parse, commands exist and run, links lead somewhere."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from docs.pages import ROOT, Block, blocks, pages
from support.proxy import tidegate
from tidegate import cli, importer, settings

SECTIONS = set(settings.Settings.model_fields)
CHEAP = ("init", "check", "explain", "import", "plugins list", "token new", "--version")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def heads(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    lines = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_in_the_documentation_is_what_it_says(block: Block) -> None:
    tree = tomllib.loads(block.text)
    if tree.keys() & SECTIONS:
        settings.parse(block.text, folder=Path(), source=str(block))


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_in_the_documentation_is_json(block: Block) -> None:
    for text in block.text.strip().split("\n\n"):
        json.loads(text)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_settings_among_the_examples_are_valid(path: Path) -> None:
    settings.load(path)


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(path: Path) -> None:
    for link in _LINK.findall(path.read_text()):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        place = (path.parent / target).resolve() if target else path
        assert place.exists(), link
        assert not anchor or place.suffix != ".md" or anchor in heads(place.read_text()), link


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_a_page_names_exists(path: Path) -> None:
    cli.add_commands(None, every=True)
    root = typer.main.get_command(cli.app)
    for words in re.findall(r"(?:^|[`$ ])tidegate ([a-z][a-z -]*)", path.read_text(), re.MULTILINE):
        inside_code = f"`tidegate {words.strip()}" in path.read_text() or f"$ tidegate {words}" in path.read_text()
        if not inside_code:
            continue
        names = words.split()
        groups = getattr(root, "commands", {})
        assert names[0] in groups, f"tidegate {words}"
        below = getattr(groups[names[0]], "commands", None)
        if below is not None and len(names) > 1:
            assert names[1] in below, f"tidegate {words}"


def shown_commands(page: str) -> list[tuple[Block, str, str]]:
    """The commands of a page's console blocks, each with the output it is shown with."""
    out = []
    for block in (block for block in blocks("console") if block.page == page):
        for shown in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            line, _, output = shown.partition("\n")
            out.append((block, line, output))
    return out


def plainly(text: str) -> set[str]:
    """The lines of an output, numbers and spaces aside, and whether this machine has bubblewrap."""
    lines = (
        re.sub(r"[\s─]+", " ", re.sub(r"[0-9a-f]*[0-9][0-9a-f.-]*", "0", line)).strip()
        for line in text.replace("unsandboxed", "sandboxed").splitlines()
    )
    return {line for line in lines if line}


@pytest.mark.parametrize("page", sorted({block.page for block in blocks("console")}))
def test_commands_shown_on_a_page_say_what_the_page_shows(page: str, tmp_path: Path) -> None:
    """Those that are cheap, in a folder with the page's first settings, and the files that `cat` shows."""
    given = [
        block.text for block in blocks("toml") if block.page == page and tomllib.loads(block.text).keys() & SECTIONS
    ]
    if given:
        (tmp_path / "tidegate.toml").write_text(given[0])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "XDG_STATE_HOME": str(tmp_path / "state"), "COLUMNS": "120"}
    for block, line, output in shown_commands(page):
        words = shlex.split(line, comments=True)
        if words[0] == "cat":
            (tmp_path / words[1]).write_text(output)
        elif words[0] == "tidegate" and " ".join(words[1:]).startswith(CHEAP):
            done = subprocess.run(
                tidegate(*words[1:]),
                capture_output=True,
                text=True,
                cwd=tmp_path,
                env=environment,
                timeout=60,
                check=False,
            )
            assert done.returncode == (1 if "DENY" in output else 0), f"{block}: {line}\n{done.stderr}"
            if words[1] != "token":  # every one is another
                assert plainly(output) <= plainly(done.stdout), f"{block}: {line}"


def test_the_page_on_importing_shows_what_importing_makes() -> None:
    client, made = (
        next(block for block in blocks(kind) if block.page == "docs/how-to/import.md") for kind in ("json", "toml")
    )
    assert importer.read(client.text, "mcp.json").toml() == made.text


def test_every_dependency_has_its_reasons() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[^\w-]", wanted)[0] for wanted in project["dependencies"]]
    page = (ROOT / "docs" / "dependencies.md").read_text()
    rows = [row for row in page.splitlines() if row.startswith("| `")]
    assert [re.findall(r"`([\w-]+)`", row)[0] for row in rows] == names
    assert all(cell.strip() for row in rows for cell in row.strip("|").split("|"))


def test_nothing_in_the_project_names_this_machine() -> None:
    home = re.escape(str(Path.home()))
    for path in pages():
        assert not re.search(rf"{home}/|/work/|\.\./shared", path.read_text()), path
