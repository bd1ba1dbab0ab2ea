"""The reference page and the schema say what the code does."""

import json
import re
from pathlib import Path
from typing import get_args

from plugins.audit.building import a_log, lines
from tidegate_audit import Audit, chain
from tidegate_audit.files import head_path, next_rotated, torn_path
from tidegate_audit.record import FIELDS, MOST_ITEMS
from tidegate_audit.verify import verify
from tidegate_audit.words import CUT, LONGEST, MASK, SENSITIVE

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
PAGE = (REFERENCE / "audit-record.md").read_text(encoding="utf-8")
SCHEMA = json.loads((REFERENCE / "audit-record.schema.json").read_text(encoding="utf-8"))


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, its head left out."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_the_page_and_the_schema_have_every_member_of_a_record_in_its_order() -> None:
    assert [row[0].strip("`") for row in rows("Members")] == list(FIELDS)
    assert list(SCHEMA["properties"]) == SCHEMA["required"] == list(FIELDS)


def test_the_page_has_every_setting_with_its_default() -> None:
    defaults = json.loads(Audit.Config().model_dump_json())
    assert {row[0].strip("`"): json.loads(row[1].strip("`")) for row in rows("Settings")} == defaults


def test_the_page_says_all_that_verification_can_find() -> None:
    assert {row[0].strip("`") for row in rows("The chain")} == set(get_args(chain.What))


def test_the_page_names_the_files_of_a_log_as_they_are(tmp_path: Path) -> None:
    path = a_log(tmp_path / "audit.jsonl", 1)
    named = [row[0].split("`")[1] for row in rows("The files")]
    assert named == [each.name for each in (path, next_rotated(path), head_path(path), torn_path(path))]


def test_the_page_says_the_bounds_and_the_masks_that_there_are() -> None:
    assert f"at most {LONGEST} characters; a longer one ends in `{CUT}`" in PAGE
    assert f"at most {MOST_ITEMS} findings and {MOST_ITEMS} edits" in PAGE
    assert f"`{MASK}`" in PAGE
    assert all(f"`{kind}`" in PAGE for kind in SENSITIVE)
    assert SCHEMA["properties"]["findings"]["maxItems"] == MOST_ITEMS + 1


def test_the_page_tells_how_to_compute_a_hash_by_hand(tmp_path: Path) -> None:
    from hashlib import sha256

    assert "cut the last 75 bytes, add `}`" in PAGE
    line = lines(a_log(tmp_path / "audit.jsonl", 1))[0].removesuffix(b"\n")
    assert sha256(line[:-75] + b"}").hexdigest() == json.loads(line)["hash"]


def test_the_example_of_a_verification_on_the_page_is_what_is_printed(tmp_path: Path) -> None:
    path = a_log(tmp_path / "audit.jsonl", 5)
    changed = lines(path)
    changed[2] = changed[2].replace(b"an event", b"no event")
    path.write_bytes(b"".join(changed))
    detail = verify(path).problems[0].detail
    assert re.search(rf"audit\.jsonl +3 +3 +changed +{detail}", PAGE)
