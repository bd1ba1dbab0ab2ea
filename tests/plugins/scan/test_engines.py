"""The comparison with other engines: what is installed finds something, and the page is what the command makes."""

import json
import random
import string
import sys
from pathlib import Path

import pytest

from plugins.scan.corpus.measure import Report

sys.path.append(str(Path(__file__).resolve().parents[3]))

from benchmarks import engines
from benchmarks.engine_adapters import ADAPTERS, Spot, spot_span

PAGE = engines.ROOT / "docs" / "secret-engines.md"


def token() -> str:
    """A token that every one of the engines has a rule for, of valid form and made up here."""
    made = random.Random(4)
    digits = ["".join(made.choices(string.digits, k=12)) for _ in range(2)]
    return "-".join(("xoxb", *digits, "".join(made.choices(string.ascii_letters + string.digits, k=24))))


def test_every_engine_that_is_installed_finds_a_plain_token_in_its_place() -> None:
    """`python -m benchmarks.engines` installs them; without it there are none, and nothing to see."""
    text = f'größe = "nothing"\nkey = "{token()}" # é\n'
    start = text.index(token())
    for name in [name for name, adapter in ADAPTERS.items() if engines.is_installed(adapter)]:
        told = engines.answer(name, ["nothing to see", text], {}, [])
        assert told["hits"][0] == [], name
        assert (start, start + len(token())) in {(low, high) for low, high, _ in told["hits"][1]}, name
        assert told["version"] == ADAPTERS[name].requirement.partition("==")[2]


def test_places_told_in_lines_and_bytes_become_characters() -> None:
    text = 'é\né = "sésame" end\n'

    def told(secret: str, first: int, last: int, drift: int, *, decoded: bool) -> str:
        lines = {"first_line": 2, "last_line": 2}
        spot = Spot("r", secret, decoded, **lines, first_column=first, last_column=last, drift=drift)
        return text[slice(*spot_span(text, spot))]

    assert told("sésame", 1, 13, 0, decoded=False) == "sésame"
    assert told("other", 7, 13, 0, decoded=True) == "sésame"
    assert told("other", 8, 14, 1, decoded=True) == "sésame"


def test_engines_get_keys_and_decoded_values_with_their_places() -> None:
    inner = json.dumps({"a/b": ["one", {"c": "two\nlines"}]})
    got = [tuple(leaf) for leaf in engines.leaves({"body": inner, "n": 1})]
    assert got == [
        ("/body", "body", 0),
        ("/body/~2/a~1b", "a/b", 0),
        ("/body/~2/a~1b/0", "a/b=one", 4),
        ("/body/~2/a~1b/1/c", "c", 0),
        ("/body/~2/a~1b/1/c", "two\nlines", 0),
        ("/n", "n", 0),
    ]


def test_the_page_has_the_tables_that_the_command_makes() -> None:
    text = PAGE.read_text()
    for headings in (engines.FIGURES, engines.SPEEDS, engines.SETTINGS):
        assert "| " + " | ".join(headings) + " |" in text
    for title in ("Tidegate", *(adapter.title for adapter in ADAPTERS.values())):
        assert f"| {title} |" in text or f"Left out: {title}," in text


def test_tables_replace_what_stands_between_the_markers_alone() -> None:
    text = f"before\n{engines.BEGIN}\nold\n{engines.END}\nafter\n"
    assert engines.written(text, "new") == f"before\n{engines.BEGIN}\n\nnew\n\n{engines.END}\nafter\n"
    with pytest.raises(ValueError, match="lacks the markers"):
        engines.written("before\n", "new")


def test_an_engine_that_is_missing_is_named_with_the_reason() -> None:
    result = engines.Result("Tidegate", "1", "as it is", "messages", Report())
    assert "Left out: gitleaks, because it rains." in engines.page([result], {"gitleaks": "it rains"}, 1)
