"""Loading interceptors: each doubt stops the start with one clear sentence; installing a package enables nothing."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

import tidegate
from support.rig import running_pipeline
from tidegate import Decision, Deny, Finding, Flow, Message, plugins, settings
from tidegate.settings import SettingsError
from tidegate.testing import flow, request

pytestmark = pytest.mark.requirement("explicit-only")

CALL = request("tools/call", {"name": "add"})


def built(*entries: dict[str, Any]) -> settings.Settings:
    tree = {"servers": {"server": {"command": ["true"]}}, "interceptors": [{"use": "mine", **each} for each in entries]}
    return settings.build(tree, folder=Path("/nonexistent"))


def load(cls: type, *entries: dict[str, Any]) -> list[plugins.Interceptor]:
    return plugins.load(built(*(entries or ({},))), {"mine": cls})


def refused(cls: type, *entries: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(cls, *entries)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 300, said
    return said


class Plain:
    @tidegate.hook
    def decide(self, message: Message) -> None:
        return None


class Misspelt:
    @tidegate.hook
    def decyde(self, message: Message) -> None: ...


class MisspeltAndOptional:
    @tidegate.hook(optionalhook=True)
    def decyde(self, message: Message) -> None: ...


class Unmarked:
    def decide(self, message: Message) -> None: ...


class HalfMarked:
    @tidegate.hook
    def inspect(self, message: Message) -> None: ...

    def observe(self, decision: Decision) -> None: ...


class Wrapper:
    @tidegate.hook(wrapper=True)
    def decide(self, message: Message) -> Iterator[None]:
        yield


class OldWrapper:
    @tidegate.hook(hookwrapper=True)
    def decide(self, message: Message) -> Iterator[None]:
        yield


class WrongArgument:
    @tidegate.hook
    def decide(self, msg: Message) -> None: ...


class ArgumentOfAnother:
    @tidegate.hook
    def inspect(self, message: Message, findings: Any) -> None: ...


class NoHook:
    def help(self) -> None: ...


class Twice:
    @tidegate.hook
    def decide(self, message: Message) -> Deny:
        return Deny("No.")

    @tidegate.hook(specname="decide")
    def decide_again(self, message: Message) -> None: ...


class AsyncGenerator:
    @tidegate.hook
    async def inspect(self, message: Message) -> AsyncIterator[Finding]:
        yield Finding("a", "b")


class OddConfig(Plain):
    class Config:
        deny: str = ""


class ConfigIsNoClass(Plain):
    Config = "deny"


class TakesNone(Plain):
    class Config(BaseModel):
        deny: str = ""


class TakesTooMuch(Plain):
    def __init__(self, config: Any) -> None: ...


class RefusesItself(Plain):
    class Config(BaseModel):
        path: str = ""

    def __init__(self, config: Config) -> None:
        raise ValueError("path must be absolute")


class CantOpen(RefusesItself):
    def __init__(self, config: Any) -> None:
        raise FileNotFoundError(2, "No such file or directory", "rules.txt")


class Configured(Plain):
    class Config(BaseModel):
        model_config = ConfigDict(hide_input_in_errors=True)
        deny: list[str] = Field([], alias="denied")
        most: int = 5

    def __init__(self, config: Config) -> None:
        self.config = config


@pytest.mark.parametrize(
    ("cls", "entries", "expected"),
    [
        (Misspelt, [{}], "hook 'decyde', which doesn't exist"),
        (MisspeltAndOptional, [{}], "hook 'decyde', which doesn't exist"),
        (Unmarked, [{}], "'mine': its method decide is not marked with @tidegate.hook"),
        (HalfMarked, [{}], "'mine': its method observe is not marked with @tidegate.hook"),
        (Wrapper, [{}], "'mine': decide is a hook wrapper"),
        (OldWrapper, [{}], "'mine': decide is a hook wrapper"),
        (WrongArgument, [{}], "'mine'.*decide.*msg"),
        (ArgumentOfAnother, [{}], "'mine'.*inspect.*findings"),
        (NoHook, [{}], "'mine' implements no hook"),
        (Twice, [{}], "'mine' implements decide twice"),
        (AsyncGenerator, [{}], "'mine': inspect must return its results, not yield them"),
        (Plain, [{"deny": 1}], "'mine' has no settings, but 'deny' is given"),
        (Plain, [{"requird": True}], "'mine' has no settings, but 'requird' is given"),
        (Configured, [{"deni": []}], "'mine' has no setting 'deni'"),
        (Configured, [{"deny": []}], "'mine' has no setting 'deny'"),
        (Configured, [{"denied": "x"}], "'mine'.*denied.*list"),
        (Configured, [{"most": "many"}], "'mine'.*most.*integer"),
        (OddConfig, [{}], "'mine': its Config is not a pydantic model"),
        (ConfigIsNoClass, [{}], "'mine': its Config is not a pydantic model"),
        (TakesNone, [{}], "'mine'.*TypeError"),
        (TakesTooMuch, [{}], "'mine'.*TypeError"),
        (RefusesItself, [{}], "'mine': path must be absolute"),
        (CantOpen, [{}], "'mine'.*No such file"),
    ],
)
def test_what_does_not_fit_stops_the_start_with_one_sentence(
    cls: type, entries: list[dict[str, Any]], expected: str
) -> None:
    said = refused(cls, *entries)
    assert re.search(expected, said), said


def test_two_entries_of_one_name_stop_the_start() -> None:
    with pytest.raises(SettingsError, match="two interceptors are called 'mine'; give one of them another `name`"):
        built({}, {})
    assert [each.name for each in load(Plain, {}, {"name": "other"})] == ["mine", "other"]


def test_what_is_not_installed_stops_the_start() -> None:
    with pytest.raises(SettingsError, match=r"'mine' is not installed \(installed are: .*audit.*lists"):
        plugins.load(built({}))


def test_one_class_can_be_used_twice_with_different_settings() -> None:
    first, second = load(Configured, {"denied": ["a"]}, {"name": "second", "denied": ["b"], "most": 1})
    assert (first.instance.config.deny, first.instance.config.most) == (["a"], 5)
    assert (second.instance.config.deny, second.instance.config.most) == (["b"], 1)


def test_an_entry_may_have_its_own_deadline() -> None:
    first, second = load(Plain, {}, {"name": "second", "deadline": 0.25})
    assert [each.hooks["decide"].deadline_ns for each in (first, second)] == [2 * 10**9, 250_000_000]


class Everything:
    """Takes the arguments in every order and number, and as every kind of method."""

    seen: list[tuple[str, ...]]

    def __init__(self) -> None:
        self.seen = []

    @tidegate.hook
    def transform(self, flow: Flow, message: Message) -> None:
        self.seen.append((type(flow).__name__, type(message).__name__))

    @tidegate.hook
    def inspect(self) -> None:
        self.seen.append(())

    @tidegate.hook
    def decide(self, findings: Any, message: Message) -> None:
        self.seen.append((type(findings).__name__, type(message).__name__))

    @tidegate.hook
    async def observe(self, decision: Decision) -> None:
        self.seen.append((type(decision).__name__,))


async def test_an_implementation_takes_the_arguments_it_names_in_any_order() -> None:
    (made,) = load(Everything)
    async with running_pipeline() as pipeline:
        pipeline.interceptors.append(made)
        await pipeline.judge(CALL, flow(CALL))
    assert made.instance.seen == [("Flow", "Message"), (), ("tuple", "Message"), ("Decision",)]


# -- what is installed --------------------------------------------------------------------------------------------


def distribution(folder: Path, name: str, entry_point: str, source: str = "") -> None:
    """Put a distribution with one interceptor where Python finds it."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tidegate]\n{entry_point}\n")
    if source:
        (folder / f"{name}_module.py").write_text(source)


GOOD = "import tidegate\nprint('imported')\nclass Mine:\n    @tidegate.hook\n    def decide(self, message): ...\n"
LOAD = """
from pathlib import Path
from tidegate import plugins, settings
from tidegate.settings import SettingsError
try:
    print("installed:", *sorted(plugins.installed()))
    print("loaded:", *[each.name for each in plugins.load(settings.parse({!r}, folder=Path()))])
except SettingsError as error:
    print("refused:", error)
"""


def loading(folder: Path, toml: str) -> str:
    """Load settings in a Python that has the distributions of a folder; return what it says."""
    run = [sys.executable, "-c", LOAD.format(toml)]
    environment = {"PYTHONPATH": str(folder), "PATH": ""}
    done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_installing_an_interceptor_enables_and_imports_nothing(tmp_path: Path) -> None:
    distribution(tmp_path, "theirs", "theirs = theirs_module:Mine", GOOD)
    said = loading(tmp_path, "")
    assert "theirs" in said
    assert "imported" not in said
    assert said.endswith("loaded:\n")
    assert "loaded: theirs" in loading(tmp_path, '[[interceptors]]\nuse = "theirs"')


@pytest.mark.parametrize(
    ("point", "source", "expected"),
    [
        ("theirs_module:Other", GOOD, "'theirs' can't be imported: AttributeError"),
        ("nowhere_module:Mine", GOOD, "'theirs' can't be imported: ModuleNotFoundError"),
        ("theirs_module:Mine", "def (", "'theirs' can't be imported: SyntaxError"),
        (
            "theirs_module:Mine",
            "raise RuntimeError('no licence')",
            "'theirs' can't be imported: RuntimeError: no licence",
        ),
        ("theirs_module:Mine", "Mine = 5", "'theirs' is not a class"),
    ],
)
def test_an_interceptor_that_cant_be_imported_stops_the_start(
    tmp_path: Path, point: str, source: str, expected: str
) -> None:
    distribution(tmp_path, "theirs", f"theirs = {point}", source)
    assert expected in loading(tmp_path, '[[interceptors]]\nuse = "theirs"')


def test_two_distributions_with_interceptors_of_one_name_stop_the_start(tmp_path: Path) -> None:
    distribution(tmp_path, "theirs", "same = theirs_module:Mine", GOOD)
    distribution(tmp_path, "others", "same = others_module:Mine", GOOD)
    assert "refused: interceptor 'same' is in both" in loading(tmp_path, "")
