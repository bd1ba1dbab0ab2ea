"""The page about personal data: its tables are the rules, and its example works, with a stand-in for Presidio."""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tidegate_scan.pii_validators
from tidegate import workers
from tidegate.testing import SettingsError, assert_denied, assert_passes, assert_redacted, harness, request, result_of

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "pii.md").read_text()
RULES = [
    rule
    for path in (Path(tidegate_scan.pii_validators.__file__).parent / "pii").glob("*.toml")
    for rule in tomllib.loads(path.read_text())["rule"]
]
ANALYZER = """
import re
from typing import NamedTuple


class Result(NamedTuple):
    start: int
    end: int
    entity_type: str
    score: float


class AnalyzerEngine:
    def analyze(self, text, language, entities, score_threshold):
        assert language == "en" and "PERSON" in entities and score_threshold == 0.6
        while "forever" in text:
            pass
        return [Result(*found.span(), "PERSON", 0.85) for found in re.finditer("Ada Lovelace", text)]
"""


def test_every_rule_and_group_stands_in_the_page_and_no_other() -> None:
    rows = "\n".join(re.findall(r"^\|.*$", PAGE, re.MULTILINE))
    named = set(re.findall(r"`([a-z][a-z0-9]*(?:-[a-z0-9]+)*)`", rows))
    known = {rule["id"] for rule in RULES} | {rule["group"] for rule in RULES}
    assert known <= named
    assert named - known == {"card", "version"}  # words of the descriptions


@pytest.fixture
def presidio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    source = re.search(r"^```python src/tidegate_presidio/__init__.py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert source
    (tmp_path / "tidegate_presidio.py").write_text(source[1])
    (tmp_path / "presidio_analyzer.py").write_text(ANALYZER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # for the worker, which imports by name
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("tidegate_presidio").Presidio
    sys.modules.pop("tidegate_presidio")


def call(text: str) -> Any:
    return request("tools/call", {"name": "send", "arguments": {"text": text}})


async def test_what_the_example_recognises_is_redacted(presidio: Any) -> None:
    async with harness(presidio) as h:
        said = result_of(call(""), {"content": [{"type": "text", "text": "Ask Ada Lovelace."}]})
        message = assert_redacted(await h.judge(said), "/result/content/0/text")
        assert message.body["content"][0]["text"] == "Ask [redacted:presidio-person]."
        assert_passes(await h.judge(call("Ask anyone.")))


async def test_what_the_example_cannot_redact_is_denied(presidio: Any) -> None:
    async with harness(presidio, {"characters": 1000}) as h:
        assert_denied(await h.judge(call("x" * 1001)), rule="presidio-too-long")
        keyed = request("tools/call", {"name": "send", "arguments": {"Ada Lovelace": 1}})
        assert_denied(await h.judge(keyed), rule="presidio-person")


async def test_a_text_that_takes_the_example_too_long_is_denied_and_the_next_one_is_judged(presidio: Any) -> None:
    async with harness(presidio, {"seconds": 3.0}, deadline=30) as h:
        assert_denied(await h.judge(call("forever")), code="broken")
        assert_passes(await h.judge(call("Ask anyone.")))


async def test_without_its_analyzer_the_example_does_not_start(presidio: Any, tmp_path: Path) -> None:
    (tmp_path / "presidio_analyzer.py").unlink()
    with pytest.raises(SettingsError):
        async with harness(presidio):
            pass
    await workers.close()  # there is no harness to end the one that failed
