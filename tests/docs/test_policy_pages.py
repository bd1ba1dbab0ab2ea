"""The pages about policies: they explain what the schemas name, show what is so, and their Rego is well-formed."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from docs.pages import ROOT, blocks
from support.opa import opa_path
from tidegate_policy import inputs, packs

PAGE = ROOT / "docs" / "reference" / "policy-input.md"
POLICIES = ROOT / "docs" / "policies"
FENCE = re.compile(r"^```rego(?: \S+)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def members(schema: dict[str, Any], path: str = "") -> list[str]:
    """Every member that a schema names, as a policy reads it."""
    found = []
    for name, part in schema.get("properties", {}).items():
        found += [
            f"{path}{name}",
            *members(part, f"{path}{name}."),
            *members(part.get("items", {}), f"{path}{name}[_]."),
        ]
    return found


def test_every_member_of_the_input_is_explained() -> None:
    text = PAGE.read_text()
    calls, windows = ("server", "tool", "seconds_ago", "labels"), ("minute", "hour", "day")
    within = {f"session.calls[_].{name}" for name in calls} | {f"session.recent.{name}" for name in windows}
    within |= {f"result.strings[_].{name}" for name in ("pointer", "value")}
    for name in members(inputs.schema()):
        shown = name.rpartition(".")[2] if name in within else name
        assert f"`{shown}`" in text or f'"{shown}"' in text or f"`{shown}." in text, name


def test_the_example_is_an_input_with_every_member() -> None:
    shown = [json.loads(block.text) for block in blocks("json") if block.page == "docs/reference/policy-input.md"]
    assert not inputs.problems(shown[0])
    assert list(shown[0]) == list(inputs.schema()["properties"])


def test_every_pack_has_its_page_in_the_index() -> None:
    index = (POLICIES / "README.md").read_text()
    assert re.findall(r"^\| \[`(\w+)`\]", index, re.MULTILINE) == packs.names()
    for name in packs.names():
        assert (POLICIES / f"{name}.md").exists(), name


@pytest.mark.opa
def test_rego_on_pages_is_formatted_as_opa_formats_it(tmp_path: Path) -> None:
    program = opa_path()
    assert program is not None
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for number, text in enumerate(FENCE.findall(page.read_text())):
            whole = text if "package " in text else f"package tidegate\n\nimport rego.v1\n\n{text}"
            (tmp_path / f"{page.stem}_{number}.rego").write_text(whole)
    done = subprocess.run([program, "fmt", "--list", "--fail", tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
