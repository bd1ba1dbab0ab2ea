"""The shape of the sources: who imports whom, how long things grow, what tests may not do.

Each rule is a function from one module's source to its breaches, shown to notice a made-up breach, then run over
the project. A length is excused by a comment `# long: WHY`; an exemption from a check by the words beside it.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import tidegate

ROOT = Path(__file__).parents[1]
CORE = ROOT / "proxy" / "tidegate"
MODULE_LINES, FUNCTION_LINES = 400, 60

SANS_IO = ("message", "wire", "methods", "verdict", "correlate")
ERAS = ("gateway.eras", "gateway.older", "gateway.capabilities", "gateway.asking", "gateway.handles")
PUBLIC = ("testing", *tidegate.__all__)
IO = {"asyncio", "anyio", "aiohttp", "docker", "pluggy"}

_EXEMPTION = re.compile(
    r"(?P<directive>noqa(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?"
    r"|type:\s*ignore(\[[\w\-, ]+\])?|pragma:\s*no \w+)"
)
_WORD = re.compile(r"[^\W\d]{3,}")

Rule = Callable[[str], list[str]]


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if not {"node_modules", ".venv"} & set(path.parts)]


def imports(source: str, package: str = "") -> Iterator[tuple[int, str]]:
    """Yield line and full name of each import, at any depth; `from a import b` as a.b, relative ones resolved."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: -(node.level - 1) or None] if node.level else []
            origin = ".".join([*parts, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def no_plugin_import(source: str) -> list[str]:
    """The core knows no interceptor."""
    return [f"{line}: imports {name}" for line, name in imports(source) if name.startswith("tidegate_")]


def only_public_names(source: str, own: str) -> list[str]:
    """An interceptor uses Tidegate's public names, tidegate.testing, its own modules, and no other interceptor."""
    breaches = []
    for line, name in imports(source, own):
        top, _, rest = name.partition(".")
        public = rest in ("", *PUBLIC) or re.fullmatch(r"testing\.(?!_)\w+", rest)
        if (top == "tidegate" and not public) or (top.startswith("tidegate_") and top != own):
            breaches.append(f"{line}: imports {name}")
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id="tidegate"), attr=name) if name not in PUBLIC:
                breaches.append(f"{node.lineno}: uses tidegate.{name}")
    return breaches


def not_too_long(source: str) -> list[str]:
    """Modules stay under 400 lines and functions under 60, or say why not."""
    lines = source.splitlines()
    if len(lines) < FUNCTION_LINES:
        return []
    breaches = []
    if len(lines) >= MODULE_LINES and not any(re.search(r"# long: \w", line) for line in lines[:40]):
        breaches.append(f"1: a module of {len(lines)} lines")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            beside = "\n".join(lines[max(first - 2, 0) : node.lineno])
            if length >= FUNCTION_LINES and not re.search(r"# long: \w", beside):
                breaches.append(f"{node.lineno}: {node.name} has {length} lines")
    return breaches


def no_mocks(source: str) -> list[str]:
    """Tests run the real thing: nothing is mocked, and no attribute is patched."""
    breaches = [f"{line}: imports {name}" for line, name in imports(source) if re.match(r"(unittest\.)?mock\b", name)]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id="monkeypatch" | "mp"), attr="setattr" | "delattr" as name):
                breaches.append(f"{node.lineno}: monkeypatch.{name}")
            case ast.arg(arg="mocker"):
                breaches.append(f"{node.lineno}: mocker")
    return breaches


def no_sleeps(source: str) -> list[str]:
    """Tests wait for events; `asyncio.sleep(0)` only yields. What must sleep says so: `# sleep: WHY`."""
    breaches = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(args=[ast.Constant(value=0)]):
                continue
            case ast.Call(func=ast.Attribute(attr="sleep")) | ast.Call(func=ast.Name(id="sleep")):
                if "# sleep: " not in source.splitlines()[node.lineno - 1]:
                    breaches.append(f"{node.lineno}: sleeps")
    return breaches


def exemptions_have_reasons(source: str) -> list[str]:
    """Beside each noqa, type: ignore and pragma, or in a comment above it, words say why."""
    breaches = []
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or not _EXEMPTION.search(token.string):
            continue
        row = token.start[0]
        above = lines[row - 2].strip() if row > 1 else ""
        beside = _EXEMPTION.sub("", token.string)
        if not _WORD.search(beside) and not (above.startswith("#") and _WORD.search(above)):
            breaches.append(f"{row}: {token.string} without a reason")
    return breaches


def broad_excepts(source: str) -> list[str]:
    """Where any exception at all is caught and kept; what only tidies up and raises it again is fine."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ExceptHandler(body=[*_, ast.Raise(exc=None)]):
                continue
            case ast.ExceptHandler(type=caught):
                kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
                names = [kind.id if isinstance(kind, ast.Name) else kind for kind in kinds]
                if {None, "Exception", "BaseException"} & set(names):
                    found.append(f"{node.lineno}: catches everything")
    return found


def breaches(rule: Rule, paths: list[Path], signs: str = "") -> list[str]:
    """Return the breaches of a rule; where none of the signs stands, there are none, and nothing is parsed."""
    read = ((path, path.read_text()) for path in paths)
    found = ((path, source) for path, source in read if re.search(signs, source))
    return [f"{path.relative_to(ROOT)}:{told}" for path, source in found for told in rule(source)]


def hold(rule: Rule, paths: list[Path], signs: str = "") -> None:
    told = breaches(rule, paths, signs)
    assert not told, "\n".join(["", *told])


IN_A = partial(only_public_names, own="tidegate_a")
LONG_FUNCTION = "def f():\n" + "    pass\n" * FUNCTION_LINES


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        (no_plugin_import, "def f():\n    import tidegate_audit", "import tidegate.message"),
        (no_plugin_import, "from tidegate_lists import Lists", "from . import tidegate_thing_of_mine"),
        (IN_A, "from tidegate.wire import parse", "from tidegate import Deny"),
        (IN_A, "from tidegate import wire", "import tidegate\ntidegate.Deny"),
        (IN_A, "import tidegate\ntidegate.wire", "import tidegate.testing"),
        (IN_A, "import tidegate_b", "from . import chain"),
        (not_too_long, "x = 1\n" * MODULE_LINES, "# long: one table\n" + "x = 1\n" * MODULE_LINES),
        (not_too_long, LONG_FUNCTION, "# long: one table\n" + LONG_FUNCTION),
        (not_too_long, "@a\n@b\n" + LONG_FUNCTION, "# long: one table\n@a\n@b\n" + LONG_FUNCTION),
        (no_mocks, "from unittest import mock", "import unittest"),
        (no_mocks, "def test(monkeypatch):\n    monkeypatch.setattr(a, 'b', 1)", "monkeypatch.setenv('A', 'b')"),
        (no_mocks, "def test(mocker): ...", "def test(clock): ..."),
        (no_sleeps, "await asyncio.sleep(1)", "await asyncio.sleep(0)"),
        (no_sleeps, "time.sleep(0.1)", "time.sleep(60)  # sleep: the server that hangs"),
        (exemptions_have_reasons, "x = 1  # noqa: E501", "x = 1  # noqa: E501 - one long address"),
        (exemptions_have_reasons, "x = 1  # type: ignore[a-b]", "# set just above\nx = 1  # type: ignore[a-b]"),
        (exemptions_have_reasons, "x = 1  # pragma: no cover", "x = '# noqa'"),
        (broad_excepts, "try: ...\nexcept Exception: ...", "try: ...\nexcept OSError: ..."),
        (broad_excepts, "try: ...\nexcept (OSError, Exception): ...", "try: ...\nexcept (OSError, KeyError): ..."),
        (broad_excepts, "try: ...\nexcept: ...", "try: ...\nfinally: ..."),
        (
            broad_excepts,
            "try: ...\nexcept BaseException: ...",
            "try: ...\nexcept BaseException:\n    stop()\n    raise",
        ),
    ],
)
def test_each_rule_notices_its_breach_and_nothing_else(rule: Rule, bad: str, good: str) -> None:
    assert rule(bad)
    assert not rule(good)


def test_the_core_of_the_judgement_does_no_input_or_output() -> None:
    """The modules named, and every module of the core that they import, are free of loops and transports."""
    waiting, seen, found = [*SANS_IO, *ERAS], set[str](), []
    while waiting:
        module = waiting.pop()
        path = CORE / f"{module.replace('.', '/')}.py"
        if module in seen or not path.exists():
            assert module not in (*SANS_IO, *ERAS) or path.exists()
            continue
        seen.add(module)
        for line, name in imports(path.read_text(), f"tidegate.{module}".rpartition(".")[0]):
            top, _, rest = name.partition(".")
            if top in IO:
                found.append(f"{module}.py:{line}: imports {name}")
            if top == "tidegate":
                parts = rest.split(".")
                waiting += [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    assert not found


def test_the_core_imports_no_interceptor() -> None:
    hold(no_plugin_import, sources("proxy"), "tidegate_")


def test_an_interceptor_imports_only_public_names() -> None:
    packages = sorted(folder.name for folder in (ROOT / "plugins").iterdir() if folder.name.startswith("tidegate_"))
    assert packages
    for own in packages:
        hold(partial(only_public_names, own=own), sources(f"plugins/{own}"))


def test_modules_and_functions_stay_short_or_say_why_not() -> None:
    hold(not_too_long, sources("proxy", "plugins", "tests", "benchmarks", "examples"))


def test_only_the_callers_of_interceptors_catch_every_exception() -> None:
    found = [place.partition(":")[0] for place in breaches(broad_excepts, sources("proxy"), r"except\b")]
    # Where hooks are called, and waited for, and their like in a worker process, where offloaded code runs; and where
    # stores of secrets are asked, which anybody may have written, and whose errors may hold what they shouldn't.
    guards = ["proxy/tidegate/guard.py", "proxy/tidegate/guard.py"]
    assert found == [*guards, "proxy/tidegate/secret_stores/opening.py", "proxy/tidegate/workers.py"]


def test_tests_use_no_mocks() -> None:
    hold(no_mocks, sources("tests"), "mock|setattr|delattr")


def test_tests_do_not_sleep() -> None:
    tests = [path for path in sources("tests") if path.name.startswith("test_")]
    hold(no_sleeps, tests, "sleep")


def test_every_exemption_from_a_check_has_its_reason() -> None:
    hold(exemptions_have_reasons, sources("proxy", "plugins", "tests", "benchmarks", "examples"), _EXEMPTION.pattern)
