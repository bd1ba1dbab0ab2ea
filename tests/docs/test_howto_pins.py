"""The how-to for `pins`: its settings start, and its table is what the settings say."""

import re
import tomllib
from typing import Any

import pytest

from support.clean import ROOT
from tidegate.testing import harness
from tidegate_pins import PinsConfig, telling
from tidegate_pins.told import Call

TEXT = (ROOT / "docs" / "how-to" / "pins.md").read_text()
SETTINGS = [tomllib.loads(block) for block in re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)]
CLASSES = re.findall(r"^\| `(\w+)` \| .* \| `(\w+)` \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("tree", SETTINGS)
async def test_the_settings_start(tree: dict[str, Any]) -> None:
    for entry in tree["interceptors"]:
        async with harness(entry.pop("use"), entry):
            pass


def test_the_table_has_all_classes_with_their_defaults() -> None:
    said = {info.alias or name: info.default for name, info in PinsConfig.model_fields.items()}
    actions = {name: value for name, value in said.items() if value in ("report", "hide")}
    assert dict(CLASSES) == actions


def test_the_reason_is_the_one_that_people_get() -> None:
    call = Call("hide", "changed", ("instruction", "wording"), "read_file")
    shown = " ".join(re.findall(r"^> (.*)$", TEXT, re.MULTILINE))
    assert shown == telling.why("tool", "files", "read_file", call)
