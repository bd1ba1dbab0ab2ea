"""The promises and the tests that show them, checked in both directions."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
_HEADING = re.compile(r"^### `([a-z-]+)`\n\n(.*?)\n\n", re.MULTILINE | re.DOTALL)

LAWS = {
    "judged-is-sent",
    "nothing-unjudged",
    "broken-is-denied",
    "deny-wins",
    "order-free",
    "no-blind-spot",
    "secrets-stay-in",
    "no-audit-no-traffic",
    "explicit-only",
    "no-orphans",
}


def manifest() -> dict[str, dict[str, str]]:
    tree = tomllib.loads((TESTS / "requirements.toml").read_text())
    return {entry["id"]: entry for entry in tree["requirement"]}


def untested() -> set[str]:
    return set(tomllib.loads((TESTS / "requirements.toml").read_text())["untested"])


def marks(source: str) -> Iterator[str]:
    """Yield what each `pytest.mark.requirement(...)` of a test module names."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="mark"), attr="requirement"), args=[named, *_]):
                yield named.value if isinstance(named, ast.Constant) and isinstance(named.value, str) else "?"


def shown() -> dict[str, list[str]]:
    """Return the test modules that carry each id."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for name in marks(path.read_text()):
            found[name].append(str(path.relative_to(TESTS)))
    return found


def told(text: str) -> str:
    return " ".join(text.split())


def test_marks_are_found_on_functions_and_on_modules() -> None:
    assert list(marks('@pytest.mark.requirement("a")\ndef test(): ...')) == ["a"]
    assert list(marks('pytestmark = [pytest.mark.slow, pytest.mark.requirement("b")]')) == ["b"]
    assert list(marks("pytest.mark.requirement(NAME)")) == ["?"]
    assert not list(marks("pytest.mark.docker"))


def test_every_promise_has_a_test() -> None:
    assert manifest().keys() - shown().keys() - untested() == set()


def test_every_mark_names_a_promise() -> None:
    assert {name: where for name, where in shown().items() if name not in manifest()} == {}


def test_a_promise_that_has_a_test_is_not_called_untested() -> None:
    assert untested() <= manifest().keys() - shown().keys()


def test_every_law_is_a_promise() -> None:
    assert manifest().keys() >= LAWS


def test_the_promises_are_those_of_the_security_policy_word_by_word() -> None:
    policy = {name: told(text) for name, text in _HEADING.findall((ROOT / "SECURITY.md").read_text())}
    assert {name: told(entry["text"]) for name, entry in manifest().items()} == policy


def test_every_promise_names_its_source() -> None:
    assert all(entry["source"] for entry in manifest().values())


def test_the_security_policy_says_what_is_in_scope_and_what_is_not() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    for part in re.split(r"^### ", text.split("## What Tidegate doesn't do")[0], flags=re.MULTILINE)[1:]:
        assert "\nIn scope: " in part, part[:40]
        assert "\nOut of scope: " in part, part[:40]
