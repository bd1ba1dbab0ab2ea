"""The page about containers shows each thing that the hostile server tries, as the tests see it end."""

import re
from collections.abc import Iterator

import pytest

from containers.hostile.everything import ATTEMPTS, ENDINGS
from docs.pages import ROOT

PAGE = ROOT / "docs" / "containers.md"


def attempts() -> Iterator[tuple[str, ...]]:
    yield ("it tries to", "what holds it", "how that ends")
    for each in ATTEMPTS.values():
        yield (each.tries, each.held_by, ", ".join(f"`{outcome}`" for outcome in each.outcomes))


def endings() -> Iterator[tuple[str, ...]]:
    yield ("it tries to", "what ends it")
    for each in ENDINGS.values():
        yield (each.tries, each.held_by)


def table(rows: Iterator[tuple[str, ...]]) -> str:
    first, *others = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (first, tuple("---" for _ in first), *others))


@pytest.mark.parametrize(("name", "rows"), [("attempts", attempts), ("endings", endings)])
def test_a_table_is_what_is_tested(name: str, rows: object) -> None:
    assert callable(rows)
    found = re.search(rf"<!-- {name}: begin -->\n(.*?)\n<!-- {name}: end -->", PAGE.read_text(), re.DOTALL)
    assert found is not None
    assert found[1] == table(rows())
