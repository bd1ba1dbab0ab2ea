"""The corpus of secrets and of what only looks like one: reproducible, well formed, and where it says it is."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
import unicodedata
import urllib.parse
import zlib
from collections import Counter, defaultdict
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from plugins.scan.corpus import kinds_seen, kinds_unseen, measure
from plugins.scan.corpus.disguises import DISGUISES, disguised
from plugins.scan.corpus.embeddings import Case, cases
from plugins.scan.corpus.kinds import KINDS, half_of
from plugins.scan.corpus.making import ALPHABETS, BASE62, Made, in_base
from plugins.scan.corpus.measure import HALVES, Found, judged
from plugins.scan.corpus.negatives import Negative, negatives
from tidegate import values
from tidegate.testing import parse

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 7


@cache
def all_cases() -> tuple[Case, ...]:
    return tuple(cases(SEED))


@cache
def all_negatives() -> tuple[Negative, ...]:
    return tuple(negatives(SEED))


def test_the_same_seed_makes_the_same_corpus_and_another_seed_another() -> None:
    assert tuple(cases(SEED)) == all_cases()
    assert tuple(negatives(SEED)) == all_negatives()
    again = {case.secret for case in cases(SEED + 1, plain=1, disguises=0)}
    assert len(again & {case.secret for case in all_cases()}) < 3  # passwords that people make may be the same


def test_there_are_at_least_150_kinds_about_half_of_them_not_to_be_looked_at() -> None:
    assert len({kind.id for kind in KINDS}) == len(KINDS) >= 150
    halves = Counter(kind.half for kind in KINDS)
    assert 0.4 < halves["unseen"] / len(KINDS) < 0.6


def test_the_half_of_a_kind_follows_from_its_id() -> None:
    assert all(kind.half == half_of(kind.id) for kind in KINDS)
    assert not set(kinds_seen.TEMPLATES) & set(kinds_unseen.TEMPLATES)


def test_there_are_at_least_3000_different_negatives_in_60_families() -> None:
    families = Counter(negative.family for negative in all_negatives())
    assert len(families) >= 60
    bodies = {json.dumps({**negative.message, "id": 0}) for negative in all_negatives()}
    assert len(bodies) >= 3000
    assert min(families.values()) == max(families.values())


def test_every_kind_comes_plain_in_a_blob_and_in_every_disguise() -> None:
    seen = defaultdict(set)
    for case in all_cases():
        seen[case.kind].add(case.disguise)
    everything = {"plain", "blob", *(disguise.id for disguise in DISGUISES)}
    assert all(seen[kind.id] == everything for kind in KINDS)


def test_every_message_is_one_that_tidegate_takes() -> None:
    for case in all_cases():
        parse(json.dumps(case.message), case.sender)
    for negative in all_negatives():
        parse(json.dumps(negative.message), negative.sender)


def leaves(message: dict[str, Any]) -> defaultdict[str, list[str]]:
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for leaf in values.strings(message):
        texts[leaf.pointer].append(leaf.value)
    return texts


def test_every_place_of_a_plain_secret_holds_it() -> None:
    for case in all_cases():
        if case.disguise != "plain":
            continue
        texts = leaves(case.message)
        for place in case.places:
            held = [text[slice(*place.span)] for text in texts[place.pointer]]
            assert any(_same(text, case.secret) for text in held), (case.kind, case.envelope)
            assert place.whole[0] <= place.span[0] < place.span[1] <= place.whole[1]


def _same(text: str, secret: str) -> bool:
    """Whether a text is the secret as documents write it: escaped as JSON, doubled quotes, indented lines."""

    def bare(value: str) -> str:
        value = re.sub(r"(?:\\+[rn]|\s)+", "\n", value)
        return re.sub(r"\\+", "", value.replace("''", "'").replace('""', '"')).strip()

    return bare(text) == bare(secret)


UNDONE: dict[str, Callable[[str], str]] = {
    "zero-width": lambda text: "".join(c for c in text if unicodedata.category(c) != "Cf"),
    "bidi": lambda text: "".join(c for c in text if unicodedata.category(c) != "Cf"),
    "fullwidth": lambda text: unicodedata.normalize("NFKC", text),
    "nfkc-styled": lambda text: unicodedata.normalize("NFKC", text),
    "base64": lambda text: base64.b64decode(text).decode(),
    "base64-urlsafe": lambda text: base64.urlsafe_b64decode(text).decode(),
    "base64-unpadded": lambda text: base64.urlsafe_b64decode(
        text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4)
    ).decode(),
    "base64-mime": lambda text: base64.b64decode(text).decode(),
    "hex": lambda text: bytes.fromhex(text).decode(),
    "hex-separated": lambda text: bytes.fromhex(re.sub("[: -]", "", text)).decode(),
    "url-full": urllib.parse.unquote,
    "url-partial": urllib.parse.unquote,
    "html-decimal": html.unescape,
    "html-hex": html.unescape,
    "html-partial": html.unescape,
    "json-u": lambda text: re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text),
    "json-u-partial": lambda text: re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text),
    "x-escape": lambda text: re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), text),
    "gzip-base64": lambda text: gzip.decompress(base64.b64decode(text)).decode(),
    "zlib-hex": lambda text: zlib.decompress(bytes.fromhex(text)).decode(),
    "base64-twice": lambda text: base64.b64decode(base64.b64decode(text)).decode(),
    "url-base64": lambda text: base64.b64decode(urllib.parse.unquote(text)).decode(),
}


@pytest.mark.parametrize("disguise", DISGUISES, ids=lambda disguise: disguise.id)
def test_a_disguised_secret_is_undone_from_just_its_span(disguise: Any) -> None:
    random = Random(SEED)
    for kind in KINDS:
        plain = kind.make(random)
        made = disguised(disguise, random, plain, bare=kind.bare)
        assert plain.secret in UNDONE[disguise.id](made.secret)
        if not disguise.blob:
            assert UNDONE[disguise.id](made.secret) == plain.secret
        if disguise.id != "url-base64" or "%" in made.secret:
            assert made.secret != plain.secret


def test_the_place_of_a_disguised_secret_is_its_span_in_the_message() -> None:
    for case in all_cases():
        if case.disguise in {"plain", "blob"}:
            continue
        texts = leaves(case.message)
        held = [text[slice(*case.span)] for text in texts[case.pointer] if len(text) >= case.span[1]]
        undo = UNDONE[case.disguise]
        assert any(_undoes_to(undo, text, case.secret) for text in held), (case.kind, case.disguise, case.envelope)


def _undoes_to(undo: Any, text: str, secret: str) -> bool:
    for written in (text, text.replace("\\\\", "\\").replace("\\r", "\r").replace("\\n", "\n")):
        try:
            plain = undo(written)
        except ValueError:
            continue
        if secret in plain or _same(plain, secret):
            return True
    return False


def test_secrets_in_json_texts_are_reached_through_their_pointers() -> None:
    depths = Counter(case.pointer.count(f"/{values.NESTED}") for case in all_cases())
    assert all(depths[depth] > 100 for depth in (0, 1, 2))


CHECKED = {
    "github-classic": re.compile(r"ghp_(\w{30})(\w{6})"),
    "github-oauth": re.compile(r"gho_(\w{30})(\w{6})"),
    "github-user": re.compile(r"ghu_(\w{30})(\w{6})"),
    "github-server": re.compile(r"ghs_(\w{30})(\w{6})"),
    "github-refresh": re.compile(r"ghr_(\w{30})(\w{6})"),
    "github-fine-grained": re.compile(r"github_pat_\w{22}_([^_]{53})(\w{6})"),
    "npm-token": re.compile(r"npm_(\w{30})(\w{6})"),
}


@pytest.mark.parametrize("identity", CHECKED)
def test_tokens_with_a_checksum_carry_the_right_one(identity: str) -> None:
    kind = next(kind for kind in KINDS if kind.id == identity)
    random = Random(SEED)
    for _ in range(20):
        match = CHECKED[identity].fullmatch(kind.make(random).secret)
        assert match
        assert in_base(zlib.crc32(match[1].encode()), BASE62, 6) == match[2]


def test_age_identities_carry_the_right_checksum() -> None:
    kind = next(kind for kind in KINDS if kind.id == "age-identity")
    secret = kind.make(Random(SEED)).secret.lower()
    prefix, _, body = secret.rpartition("1")
    check = 1
    for value in (
        *(ord(c) >> 5 for c in prefix),
        0,
        *(ord(c) & 31 for c in prefix),
        *(ALPHABETS["bech"].index(c) for c in body),
    ):
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= factor if top >> bit & 1 else 0
    assert len(secret) == 74
    assert check == 1


@pytest.mark.parametrize("half", HALVES)
def test_a_finder_that_knows_every_place_scores_full_marks(half: Any) -> None:
    known: dict[str, list[Found]] = {
        json.dumps(case.message): [(case.pointer, case.span, "oracle")] for case in all_cases()
    }
    report = measure.measure(lambda message: known.get(json.dumps(message), []), SEED, [half])
    assert report.total(half, plain=True).recall == report.total(half, plain=False).recall == 1
    assert report.total(half, plain=False).exactness == 1
    assert (report.false_positives, report.strays, report.precision) == (0, 0, 1)


def test_a_finder_that_calls_every_string_a_secret_is_inexact_and_has_only_false_alarms() -> None:
    def everything(message: dict[str, Any]) -> list[Found]:
        return [(leaf.pointer, (0, len(leaf.value)), "all") for leaf in values.strings(message) if leaf.value]

    report = measure.measure(everything, SEED, plain=1, each=2)
    assert report.total("seen", plain=True).recall == 1
    assert report.total("seen", plain=True).exactness < 0.5
    assert report.false_positive_rate == 1


def test_a_finding_beside_the_secret_is_no_hit() -> None:
    case = next(case for case in all_cases() if case.places[0].whole[0] > 1)
    assert judged(case, [(case.pointer, (0, 1), "r")]) == (False, False, True)
    assert judged(case, [("/elsewhere", case.span, "r")]) == (False, False, True)
    assert judged(case, [(case.pointer, case.span, "r")]) == (True, True, False)
    low, high = case.places[0].whole
    assert judged(case, [(case.pointer, (low - 1, high), "r")]) == (True, False, False)


def test_parts_that_cover_the_secret_together_are_exact() -> None:
    case = next(case for case in all_cases() if len(case.secret) > 10 and case.places[0].whole == case.span)
    low, high = case.span
    assert judged(case, [(case.pointer, (low, low + 5), "a"), (case.pointer, (low + 4, high), "b")])[:2] == (True, True)
    assert judged(case, [(case.pointer, (low, low + 3), "a"), (case.pointer, (low + 4, high), "b")])[:2] == (
        True,
        False,
    )


def nothing(_message: dict[str, Any]) -> list[Found]:
    return []


def test_the_command_prints_tables_and_names_no_kind_that_is_not_to_be_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    measure.main([f"{__name__}:nothing", "--worst", "400"])
    printed = capsys.readouterr().out
    assert "False alarms: 0 of" in printed
    assert "github-classic" in printed or half_of("github-classic") == "unseen"
    named = [kind.id for kind in KINDS if kind.half == "unseen" and f"│ {kind.id} " in printed]
    assert not named


def test_a_made_secret_is_what_its_span_says() -> None:
    assert Made("a=secret;", 2, 8, (0, 9)).secret == "secret"
