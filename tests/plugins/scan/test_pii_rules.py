"""The rules for personal data, each by its examples, and what none of them may take for personal data.

The runner here is a few lines of its own, so a mistake of the engine can't hide one of a rule.
"""

import random
import re
import tomllib
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]  # google-re2 ships no types

import tidegate_scan.pii_validators

FOLDER = Path(tidegate_scan.pii_validators.__file__).parent / "pii"
RULES: list[dict[str, Any]] = [
    rule for path in sorted(FOLDER.glob("*.toml")) for rule in tomllib.loads(path.read_text())["rule"]
]
GROUPS = {"email", "phone", "iban", "payment-card", "us-ssn", "national-id", "ip", "date-of-birth"}
by_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["id"])


@cache
def compiled(regex: str, *, ignore_case: bool) -> Any:
    return re2.compile(f"(?i:{regex})" if ignore_case else regex)


def found(rule: dict[str, Any], text: str) -> Iterator[str]:
    """What a rule finds: its group `secret`, else the first; where that took no part, the whole match."""
    pattern = compiled(rule["regex"], ignore_case=rule.get("ignore_case", False))
    for match in pattern.finditer(text):
        value = match.group(pattern.groupindex.get("secret", 1)) or match.group()
        if all(tidegate_scan.pii_validators.VALIDATORS[name](value) for name in rule.get("validate", ())):
            yield value


def called_up(rule: dict[str, Any], text: str) -> bool:
    """Whether the prefilter would try the rule on a text."""
    if "digits" in rule:
        return re.search(rf"[0-9](?:[ .\-/]?[0-9]){{{rule['digits'] - 1}}}", text) is not None
    folded = text.lower() if rule.get("ignore_case") else text
    return any(literal in folded for literal in rule["literals"])


def everything(text: str) -> list[tuple[str, str]]:
    return [(rule["id"], value) for rule in RULES for value in found(rule, text)]


@by_rule
def test_each_rule_finds_its_examples(rule: dict[str, Any]) -> None:
    assert [text for text in rule["examples"] if not list(found(rule, text))] == []


@by_rule
def test_each_rule_passes_over_its_counterexamples(rule: dict[str, Any]) -> None:
    assert [text for text in rule["not_examples"] if list(found(rule, text))] == []


@by_rule
def test_the_prefilter_calls_a_rule_up_for_each_example(rule: dict[str, Any]) -> None:
    assert ("digits" in rule) != ("literals" in rule)
    assert [text for text in rule["examples"] if not called_up(rule, text)] == []


@by_rule
def test_a_rule_finds_its_examples_amid_other_text(rule: dict[str, Any]) -> None:
    for text in rule["examples"]:
        for around in ("{}\n", "a note, then\n{}", "x;\t{}\tand so on", '"{}", "b"', "({})"):
            assert set(found(rule, text)) <= set(found(rule, around.format(text))), around.format(text)


@by_rule
def test_a_rule_belongs_to_a_group_and_names_its_source(rule: dict[str, Any]) -> None:
    assert rule["group"] in GROUPS
    assert rule["source"].startswith("https://")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule["id"])
    assert 0 < rule["confidence"] <= 1
    assert len(rule["examples"]) >= 1 <= len(rule["not_examples"])


def test_ids_are_unique_and_every_group_has_rules() -> None:
    names = [rule["id"] for rule in RULES]
    assert len(names) == len(set(names))
    assert {rule["group"] for rule in RULES} == GROUPS


@pytest.mark.parametrize(
    ("text", "rule", "values"),
    [
        ("4111111111111111,5500005555555559\n378282246310005", "payment-card", 3),
        ("a@example.com b@example.org,c@example.net", "email", 3),
        ("536-90-4399 536-90-4398\n536-90-4397", "us-ssn", 3),
        ("529.982.247-25;529.982.247-25", "br-cpf", 2),
        ("93.184.216.34 93.184.216.35,93.184.216.36", "ipv4", 3),
    ],
)
def test_neighbours_are_all_found(text: str, rule: str, values: int) -> None:
    assert len([name for name, _ in everything(text) if name == rule]) == values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Write to Ada <ada@example.com>.", "ada@example.com"),
        ("mail=ada@example.com&x=1", "ada@example.com"),
        ("IBAN DE89 3704 0044 0532 0130 00 BIC COBADEFF", "DE89 3704 0044 0532 0130 00"),
        ("card: 4111-1111-1111-1111.", "4111-1111-1111-1111"),
        ("Tel.: +44 (0)20 7946 0958, ext. 3", "+44 (0)20 7946 0958"),
        ('{"ssn": "536-90-4399"}', "536-90-4399"),
        ("请联系ada@example.com谢谢", "ada@example.com"),
    ],
)
def test_the_span_is_exactly_the_value(text: str, value: str) -> None:
    values = {found_value for _, found_value in everything(text)}
    assert values == {value}


def timestamps(seed: random.Random) -> str:
    moment = datetime.fromtimestamp(seed.randrange(1_500_000_000, 1_900_000_000), UTC)
    shapes = (moment.isoformat(), f"{moment:%Y%m%d%H%M%S}", f"{moment:%Y%m%dT%H%M%SZ}", f"{moment:%y%m%d-%H%M}")
    return f"{seed.choice(shapes)} {moment:%a, %d %b %Y %H:%M:%S +0000} [{moment:%d/%b/%Y:%H:%M:%S +0200}]"


def epochs(seed: random.Random) -> str:
    stamp = seed.uniform(1.5e9, 1.9e9)
    return f'{{"ts": {stamp:.0f}, "ms": {stamp * 1e3:.0f}, "us": {stamp * 1e6:.0f}, "ns": {stamp * 1e9:.0f}}} {stamp}'


def hashes(seed: random.Random) -> str:
    digest = sha256(seed.randbytes(8)).hexdigest()
    return f"sha256:{digest} {digest[:40]} {md5(seed.randbytes(4)).hexdigest()} {digest[:12].upper()} W/{digest[:16]}"


def uuids(seed: random.Random) -> str:
    first, second = (uuid.UUID(int=seed.getrandbits(128), version=version) for version in (1, 4))
    return f"id={first} {str(second).upper()} {second.hex}"


def versions(seed: random.Random) -> str:
    a, b, c, d = (seed.randrange(60) for _ in range(4))
    return f"version {a}.{b}.{c}.{d} v{a}.{b}.{c} pkg@{a}.{b}.{c} lib-{a}.{b}.{c}.{d}.jar >=1.{b},<2 {a}.{b}.{c}-rc.{d}"


def prices(seed: random.Random) -> str:
    cents = seed.randrange(10**9)
    return f"EUR {cents / 100:,.2f} | ${cents / 100} | {cents:,}".replace(",", seed.choice(",. ")) + f" | {cents}"


def coordinates(seed: random.Random) -> str:
    lat, lon = seed.uniform(-90, 90), seed.uniform(-180, 180)
    return f'{{"lat": {lat:.6f}, "lon": {lon:.7f}}} {lat:+.5f},{lon:+.6f} {lat:+.6f}{lon:+011.6f}/'


def ids(seed: random.Random) -> str:
    n = seed.randrange
    return (
        f"order #{n(10**6)} ORD-{n(1000):03}-{n(10**4):04} SKU{n(10**8):08} PROJ-{n(99999)} build {n(10**5)} "
        f'"phone_id": {n(10**14, 10**15)}, "id": "{n(10**18, 2 * 10**18)}" run {n(10**10):010} job {n(10**11):011}'
    )


def private_addresses(seed: random.Random) -> str:
    a, b, c = (seed.randrange(256) for _ in range(3))
    return (
        f"10.{a}.{b}.{c}:80 192.168.{a}.{b}/24 172.{16 + a % 16}.{b}.{c} fe80::{a:x}:{b:x} fd{a:02x}::{b:x} 127.0.0.{c}"
    )


def code(seed: random.Random) -> str:
    a, b = seed.randrange(10**6), seed.randbytes(4).hex()
    return (
        f"for i in range({a}): x[{a % 99}] = a@b + w@q.weight + 0x{b} - {a}  # E{a % 999}\n@app.route('/v{a % 9}')\n"
        f"- uses: actions/checkout@v{a % 9}\nfrom '@scope/pkg' import x\ngit clone git@github.com:o/r{a}.git"
    )


def numbers(seed: random.Random) -> str:
    return (
        f"{seed.random()} {seed.random() * 1e6} {seed.randrange(10**12)}e-9 1/{seed.randrange(10**6)} 3.14159265358979"
    )


def markup(seed: random.Random) -> str:
    a, b, c = (seed.randrange(256) for _ in range(3))
    return f'<path d="M{a} {b}L{b}.{c}-{a} {c} {a} {b}"/> rgb({a}, {b}, {c}) #{a:02x}{b:02x}{c:02x} margin: {a}px {b}px'


def diffs(seed: random.Random) -> str:
    digest, a, b = seed.randbytes(20).hex(), seed.randrange(999), seed.randrange(99)
    return f"commit {digest}\nindex {digest[:7]}..{digest[7:14]} 100644\n@@ -{a},{b} +{a},{b} @@\n+{a}{b}\n-{b}{a}"


FAMILIES = (timestamps, epochs, hashes, uuids, versions, prices, coordinates, ids, private_addresses, code, numbers)


@pytest.mark.parametrize("family", [*FAMILIES, markup, diffs], ids=lambda family: family.__name__)
def test_nothing_is_found_where_there_is_nothing(family: Callable[[random.Random], str]) -> None:
    seed = random.Random(f"pii {family.__name__}")
    for _ in range(400):
        text = family(seed)
        assert everything(text) == [], text
