"""How a policy's text is moved below a name of its own, and which module asks it."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.opa_server import OpaServer
from tidegate_policy.config import OpaConfig
from tidegate_policy.http import Reply
from tidegate_policy.opa import Opa
from tidegate_policy.pushing import Pushed, failed, prepared
from tidegate_policy.sources import Failure, PolicyError, Sources, Unit

UNIT = Unit("bundle", "data.tidegate.decision")


def pushed(text: str, data: dict[str, Any] | None = None, units: tuple[Unit, ...] = (UNIT,)) -> Pushed:
    return prepared(Sources((("main.rego", text),), data or {}, "revision"), units)


def moved(text: str) -> str:
    """Return a text as OPA gets it, with ROOT where it was put."""
    made = pushed(text)
    whole = made.modules[0][1].replace(f"tidegate_{made.key}.policy", "ROOT")
    return whole.partition("\n\ndefault tidegate_mark_0")[0]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("package a", "package ROOT.a"),
        ("package  a.b # of data\n", "package  ROOT.a.b # of data\n"),
        ('package a["b c"].d', 'package ROOT.a["b c"].d'),
        ("# package x\npackage data", "# package x\npackage ROOT.data"),
        ("package a\nimport data.b.c as d", "package ROOT.a\nimport data.ROOT.b.c as d"),
        ('package a\nx := data["b"][y]', 'package ROOT.a\nx := data.ROOT["b"][y]'),
        ("package a\nx := input.data.y", "package ROOT.a\nx := input.data.y"),
        ("package a\nx := y.package.data", "package ROOT.a\nx := y.package.data"),
        ("package a\nx := mydata + data_ + data2", "package ROOT.a\nx := mydata + data_ + data2"),
        ('package a\nx := "data.b \\" data.c"', 'package ROOT.a\nx := "data.b \\" data.c"'),
        ("package a\nx := `data.b \\`; y := data.c", "package ROOT.a\nx := `data.b \\`; y := data.ROOT.c"),
        ("package a\nx if y with data.b as 1", "package ROOT.a\nx if y with data.ROOT.b as 1"),
        ("package a\nx := {data.b: data}", "package ROOT.a\nx := {data.ROOT.b: data.ROOT}"),
    ],
)
def test_data_is_written_anew_where_it_is_the_root_and_nowhere_else(text: str, wanted: str) -> None:
    assert moved(text) == wanted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"^main\.rego: a module begins with its package$"),
        ("x := 1", r"^main\.rego: a module begins with its package$"),
        ('package a\n\nx := $"{data.b}"', r"^main\.rego:3: a template string can't be used here"),
        ("package a\nx := $`{data.b}`", r"^main\.rego:2: a template string can't be used here"),
    ],
)
def test_what_cannot_be_moved_is_refused(text: str, told: str) -> None:
    with pytest.raises(PolicyError, match=told):
        pushed(text)


def test_what_is_another_policy_has_another_name() -> None:
    text = "package tidegate\ndecision := {}"
    keys = [
        pushed(text).key,
        pushed(text + "\n").key,
        pushed(text, {"a": 1}).key,
        pushed(text, units=(UNIT._replace(name="other"),)).key,
        pushed(text, units=(UNIT._replace(phases=frozenset({"list"})),)).key,
        pushed(text, units=(UNIT._replace(methods=frozenset({"x"})),)).key,
    ]
    assert len(set(keys)) == len(keys)
    assert pushed(text).key == keys[0]


def test_units_that_some_message_concerns_are_asked_together() -> None:
    calls = Unit("calls", "data.a.decision", frozenset({"request"}), frozenset({"tools/call"}))
    lists = Unit("lists", "data.b.decision", frozenset({"list"}))
    asked = pushed("package a", units=(UNIT, calls, lists)).asked
    alone = {("bundle",), ("calls",), ("lists",)}
    assert asked.keys() == alone | {("bundle", "calls"), ("bundle", "lists")}
    assert sorted(asked.values()) == list(range(5))


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (Reply(404, b""), Failure("down", "HTTP 404")),
        (Reply(503, b"x"), Failure("down", "HTTP 503")),
        (Reply(500, b"no JSON"), Failure("error")),
        (Reply(500, b'{"errors": 1}'), Failure("error")),
        (Reply(500, b'{"errors": [1, {"message": "a secret"}]}'), Failure("error")),
        (Reply(400, b'{"errors": [{"location": {"file": "a.rego", "row": 7}}]}'), Failure("error", "a.rego:7")),
    ],
)
def test_an_answer_that_is_no_success_says_where_and_never_what(reply: Reply, failure: Failure) -> None:
    assert failed(reply, None) == failure


def test_a_place_that_is_not_in_the_policy_is_not_shown() -> None:
    made = pushed("package a\n\nx := 1\n")
    known = f"tidegate/{made.key}/0.rego"
    assert made.where({"file": known, "row": 3}) == "main.rego:3"
    for location in (
        {"file": known, "row": "3"},
        {"file": known[:-6] + "9.rego", "row": 3},
        {"file": "x", "row": 3},
        None,
    ):
        assert made.where(location) == ""


@pytest.fixture(scope="module")
def server() -> Iterator[OpaServer]:
    with OpaServer() as started:
        yield started


POLICIES = {
    "modules that use each other": (
        {
            "a.rego": "package tidegate\nimport data.tidegate.lib.one\ndecision := {} if one.f(1)",
            "b.rego": "package tidegate.lib.one\nimport data.tidegate.lib.two\nf(x) if two.g(x)",
            "c.rego": "package tidegate.lib.two\ng(x) if x > 0",
        },
        {},
    ),
    "a decision that is found by walking": (
        {"a.rego": 'package tidegate\ndecision := {"labels": [v]} if walk(data.words, [["a", "b"], v])'},
        {"labels": ["found"]},
    ),
}


@pytest.mark.opa
@pytest.mark.parametrize("what", POLICIES)
async def test_policies_mean_the_same_below_their_new_name(server: OpaServer, what: str) -> None:
    modules, wanted = POLICIES[what]
    opa = Opa(OpaConfig(urls=(server.url,)), 5.0, Path())
    data = {"words": {"a": {"b": "found"}}}
    await opa.load(Sources(tuple(modules.items()), data, "revision"), (UNIT,))
    try:
        (answer,) = await opa.ask((UNIT,), {})
        assert answer == wanted
    finally:
        await opa.close()


def without(server: OpaServer, ending: str) -> None:
    """Delete the one policy in a server whose id ends so."""
    with urllib.request.urlopen(f"{server.url}/v1/policies") as answer:
        (gone,) = (each["id"] for each in json.load(answer)["result"] if each["id"].endswith(ending))
    urllib.request.urlopen(urllib.request.Request(f"{server.url}/v1/policies/{gone}", method="DELETE")).close()


@pytest.mark.opa
async def test_a_policy_half_of_which_is_gone_is_never_asked(server: OpaServer) -> None:
    """The deny in the second module is not there for a while; what is answered without it must not be taken."""
    first = 'package tidegate\nimport rego.v1\ndecision := {"deny": deny}\ndeny contains 1 if false'
    second = 'package tidegate\nimport rego.v1\ndeny contains {"rule": "all", "reason": "No."}'
    opa = Opa(OpaConfig(urls=(server.url,)), 5.0, Path())
    await opa.load(Sources((("a.rego", first), ("b.rego", second)), {}, "revision"), (UNIT,))
    try:
        without(server, "/1.rego")
        assert await opa.ask((UNIT,), {}) == [{"deny": [{"reason": "No.", "rule": "all"}]}]
    finally:
        await opa.close()
