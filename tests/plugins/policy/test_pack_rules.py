"""The packs' own tests, on every engine: `opa test`, the embedded engine, and an OPA server."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.opa import opa_path
from support.opa_server import OpaServer
from tidegate_policy import builtins, packs
from tidegate_policy.evaluating import Policy
from tidegate_policy.syntax import parse

FOLDER = packs.folder()
LIBRARY = sorted(path for path in (FOLDER / "lib").glob("*.rego") if not path.name.endswith("_test.rego"))
FEWEST = 30
_RULE = re.compile(r"^(test_\w+)", re.MULTILINE)


def files(pack: str) -> list[Path]:
    return [*LIBRARY, *sorted((FOLDER / pack).glob("*.rego"))]


def modules(pack: str) -> list[tuple[str, str]]:
    return [(path.relative_to(FOLDER).as_posix(), path.read_text()) for path in files(pack)]


def rules(pack: str) -> list[str]:
    """The queries of a pack's tests."""
    found = []
    for _, text in modules(pack):
        package = re.search(r"^package ([\w.]+)", text, re.MULTILINE)
        assert package is not None
        found += [f"data.{package[1]}.{name}" for name in dict.fromkeys(_RULE.findall(text))]
    return found


@pytest.mark.parametrize("pack", packs.names())
def test_every_pack_has_a_page_and_enough_tests_of_ways_around_it(pack: str) -> None:
    assert (FOLDER.parent / "docs" / "policies" / f"{pack}.md").exists()
    assert sum(".test_bypass" in query for query in rules(pack)) >= FEWEST


@pytest.mark.parametrize("pack", packs.names())
def test_a_packs_tests_pass_on_the_embedded_engine(pack: str) -> None:
    queries = rules(pack)
    answers = Policy(modules(pack), {}).ask(queries)
    assert [query for query, answer in zip(queries, answers, strict=True) if answer != "true"] == []


@pytest.mark.opa
@pytest.mark.parametrize("pack", packs.names())
def test_a_packs_tests_pass_on_opa(pack: str) -> None:
    program = opa_path()
    assert program is not None
    done = subprocess.run(
        [program, "test", "--format", "json", *map(str, files(pack))], capture_output=True, text=True, check=False
    )
    results = json.loads(done.stdout)
    assert [result["name"] for result in results if result.get("fail") or "error" in result] == []
    assert done.returncode == 0
    assert len(results) == len(rules(pack))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpaServer]:
    with OpaServer(tmp_path_factory.mktemp("opa")) as running:
        yield running


def put(url: str, text: str) -> None:
    request = urllib.request.Request(url, text.encode(), {"content-type": "text/plain"}, method="PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


@pytest.mark.opa
@pytest.mark.parametrize("pack", packs.names())
def test_a_packs_tests_pass_through_an_opa_server(pack: str, server: OpaServer) -> None:
    for path, text in modules(pack):
        put(f"{server.url}/v1/policies/{path}", text)
    for query in rules(pack):
        said = get(f"{server.url}/v1/{query.replace('.', '/')}?strict-builtin-errors=true")
        assert said.get("result") is True, query


def test_packs_use_nothing_that_the_engines_do_differently() -> None:
    for pack in packs.names():
        program = parse(text for text in modules(pack) if not text[0].endswith("_test.rego"))
        assert builtins.refusals(program) == []
        assert builtins.differences(program) == []
