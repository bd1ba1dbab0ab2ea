"""What the code has, the reference has: settings, hooks, commands, deny codes and the audit record's members."""

import importlib.util
import inspect
import json
import re
import sys
from functools import cache
from types import ModuleType
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from docs.pages import ROOT
from tidegate import cli, hookspecs, settings, verdict

REFERENCE = ROOT / "docs" / "reference"


@cache
def generate() -> ModuleType:
    """The script that writes the reference."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["settings.md", "cli.md", "hooks.md", "deny-codes.md"])
def test_a_generated_page_is_in_step_with_the_code(name: str) -> None:
    assert (REFERENCE / name).read_text() == generate().pages()[name], "run `python docs/generate.py`"


def models() -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    waiting: list[Any] = [settings.Settings, *generate().configs().values()]
    while waiting:
        model = waiting.pop()
        if model not in found:
            found.append(model)
            waiting += [
                inner for info in model.model_fields.values() for inner in generate()._models_in(info.annotation)
            ]
    return found


def test_every_setting_says_what_it_is() -> None:
    page = (REFERENCE / "settings.md").read_text()
    for model in models():
        assert model.__doc__, model
        for name, info in model.model_fields.items():
            if model is not settings.Settings:  # whose members are the page's sections
                assert info.description, f"{model.__name__}.{name}"
                assert f"| `{info.alias or name}` | " in page
    for name in settings.Settings.model_fields:
        assert re.search(rf"^## `\[+{name}[\].]", page, re.MULTILINE), name


def test_every_hook_says_what_it_is_and_what_each_argument_is() -> None:
    page = (REFERENCE / "hooks.md").read_text()
    for name in hookspecs.HOOKS:
        function = getattr(hookspecs, name)
        said = inspect.getdoc(function) or ""
        assert f"### `{name}`" in page
        assert said.split("\n")[0] in page
        for argument in inspect.signature(function).parameters:
            assert f"    {argument}: " in said, f"{name}({argument})"


def test_every_public_name_is_in_the_reference() -> None:
    import tidegate

    page = (REFERENCE / "hooks.md").read_text()
    for name in tidegate.__all__:
        assert f"`{name}`" in page or f"tidegate.{name}" in page or name in ("__version__", "Effect"), name


def test_every_command_and_option_says_what_it_does() -> None:
    page = (REFERENCE / "cli.md").read_text()
    cli.add_commands(None, every=True)
    for path, command in generate().commands(typer.main.get_command(cli.app)):
        assert command.help, path
        assert f"## `{path}`" in page
        for param in command.params:
            assert param.name == "help" or param.help, f"{path}: {param.name}"


def test_every_deny_code_says_what_it_means_and_is_used() -> None:
    page = (REFERENCE / "deny-codes.md").read_text()
    sources = [path for folder in ("proxy", "plugins") for path in (ROOT / folder).rglob("*.py")]
    text = "\n".join(path.read_text() for path in sources if path.name != "verdict.py")
    text += inspect.getsource(verdict).split("class Finding", 1)[1]
    for code, (number, said) in verdict.CODES.items():
        assert f"| `{code}` | `{number}` | {said} |" in page
        assert f'"{code}"' in text, f"nothing says {code}"


def test_every_member_of_the_audit_record_is_described() -> None:
    from tidegate_audit.record import FIELDS

    page = (REFERENCE / "audit-record.md").read_text()
    schema = json.loads((REFERENCE / "audit-record.schema.json").read_text())
    assert [row for row in re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) if row in FIELDS] == list(FIELDS)
    assert list(schema["properties"]) == list(FIELDS)
    assert set(schema["required"]) == set(FIELDS)
