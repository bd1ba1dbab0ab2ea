"""Words of the command line as arguments, and schemas as rows."""

from pathlib import Path
from typing import Any

import pytest

from tidegate.cli import output, schemas


def made(word: str, schema: object) -> Any:
    found = schemas.arguments([f"k={word}"], {}, {"type": "object", "properties": {"k": schema}})
    return found["k"]


@pytest.mark.parametrize(
    ("schema", "word", "value"),
    [
        ({"type": "string"}, "5", "5"),
        ({"type": "string"}, "a=b", "a=b"),
        ({"type": "integer"}, "5", 5),
        ({"type": "number"}, "1e2", 100.0),
        ({"type": "boolean"}, "true", True),
        ({"type": ["integer", "null"]}, "null", None),
        ({"type": ["string", "null"]}, "null", "null"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "7", 7),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2]", [1, 2]),
        ({"type": "array", "items": {"type": "integer"}}, "3", [3]),
        ({"enum": [1, "2"]}, "1", 1),
        ({"enum": [1, "2"]}, "2", "2"),
        ({}, "1", "1"),
        (None, "1", "1"),
    ],
)
def test_a_value_is_what_its_schema_wants(schema: object, word: str, value: object) -> None:
    found = made(word, schema)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("schema", "word", "told"),
    [
        ({"type": "integer"}, "1.5", "k: '1.5' is no integer"),
        ({"type": "integer"}, "true", "k: 'true' is no integer"),
        ({"type": "number"}, "NaN", "k: 'NaN' is no number"),
        ({"type": "number"}, "[" * 100_000, "is no number"),
        ({"type": ["boolean", "null"]}, "yes", "k: 'yes' is no boolean"),
        ({"enum": ["a", 2]}, "c", "k: 'c' is none of \"a\", 2; k:=JSON sends what you want"),
        ({}, "\udcff", "k: the value isn't UTF-8"),
    ],
)
def test_what_does_not_fit_is_a_mistake(schema: object, word: str, told: str) -> None:
    with pytest.raises(output.Failure) as failed:
        made(word, schema)
    assert told in str(failed.value)
    assert failed.value.code == output.MISTAKE


def test_raw_json_goes_past_the_schema_and_later_words_win(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"a": 1, "b": [2]}')
    base = schemas.base_of(f"@{file}")
    assert schemas.arguments(["a:=[null]", "c=x"], base, None) == {"a": [None], "b": [2], "c": "x"}
    for word in ("a", "=1", ":=1", "a:=", "a:=NaN"):
        with pytest.raises(output.Failure):
            schemas.arguments([word], {}, None)


def test_a_schema_that_refers_to_itself_ends() -> None:
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/N"}, "all": {"type": "array", "items": {"$ref": "#/$defs/N"}}},
    }
    rows = schemas.rows({"$ref": "#/$defs/N", "$defs": {"N": node, "Loop": {"$ref": "#/$defs/Loop"}}})
    assert rows[0].name == "next"
    assert any(row.name == "all[].next" for row in rows)
    assert len(rows) < 1000
    loop = {"$defs": {"L": {"$ref": "#/$defs/L"}}, "properties": {"x": {"$ref": "#/$defs/L"}}}
    assert schemas.rows(loop)[0].kind == "any"


@pytest.mark.parametrize("schema", [None, 1, [], {"properties": []}, {"properties": {"a": 1}, "required": 3}])
def test_a_schema_that_is_none_breaks_nothing(schema: object) -> None:
    assert len(schemas.rows(schema)) <= 1
    assert schemas.arguments(["a=1"], {}, schema) == {"a": "1"}
