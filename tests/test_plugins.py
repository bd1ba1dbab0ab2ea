"""Finding and making interceptors: on any doubt Tidegate doesn't start, and says why in one sentence."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict, Field

import tidegate
from support.plugging import HERE, Install, load, refused
from support.rig import acting, entry, loaded
from tidegate import Message, Proxy, plugins, settings


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    before = set(sys.modules)
    yield Install(tmp_path, monkeypatch)
    for name in set(sys.modules) - before:
        del sys.modules[name]


# -- what is installed, and what is enabled ---------------------------------------------------------------------------

GOOD = """
import tidegate
class Quiet:
    @tidegate.hook
    def observe(self, decision): pass
"""


@pytest.mark.requirement("explicit-only")
def test_what_is_installed_and_not_named_is_never_imported(install: Install) -> None:
    install("tg_bomb", "raise SystemExit('imported')", "bomb = tg_bomb:Bomb")
    install("tg_quiet", GOOD, "quiet = tg_quiet:Quiet")
    found = plugins.installed()
    assert found["bomb"][:4] == ("bomb", "tg_bomb", "1.0", "tg_bomb:Bomb")
    assert found["lists"].distribution == "tidegate"
    (made,) = load(use="quiet")
    assert made.hooks.keys() == {"observe"}
    assert {"tg_quiet"} == {"tg_quiet", "tg_bomb"} & sys.modules.keys()


@pytest.mark.requirement("explicit-only")
def test_without_entries_nothing_is_even_looked_for(install: Install) -> None:
    for name in ("tg_one", "tg_two"):  # which can't both be
        install(name, "raise SystemExit('imported')", f"same = {name}:X")
    assert plugins.load(settings.build({}, folder=HERE)) == []


def test_one_name_in_two_distributions_is_refused_and_both_are_named(install: Install) -> None:
    install("tg_one", GOOD, "same = tg_one:Quiet")
    install("tg_two", GOOD, "same = tg_two:Quiet")
    said = refused(use="same")
    assert "interceptor 'same' is in both" in said
    assert {"tg_one", "tg_two"} <= set(said.replace(";", "").split())


def test_a_name_that_is_not_installed_is_said_with_those_that_are(install: Install) -> None:
    install("tg_quiet", GOOD, "quiet = tg_quiet:Quiet")
    said = refused(use="quite")
    assert said.startswith("interceptors: 'quite' is not installed (installed are: ")
    assert re.search(r"\blists\b.*\bquiet\b", said)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("Other = 1", "AttributeError: module 'tg_bad' has no attribute 'Thing'"),
        ("class Thing(", "SyntaxError: '(' was never closed (tg_bad.py, line 1)"),
        ("raise RuntimeError('first\\nsecond')", "RuntimeError: first second"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("undefined", "NameError: name 'undefined' is not defined"),
        ("open('/nonexistent/file')", "FileNotFoundError: [Errno 2] No such file or directory: '/nonexistent/file'"),
    ],
)
def test_a_module_that_can_not_be_imported_is_said_so(install: Install, source: str, said: str) -> None:
    install("tg_bad", source, "bad = tg_bad:Thing")
    assert refused(use="bad") == f"interceptor 'bad' can't be imported: {said}"


def test_what_is_no_class_is_refused(install: Install) -> None:
    install("tg_made", f"{GOOD}\nmade = Quiet()", "made = tg_made:made")
    assert refused(use="made") == "interceptor 'made' is not a class"


# -- how it is made ---------------------------------------------------------------------------------------------------


class Configured:
    class Config(BaseModel):
        model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
        words: list[str] = Field(min_length=1)
        limit: int = Field(3, alias="most", strict=True)

    def __init__(self, config: Config) -> None:
        if "never" in config.words:
            raise ValueError("words: 'never' is never said")
        self.config = config

    @tidegate.hook
    def decide(self, message: Message) -> None: ...


class Plain:
    @tidegate.hook
    def decide(self, message: Message) -> None: ...


class OpenConfig(Plain):
    class Config(BaseModel):
        model_config = ConfigDict(extra="allow")

    def __init__(self, config: Config) -> None:
        self.config = config


class BadConfig(Plain):
    Config: ClassVar[Any] = {"words": list}


class NeedsConfig(Plain):
    def __init__(self, config: Any) -> None: ...


class Unmade(Plain):
    def __init__(self) -> None:
        raise OSError(28, "No space left on device")


MISSING = "NeedsConfig.__init__() missing 1 required positional argument: 'config'"
MADE_WRONG: list[tuple[type, dict[str, Any], str]] = [
    (Plain, {"words": 1}, "interceptor 'mine' has no settings, but 'words' is given"),
    (Configured, {"words": ["a"], "wrods": 1}, "interceptor 'mine' has no setting 'wrods'"),
    (Configured, {"words": ["a"], "limit": 1}, "interceptor 'mine' has no setting 'limit'"),  # it is called `most`
    (Configured, {}, "interceptor 'mine': words: field required"),
    (Configured, {"words": 1}, "interceptor 'mine': words: input should be a valid list"),
    (Configured, {"words": ["a"], "most": "x"}, "interceptor 'mine': most: input should be a valid integer"),
    (Configured, {"words": 1, "most": "x"}, "interceptor 'mine': words: input should be a valid list (and 1 more)"),
    (Configured, {"words": ["never"]}, "interceptor 'mine': words: 'never' is never said"),
    (BadConfig, {}, "interceptor 'mine': its Config is not a pydantic model"),
    (NeedsConfig, {}, f"interceptor 'mine' can't be made: TypeError: {MISSING}"),
    (Unmade, {}, "interceptor 'mine' can't be made: OSError: [Errno 28] No space left on device"),
]


@pytest.mark.requirement("explicit-only")
@pytest.mark.parametrize(("cls", "given", "said"), MADE_WRONG, ids=[said for _, _, said in MADE_WRONG])
def test_settings_that_do_not_fit_are_refused(cls: type, given: dict[str, Any], said: str) -> None:
    assert refused(cls, {"use": "mine", **given}) == said


def test_an_interceptor_gets_its_settings_and_the_core_keeps_its_own() -> None:
    own = {"words": ["a"], "most": 5}
    (made,) = load(
        Configured, {"use": "mine", "name": "it", "deadline": 0.25, "report_only": True, "required": True, **own}
    )
    assert made.instance.config == Configured.Config(words=["a"], most=5)
    (hook,) = made.hooks.values()
    assert (hook.by, hook.name, hook.deadline_ns) == ("it", "decide", 250_000_000)
    assert (hook.report_only, hook.required, hook.matcher) == (True, True, None)


def test_a_config_may_take_any_setting() -> None:
    (made,) = load(OpenConfig, {"use": "mine", "anything": 1})
    assert made.instance.config.anything == 1


def test_one_class_may_be_used_twice_with_settings_of_its_own_each() -> None:
    first, second = load(
        Configured, {"use": "mine", "words": ["a"]}, {"use": "mine", "name": "again", "words": ["b"], "deadline": 1}
    )
    assert (first.name, second.name) == ("mine", "again")
    assert first.instance is not second.instance
    assert (first.instance.config.words, second.instance.config.words) == (["a"], ["b"])
    assert (first.hooks["decide"].deadline_ns, second.hooks["decide"].deadline_ns) == (2_000_000_000, 1_000_000_000)


@pytest.mark.requirement("explicit-only")
def test_a_when_for_a_server_that_is_not_there_is_refused() -> None:
    """Misspelt, it would switch the entry off, and nobody would know."""
    said = refused(Plain, {"use": "mine", "when": {"servers": ["server", "sever"]}})
    assert said == "interceptor 'mine': when.servers names 'sever', which isn't there (there are: server)"
    load(Plain, {"use": "mine", "when": {"servers": ["server", "other*", "gateway"]}})


def test_one_name_used_twice_is_refused() -> None:
    assert refused(Plain, {"use": "mine"}, {"use": "mine"}).endswith(
        "two interceptors are called 'mine'; give one of them another `name`"
    )


async def test_an_interceptor_is_told_its_surroundings_at_the_start() -> None:
    told: list[Proxy] = []
    built, pipeline = loaded(
        [entry({"name": "mine", "deadline": 0.5}, startup=told.append)],
        {
            "servers": {"a": {"command": ["x"], "labels": ["l"]}, "b": {"url": "http://h/", "trust": "high"}},
            "auth": {"tokens": [{"name": "ann", "sha256": "0" * 64}]},
        },
    )
    await pipeline.start(built)
    servers = (built.server("a"), built.server("b"))
    assert told == [Proxy("mine", HERE, servers, ("ann",), 0.5)]


def test_settings_order_the_interceptors() -> None:
    tree = {"interceptors": [{"use": "b"}, {"use": "a"}, {"use": "b", "name": "c"}]}
    made = plugins.load(settings.build(tree, folder=HERE), {"a": acting(decide=print), "b": acting(decide=print)})
    assert [item.name for item in made] == ["b", "a", "c"]
