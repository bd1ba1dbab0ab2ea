"""Rules' files: what is read, and that every mistake is one sentence that says where."""

from pathlib import Path
from typing import Any

import pytest

from tidegate_scan.rules import PII, WINDOW, Rule, RuleError, Window, load

SHIPPED = Path(__file__).parents[3] / "plugins" / "tidegate_scan"
GOOD = {
    "id": '"acme-token"',
    "title": '"Acme token"',
    "regex": r"'\bacme_([a-z0-9]{8})\b'",
    "literals": '["acme_"]',
    "confidence": "0.9",
    "examples": '["acme_k3v9x0p2"]',
    "not_examples": '["acme_k3v9"]',
    "source": '"https://acme.example/docs"',
}


def written(folder: Path, *, without: str = "", **members: str) -> Path:
    """A file with one rule: a good one, but for what is given."""
    path = folder / "own.toml"
    lines = [f"{name} = {value}" for name, value in {**GOOD, **members}.items() if name != without]
    path.write_text("\n".join(["[[rule]]", *lines]) + "\n")
    return path


def one(folder: Path, **members: str) -> Rule:
    (rule,) = load([written(folder, **members)], check_examples=True)
    return rule


def test_a_rule_has_the_members_of_its_table(tmp_path: Path) -> None:
    rule = one(tmp_path, validate='["mixed"]', window="64", entropy="2", context="true")
    assert (rule.id, rule.title, rule.literals, rule.window) == ("acme-token", "Acme token", ("acme_",), 64)
    assert (rule.validate, rule.entropy, rule.confidence, rule.context) == (("mixed",), 2.0, 0.9, True)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    rule = one(tmp_path)
    assert (rule.window, rule.validate, rule.entropy, rule.context, rule.ignore_case) == (WINDOW, (), 0.0, False, False)


@pytest.mark.parametrize(
    ("regex", "secret"),
    [
        (r"'x(?P<key>acme_)(?P<secret>[a-z0-9]{8})'", "k3v9x0p2"),
        (r"'xacme_([a-z0-9]{8})'", "k3v9x0p2"),
        (r"'acme_[a-z0-9]{8}'", "acme_k3v9x0p2"),
        (r"'acme_(?:(z)|[a-z0-9]{8})'", "acme_k3v9x0p2"),
    ],
)
def test_the_secret_is_the_group_of_that_name_else_the_first_else_everything(
    tmp_path: Path, regex: str, secret: str
) -> None:
    text = b"xacme_k3v9x0p2"
    (rule,) = load([written(tmp_path, regex=regex)])
    (span,) = rule.spans(text, [Window(0, len(text))])
    assert text[slice(*span)].decode() == secret


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"regexp": '"x"'}, "rule acme-token: has an unknown key 'regexp'"),
        ({"without": "regex"}, "rule acme-token: has no regex"),
        ({"without": "literals"}, "rule acme-token: its literals must hold at least one text"),
        ({"digits": "4"}, "rule acme-token: its digits must be from 2 to 512, and stand in place of literals"),
        ({"without": "literals", "digits": "1"}, "rule acme-token: its digits must be from 2"),
        ({"without": "id"}, "rule number 1: has no id"),
        ({"regex": "'acme_(?=x)'"}, "rule acme-token: its regex isn't RE2's: "),
        ({"regex": "'(?:acme_)?'"}, "rule acme-token: its regex matches an empty text"),
        ({"literals": "[]"}, "rule acme-token: its literals must hold at least one text"),
        ({"literals": '["acme_", ""]'}, "rule acme-token: its literals must hold at least one text"),
        ({"literals": '["ACME_"]', "ignore_case": "true"}, "rule acme-token: its literals must be lower case"),
        ({"literals": '"acme_"'}, "rule acme-token: its literals must be a list of strings"),
        ({"validate": '["luck"]'}, "rule acme-token: its validator 'luck' is unknown"),
        ({"id": '"Acme Token"'}, "rule Acme Token: its id must be small letters"),
        ({"window": "true"}, "rule acme-token: its window must be a whole number"),
        ({"window": "99999"}, "rule acme-token: its window must be from 0"),
        ({"confidence": "0"}, "rule acme-token: its confidence must be above 0"),
        ({"entropy": "9.5"}, "rule acme-token: its entropy must be from 0 to 8"),
        ({"examples": "[]"}, "rule acme-token: it needs at least one example"),
        ({"examples": '["acme_k3v9x0p2", "acme"]'}, "rule acme-token: its example number 2 isn't found"),
        ({"not_examples": '["acme_k3v9x0p3"]'}, "rule acme-token: its not_examples number 1 is found"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_file_and_rule(tmp_path: Path, members: dict[str, Any], says: str) -> None:
    path = written(tmp_path, **members)
    with pytest.raises(RuleError) as caught:
        load([path], check_examples=True)
    text = str(caught.value)
    assert text.startswith(f"{path}: {says}")
    assert text.endswith(".")
    assert "\n" not in text


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    first = written(tmp_path)
    second = tmp_path / "more.toml"
    second.write_text(first.read_text())
    with pytest.raises(RuleError, match=r"more\.toml: rule acme-token: its id stands in .*own\.toml already"):
        load([first, second])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[[rule]\n", "isn't TOML: "),
        (b"\xff", "isn't UTF-8"),
        (b"[rule]\nid = 'a'\n", "rules are written as"),
        (b"[[rules]]\nid = 'a'\n", "has an unknown key 'rules'"),
    ],
)
def test_a_file_that_holds_no_rules_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    with pytest.raises(RuleError) as caught:
        load([path])
    assert str(caught.value).startswith(f"{path}: {says}")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="can't be read: No such file"):
        load([tmp_path / "none.toml"])


def test_a_mistake_never_shows_what_an_example_holds(tmp_path: Path) -> None:
    for members in ({"examples": '["hunter2-is-mine"]'}, {"not_examples": '["acme_k3v9x0p3"]'}, {"examples": "[3]"}):
        with pytest.raises(RuleError) as caught:
            one(tmp_path, **members)
        assert "hunter2" not in str(caught.value)
        assert "k3v9x0p3" not in str(caught.value)


def test_the_rules_that_ship_find_their_examples() -> None:
    assert load(sorted((SHIPPED / "rules").glob("*.toml")), check_examples=True)


def test_the_rules_for_personal_data_find_their_examples() -> None:
    assert load(sorted((SHIPPED / "pii").glob("*.toml")), check_examples=True, kind=PII)
