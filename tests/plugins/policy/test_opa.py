"""The engine `opa`, in front of real OPA servers: what it answers, what it leaves behind, what it refuses."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.opa_server import OpaServer, free_port
from tidegate_policy.config import OpaConfig
from tidegate_policy.opa import Opa
from tidegate_policy.sources import Failure, PolicyError, Sources, Unit

pytestmark = pytest.mark.opa

MAIN = """package tidegate

import rego.v1

import data.tidegate.lib.text

decision := {"deny": deny}

deny contains {"rule": "bundle/word", "reason": data.words.reason} if text.folded(input.word) in data.words.bad

deny contains {"rule": "bundle/number", "reason": "no"} if to_number(input.number) > 3
"""
TEXT = """package tidegate.lib.text

import rego.v1

folded(word) := lower(word)
"""
PACK = """package tidegate.packs.sometimes

import rego.v1

decision := {"labels": ["seen"]} if input.phase == "request"
"""
SOURCES = Sources(
    (("main.rego", MAIN), ("lib/text.rego", TEXT), ("sometimes/sometimes.rego", PACK)),
    {"words": {"bad": ["bad"], "reason": "a bad word"}},
    "revision",
)
BUNDLE = Unit("bundle", "data.tidegate.decision")
SOMETIMES = Unit("sometimes", "data.tidegate.packs.sometimes.decision")
UNITS = (BUNDLE, SOMETIMES)
DENIED = {"deny": [{"reason": "a bad word", "rule": "bundle/word"}]}


def policy(text: str, path: str = "main.rego") -> Sources:
    return Sources(((path, text),), {}, "revision")


def kept(server: OpaServer) -> tuple[list[str], dict[str, Any]]:
    """Return what a server holds: the ids of its policies, and its data."""
    with urllib.request.urlopen(f"{server.url}/v1/policies") as answer:
        policies = json.load(answer)["result"]
    with urllib.request.urlopen(f"{server.url}/v1/data") as answer:
        return sorted(each["id"] for each in policies), json.load(answer)["result"]


def changed(server: OpaServer, path: str, method: str, body: bytes | None = None) -> None:
    urllib.request.urlopen(urllib.request.Request(f"{server.url}/v1/{path}", body, method=method))


@asynccontextmanager
async def engine(
    server: OpaServer | str,
    sources: Sources = SOURCES,
    units: tuple[Unit, ...] = UNITS,
    *,
    folder: Path = Path(),
    **config: Any,
) -> AsyncIterator[Opa]:
    """Return an engine with a policy, that has a lot of time: the machine may be busy."""
    url = server if isinstance(server, str) else server.url
    made = Opa(OpaConfig(urls=(url,), **config), 5.0, folder)
    await made.load(sources, units)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture(scope="module")
def server() -> Iterator[OpaServer]:
    with OpaServer() as started:
        yield started


async def test_each_unit_asked_gets_its_own_decision(server: OpaServer) -> None:
    async with engine(server) as opa:
        given = {"word": "BAD", "phase": "request"}
        assert await opa.ask(UNITS, given) == [DENIED, {"labels": ["seen"]}]
        assert await opa.ask((BUNDLE,), given) == [DENIED]
        assert await opa.ask((SOMETIMES,), given) == [{"labels": ["seen"]}]


async def test_units_in_an_order_nobody_foresaw_are_asked_all_the_same(server: OpaServer) -> None:
    async with engine(server) as opa:
        answers = await opa.ask((SOMETIMES, BUNDLE), {"word": "BAD", "phase": "request"})
        assert answers == [{"labels": ["seen"]}, DENIED]


async def test_a_unit_without_a_decision_is_undefined_and_the_others_are_not(server: OpaServer) -> None:
    async with engine(server) as opa:
        assert await opa.ask(UNITS, {"word": "bad", "phase": "reply"}) == [DENIED, Failure("undefined")]


async def test_an_error_is_told_with_file_and_line_for_the_unit_that_has_it(server: OpaServer) -> None:
    async with engine(server) as opa:
        answers = await opa.ask(UNITS, {"word": "", "number": "secret-value", "phase": "request"})
        assert answers == [Failure("error", "main.rego:11"), {"labels": ["seen"]}]


async def test_a_builtin_given_another_type_is_an_error_not_undefined(server: OpaServer) -> None:
    text = 'package tidegate\n\nimport rego.v1\n\ndecision := {"deny": []} if not startswith(input.word, "/etc")\n'
    async with engine(server, policy(text), (BUNDLE,)) as opa:
        assert await opa.ask((BUNDLE,), {"word": ["/etc/shadow"]}) == [Failure("error", "main.rego:5")]


async def test_all_items_of_a_list_are_asked_about_and_each_has_its_answer(server: OpaServer) -> None:
    async with engine(server) as opa:
        words = ["bad", "good", "Bad"]
        given = [{"word": word, "phase": "request" if word == "good" else "list"} for word in words]
        undefined = Failure("undefined")
        assert await opa.ask_each(UNITS, given) == [
            [DENIED, undefined],
            [{"deny": []}, {"labels": ["seen"]}],
            [DENIED, undefined],
        ]


async def test_an_error_about_one_item_is_no_answer_about_any(server: OpaServer) -> None:
    async with engine(server) as opa:
        given = [{"word": "good", "phase": "request"}, {"word": "", "number": "x", "phase": "request"}]
        failure = Failure("error", "main.rego:11")
        assert await opa.ask_each(UNITS, given) == [[failure, {"labels": ["seen"]}]] * 2


async def test_numbers_beyond_64_bits_and_hostile_names_arrive_as_they_are(server: OpaServer) -> None:
    text = """package tidegate

import rego.v1

decision := {"labels": [input[`a"/\\\\\\n{}`]]} if input.big == 1180591620717411303424
"""
    async with engine(server, policy(text.replace("\\\\\\", "\\")), (BUNDLE,)) as opa:
        assert await opa.ask((BUNDLE,), {"big": 2**70, 'a"/\\n{}': "x"}) == [{"labels": ["x"]}]


async def test_an_input_that_json_cannot_say_is_an_error(server: OpaServer) -> None:
    async with engine(server) as opa:
        assert await opa.ask((BUNDLE,), {"word": {1, 2}}) == [Failure("error")]


async def test_nothing_is_left_in_the_server_and_nothing_else_is_touched() -> None:
    with OpaServer() as own:
        for path, body in (("policies/theirs", b"package tidegate\n\nx := 1"), ("data/words", b'{"bad": ["good"]}')):
            changed(own, path, "PUT", body)
        before = kept(own)
        async with engine(own) as opa:
            assert await opa.ask((BUNDLE,), {"word": "good"}) == [{"deny": []}]
            assert len(kept(own)[0]) == len(before[0]) + len(SOURCES.modules) + 1
        assert kept(own) == before


async def test_two_policies_in_one_server_do_not_see_each_other(server: OpaServer) -> None:
    other = SOURCES._replace(data={"words": {"bad": ["worse"], "reason": "another"}})
    async with engine(server) as one, engine(server, other) as two:
        assert await one.ask((BUNDLE,), {"word": "worse"}) == [{"deny": []}]
        assert await two.ask((BUNDLE,), {"word": "worse"}) == [{"deny": [{"reason": "another", "rule": "bundle/word"}]}]
        assert await two.ask((BUNDLE,), {"word": "bad"}) == [{"deny": []}]


async def test_the_same_policy_stays_until_the_last_who_uses_it_has_gone(server: OpaServer) -> None:
    async with engine(server) as one:
        async with engine(server) as two:
            assert await two.ask((BUNDLE,), {"word": "bad"}) == [DENIED]
        assert await one.ask((BUNDLE,), {"word": "bad"}) == [DENIED]


async def test_another_policy_takes_the_place_of_the_first_and_the_first_is_removed() -> None:
    with OpaServer() as own:
        async with engine(own) as opa:
            first = kept(own)[0]
            await opa.load(policy('package tidegate\n\ndecision := {"labels": ["new"]}\n'), (BUNDLE,))
            assert await opa.ask((BUNDLE,), {"word": "bad"}) == [{"labels": ["new"]}]
            assert not set(first) & set(kept(own)[0])


async def test_a_policy_that_is_refused_leaves_the_old_one_where_it_was() -> None:
    with OpaServer() as own:
        async with engine(own) as opa:
            before = kept(own)
            with pytest.raises(PolicyError, match=r"^main\.rego:3: var nothing is unsafe$"):
                await opa.load(policy("package tidegate\n\ndecision := nothing\n"), (BUNDLE,))
            assert kept(own) == before
            assert await opa.ask((BUNDLE,), {"word": "bad"}) == [DENIED]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("package tidegate\n\ndecision := {", r"^main\.rego:3: "),
        (
            "package tidegate\n\nimport rego.v1\n\ndecision := {} if f.g(1)\n",
            r"^main\.rego:5: undefined function f\.g$",
        ),
        (
            "package tidegate\n\nimport rego.v1\n\ndecision := {} if data.tidegate.lib.f(1)\n",
            r"^main\.rego:5: undefined function data\.tidegate\.lib\.f$",
        ),
        ("decision := {}\n", r"^main\.rego: a module begins with its package$"),
        ('package tidegate\n\ndecision := {"labels": [$"{input.x}"]}', r"^main\.rego:3: a template string "),
        ("package tidegate\n\nimport rego.v1\n\na if b\n\nb if a\n", r"^main\.rego:5: rule data\.tidegate\.a is recur"),
    ],
)
async def test_what_does_not_compile_is_refused_with_file_line_and_reason(
    server: OpaServer, text: str, told: str
) -> None:
    before = kept(server)
    with pytest.raises(PolicyError, match=told):
        async with engine(server, policy(text), (BUNDLE,)):
            pass
    assert kept(server) == before


async def test_without_push_the_policies_that_are_there_are_asked(tmp_path: Path) -> None:
    (tmp_path / "main.rego").write_text(
        'package tidegate\n\nimport rego.v1\n\ndecision := {"labels": [input.word]} if input.word != ""\n'
    )
    with OpaServer(tmp_path / "main.rego") as own:
        async with engine(own, Sources((), {}, "external"), (BUNDLE,), push=False) as opa:
            before = kept(own)
            assert await opa.ask((BUNDLE,), {"word": "x"}) == [{"labels": ["x"]}]
            assert await opa.ask((BUNDLE,), {"word": ""}) == [Failure("undefined")]
            assert await opa.ask_each((BUNDLE,), [{"word": "x"}, {"word": ""}, {"word": "y"}]) == [
                [{"labels": ["x"]}],
                [Failure("undefined")],
                [{"labels": ["y"]}],
            ]
            assert kept(own) == before


async def test_what_is_lost_or_changed_in_the_server_is_noticed_and_given_anew(server: OpaServer) -> None:
    async with engine(server) as opa:
        policies, data = kept(server)
        key = next(name for name in data if name.startswith("tidegate_"))
        pack = next(each for each in policies if each.endswith("/2.rego"))
        for path in (f"policies/{pack}", f"data/{key}"):
            changed(server, path, "DELETE")
            assert await opa.ask(UNITS, {"word": "bad", "phase": "request"}) == [DENIED, {"labels": ["seen"]}]


async def test_a_server_that_is_not_there_is_named_in_one_sentence() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(PolicyError, match=rf"^the OPA server can't be used: {url}: Connect"):
        async with engine(url):
            pass


async def test_a_unix_socket_is_an_address(tmp_path: Path) -> None:
    with OpaServer(unix=tmp_path / "opa.sock") as own:
        async with engine(own) as opa:
            assert await opa.ask((BUNDLE,), {"word": "bad"}) == [DENIED]


AUTHZ = """package system.authz

import rego.v1

default allow := false

allow if input.identity == "the-token"

allow if input.path == ["health"]
"""


async def test_a_token_opens_a_server_that_asks_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "authz.rego").write_text(AUTHZ)
    with OpaServer("--authentication=token", "--authorization=basic", tmp_path / "authz.rego") as own:
        monkeypatch.setenv("OPA_TOKEN", "the-token")
        async with engine(own, token="env:OPA_TOKEN") as opa:
            assert await opa.ask((BUNDLE,), {"word": "bad"}) == [DENIED]
        monkeypatch.setenv("OPA_TOKEN", "not-the-token")
        with pytest.raises(PolicyError, match="it doesn't allow this") as caught:
            async with engine(own, token="env:OPA_TOKEN"):
                pass
        assert "not-the-token" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "the environment variable OPA_TOKEN is not set"), ("a\nb: c", "the token can't be sent in a header")],
)
async def test_a_token_that_cannot_be_sent_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str | None, told: str
) -> None:
    monkeypatch.delenv("OPA_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("OPA_TOKEN", value)
    with pytest.raises(PolicyError, match=told):
        Opa(OpaConfig(token="env:OPA_TOKEN"), 1.0, Path())


@pytest.mark.parametrize("url", ["http://user:word@localhost", "http://localhost?x=y", "http://", "http://h:99999"])
async def test_an_address_that_says_more_or_less_than_an_address_is_refused(url: str) -> None:
    with pytest.raises(PolicyError, match=r"^opa\.urls: ") as caught:
        Opa(OpaConfig(urls=(url,)), 1.0, Path())
    assert "word" not in str(caught.value)


async def test_what_is_being_asked_is_answered_before_the_engine_closes(server: OpaServer) -> None:
    text = """package tidegate

import rego.v1

decision := {"labels": [sprintf("%d", [count([1 | numbers.range(1, 300000)[_]])])]}
"""
    async with engine(server, policy(text), (BUNDLE,)) as opa:
        asked = asyncio.create_task(opa.ask((BUNDLE,), {}))
        await asyncio.sleep(0)
        await opa.close()
        assert asked.done()
        assert await asked == [{"labels": ["300000"]}]
        assert await opa.ask((BUNDLE,), {}) == [Failure("down")]


async def test_of_two_servers_both_keep_the_old_policy_where_the_new_one_is_refused(tmp_path: Path) -> None:
    with OpaServer() as first, OpaServer() as second:
        opa = Opa(OpaConfig(urls=(first.url, second.url)), 5.0, tmp_path)
        await opa.load(SOURCES, UNITS)
        before = kept(first), kept(second)
        with pytest.raises(PolicyError):
            await opa.load(policy("package tidegate\n\ndecision := nothing\n"), (BUNDLE,))
        assert (kept(first), kept(second)) == before
        await asyncio.to_thread(first.kill)
        assert [await opa.ask((BUNDLE,), {"word": "bad"}) for _ in range(2)] == [[DENIED]] * 2
        await opa.close()
        assert kept(second)[0] == []
