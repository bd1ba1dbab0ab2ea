"""detect-secrets behind its gates and windows: what its detectors find is found, exactly, and no text stalls it."""

import importlib
import math
import re
import string
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate_scan.budget import OverBudget
from tidegate_scan.foreign_detect_secrets import AFTER, BEFORE, GATES, DetectSecrets
from tidegate_scan.linear import Regex

TOKEN = "glpat-" + "q7Zk3Xw9Tb2LmP5vRd8H"
ASCII = st.characters(max_codepoint=126)
WINDOW = BEFORE + AFTER


def plugin(name: str) -> Any:
    module, kind = name.split(".")
    return getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), kind)()


REGEXES = [(name, regex) for name in GATES for regex in plugin(name).denylist]
each_regex = pytest.mark.parametrize(
    ("name", "regex"), REGEXES, ids=[f"{n.split('.')[0]}-{i}" for i, (n, _) in enumerate(REGEXES)]
)


@pytest.fixture(scope="module")
def engine() -> DetectSecrets:
    return DetectSecrets(lambda _: False)


def found(engine: DetectSecrets, text: str) -> list[tuple[str, str]]:
    return [(each.rule.id.partition(":")[2], text[each.start : each.end]) for each in engine.find(text, math.inf)]


@each_regex
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_a_gate_lets_everything_through_that_its_detector_finds(name: str, regex: Any, data: st.DataObject) -> None:
    text = data.draw(
        st.from_regex(re.compile(regex.pattern, regex.flags & ~re.UNICODE | re.ASCII), fullmatch=True, alphabet=ASCII)
    )
    assert Regex(GATES[name], capture=False).matches(text.encode())


def test_values_are_told_whole_where_the_detector_tells_but_their_prefix(engine: DetectSecrets) -> None:
    token = "ghp_" + "q7Zk3Xw9Tb2LmP5vRd8HsY4nJc6GfA1eU0iO"
    assert list(plugin("github_token.GitHubTokenDetector").analyze_string(token)) == ["ghp"]
    assert found(engine, f"ü {token} ü {TOKEN}") == [("github-token", token), ("gitlab-token", TOKEN)]


def test_a_private_key_is_told_with_all_its_lines(engine: DetectSecrets) -> None:
    key = f"BEGIN RSA PRIVATE KEY-----\n{TOKEN[6:] * 3}\n{TOKEN[:5:-1] * 3}\n-----END RSA PRIVATE KEY-----"
    assert found(engine, f"a\n-----{key}\nb") == [("private-key", key)]
    cut = key.partition("\n-----END")[0]
    assert found(engine, f"-----{cut}\n\0\nanother text") == [("private-key", f"{cut}\n")]


@pytest.mark.parametrize("before", [0, 1, BEFORE - 1, BEFORE, AFTER - 6, AFTER, WINDOW, 5 * WINDOW + 3])
def test_a_token_is_found_wherever_it_stands_in_a_long_line(engine: DetectSecrets, before: int) -> None:
    line = ("key: " * (before // 5 + 1))[:before] + f" {TOKEN} " + "key: " * 500
    assert ("gitlab-token", TOKEN) in found(engine, f"first line\n{line}\nlast line")


def test_what_goes_on_behind_a_window_is_told_to_its_end(engine: DetectSecrets) -> None:
    part = "eyJhbGciOiJIUzI1NiJ9"
    token = f"{part}.{part * 120}.{'q7Zk3Xw9' * 60}"
    starts = [value for name, value in found(engine, f"x {token} y") if name == "json-web-token"]
    assert starts == []  # cut in two its header isn't JSON any more, so the detector turns it down
    long = "glagent-" + "q7Zk3Xw9" * 120
    assert ("gitlab-token", long) in found(engine, f"x {long} y")


HOSTILE = sorted(
    {
        *("key:", "eyJ", "eyJa.a.", "://a:", "//", "ghp_", "aws key '", "xoxb-1-", "AC", "12345678:", "AKC"),
        *("sk-T3BlbkFJ", "/:_authToken=", "//a/:_authToken=npm_", "softlayer_api_key= ", "[key] = ", "glagent-a"),
        *("key" + " " * 40, "sk-" + "a" * 19, "a" * 32 + "-us", "://" + "a" * 50 + ":", "AP0aaaaaaaa"),
        *(string.ascii_letters[i : i + 3] for i in range(0, 48, 3)),
    }
)


@pytest.mark.parametrize("name", GATES)
def test_no_window_costs_a_detector_more_than_a_blink(name: str) -> None:
    # Twenty times what was measured. A regex that takes exponential time would never end.
    analyze = plugin(name).analyze_string
    for hostile in HOSTILE:
        window = (hostile * WINDOW)[:WINDOW]
        began = time.process_time()
        list(analyze(window))
        assert time.process_time() - began < 0.2, hostile


@pytest.mark.parametrize("hostile", ["eyJ", "sk-T3BlbkFJ", "xoxb-1-"])
def test_a_long_hostile_text_is_given_up_soon_after_its_time(engine: DetectSecrets, hostile: str) -> None:
    text = hostile * (2_000_000 // len(hostile))
    began = time.monotonic()
    with pytest.raises(OverBudget):
        engine.find(text, time.monotonic() + 0.05)
    assert time.monotonic() - began < 2


def test_the_settings_of_the_package_are_left_alone(engine: DetectSecrets) -> None:
    info = importlib.import_module("detect_secrets.settings").get_settings.cache_info()
    found(engine, f"token = {TOKEN}")
    assert importlib.import_module("detect_secrets.settings").get_settings.cache_info() == info


def test_a_detector_that_is_off_finds_nothing() -> None:
    off = DetectSecrets(lambda identity: identity.endswith("gitlab-token"))
    assert off.find(TOKEN, math.inf) == []
    assert "detect-secrets:gitlab-token" in {rule.id for rule in off.rules}
    assert DetectSecrets(lambda _: True).find(TOKEN, math.inf) == []
