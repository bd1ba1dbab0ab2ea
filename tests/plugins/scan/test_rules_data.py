"""The shipped rules hold what they promise, shown with RE2 alone, apart from the engine that runs them."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]  # the package ships no types

from tidegate_scan.not_secrets import is_no_secret, is_placeholder
from tidegate_scan.validators import VALIDATORS, entropy

RULES = Path(__file__).parents[3] / "plugins" / "tidegate_scan" / "rules"
AT_LEAST = 220


def _all() -> list[tuple[str, dict[str, Any]]]:
    files = sorted(RULES.glob("*.toml"))
    return [(file.name, rule) for file in files for rule in tomllib.loads(file.read_text(encoding="utf-8"))["rule"]]


ALL = _all()
each_rule = pytest.mark.parametrize("rule", [rule for _, rule in ALL], ids=[rule["id"] for _, rule in ALL])


def _secrets(rule: dict[str, Any], text: str) -> list[str]:
    """What a rule finds in a text: regex, entropy, validators and exclusions, one after the other."""
    folded = text.lower() if rule.get("ignore_case") else text
    if not any(literal in folded for literal in rule["literals"]):
        return []
    options = re2.Options()
    options.case_sensitive = not rule.get("ignore_case", False)
    found = []
    for match in re2.compile(rule["regex"], options).finditer(text):
        group = 1 if match.re.groups and match[1] is not None else 0
        secret = match[group]
        if entropy(secret) < rule.get("entropy", 0.0):
            continue
        if not all(VALIDATORS[name](secret) for name in rule.get("validate", [])):
            continue
        line = text[text.rfind("\n", 0, match.start(group)) + 1 : match.end(group)]
        excluded = is_no_secret(secret, line) if rule.get("context") else is_placeholder(secret)
        if not excluded:
            found.append(secret)
    return found


def test_there_are_rules_for_every_well_known_issuer() -> None:
    assert len(ALL) >= AT_LEAST
    ids = {rule["id"] for _, rule in ALL}
    assert {
        "github-pat",
        "gitlab-pat",
        "aws-access-key-id",
        "openai-key",
        "anthropic-key",
        "slack-token",
        "stripe-key",
        "private-key",
        "jwt",
    } <= ids


def test_no_two_rules_share_an_id() -> None:
    ids = [rule["id"] for _, rule in ALL]
    assert len(ids) == len(set(ids))


@each_rule
def test_a_rule_says_what_it_is_and_where_its_format_comes_from(rule: dict[str, Any]) -> None:
    assert rule["source"].startswith("https://")
    assert rule["title"].strip() == rule["title"] != ""
    assert 0 < rule["confidence"] <= 1
    assert set(rule.get("validate", [])) <= VALIDATORS.keys()
    assert rule["literals"]
    if rule.get("ignore_case"):
        assert all(literal == literal.lower() for literal in rule["literals"])


@each_rule
def test_a_rule_finds_its_examples(rule: dict[str, Any]) -> None:
    assert rule["examples"]
    for example in rule["examples"]:
        folded = example.lower() if rule.get("ignore_case") else example
        assert any(literal in folded for literal in rule["literals"])
        assert _secrets(rule, example), example


@each_rule
def test_a_rule_leaves_what_is_no_secret(rule: dict[str, Any]) -> None:
    assert rule["not_examples"]
    for example in rule["not_examples"]:
        assert not _secrets(rule, example), example


@each_rule
def test_a_comment_beside_a_secret_hides_nothing(rule: dict[str, Any]) -> None:
    for example in rule["examples"]:
        marked = (
            f"# example, allowlist secret, nosec\n{example}\n# pragma: allowlist secret gitleaks:allow placeholder\n"
        )
        assert set(_secrets(rule, example)) <= set(_secrets(rule, marked)) or "\n" in example


def test_the_examples_stand_in_the_files_with_an_escape_so_that_scanners_of_repositories_pass_by() -> None:
    for file in RULES.glob("*.toml"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("examples = "):
                assert "\\u00" in line, line
