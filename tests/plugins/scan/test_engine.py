"""The engine: the same findings as every regex over the whole text, at places in characters, in linear time."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.scan.ways import both_ways
from tidegate_scan.engine import Engine
from tidegate_scan.prefilter import Prefilter
from tidegate_scan.rules import SECRETS, Kind, Rule, Window, load
from tidegate_scan.tails import Tail, tail

__all__ = ["both_ways"]

FREE = Kind(SECRETS.validators, lambda _secret, _line, _context: False)
REGEXES: list[tuple[str, list[str] | int, bool]] = [
    # regex, literals or how many digits, ignore case. Short, so that texts of pieces match, nearly match and overlap.
    (r"\b(ab_[0-9a-f]{4})\b", ["ab_"], False),
    (r"(?:^|[^a-z])(AB[0-9]{3})(?:[^0-9]|$)", ["AB"], False),
    (r"\b[\w.-]{0,6}(?:token|key)[\w ]{0,4}\s?[:=]\s?['\"]?([^\s'\"]{3,9})", ["token", "key"], True),
    (r"api[_-]?key=(\w{2,5})", ["api_key", "api-key", "apikey"], True),
    (r"(?P<user>\w{1,4}):(?P<secret>[^@ ]{1,6})@ab", ["@ab"], False),
    (r"token (\w+)|(\d{2})ab_", ["token ", "ab_"], False),
    (r"ключ[:=]\s?(\w{2,6})", ["ключ"], True),
    (r"(?s)-----BEGIN (.{1,30}?)-----", ["-----BEGIN"], False),
    (r"[a-f]{2}(?:oken|OKEN|_key)=(.{2,4})$", ["oken", "OKEN", "_key"], False),
    (r"key=\S{2,3}\B", ["key="], False),
    (r"(?:^|\D)(\d{2} ?\d{2,3})(?:\D|$)", 4, False),
    (r"\b\d{2}[./-]\d{3}\b", 5, False),
    (r"(?:x?token|api[_-]?key)[0-9x]{1,3}(?:=|-x)(\w{1,9})", ["token", "key"], True),
    (r"(?:beef|x{1,3}7)key([:=])\S{0,4}", ["key"], False),
]
PIECES = [
    *("ab_", "AB", "token", "Token", "tok", "oken", "OKEN", "key", "KEY", "_key", "api", "-", "_", "=", ":", " ", "\n"),
    *(
        "ключ",
        "Ключ",
        "é",
        "🙂",
        "\ud800",
        "'",
        '"',
        "@ab",
        "@",
        "0123",
        "12",
        "7",
        "/",
        "beef",
        "x",
        ".",
        "-----BEGIN",
        "-----",
    ),
]
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def made(
    folder: Path, regexes: list[tuple[str, list[str] | int, bool]], *, kind: Kind = FREE, more: str = ""
) -> list[Rule]:
    """Rules of these regexes."""
    path = folder / "made.toml"
    path.write_text(
        "".join(
            f"[[rule]]\nid = 'r{number}'\ntitle = 't'\nregex = '''{regex}'''\n"
            f"{'digits' if isinstance(literals, int) else 'literals'} = {literals!r}\n"
            f"ignore_case = {str(ignore_case).lower()}\nconfidence = 0.5\nexamples = ['x']\n{more}\n"
            for number, (regex, literals, ignore_case) in enumerate(regexes)
        )
    )
    return load([path], kind=kind)


def everywhere(rules: list[Rule], text: str) -> list[tuple[str, int, int]]:
    """What the rules find when each regex is run over the whole text, sorted."""
    data = text.encode("utf-8", "surrogatepass")

    def characters(offset: int) -> int:
        return len(data[:offset].decode("utf-8", "surrogatepass"))

    return sorted(
        (rule.id, characters(begin), characters(end))
        for rule in rules
        for begin, end in rule.spans(data, [Window(0, len(data))])
    )


def found(engine: Engine, text: str) -> list[tuple[str, int, int]]:
    return sorted((hit.rule.id, hit.start, hit.end) for hit in engine.find(text))


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> list[Rule]:
    """The regexes above, of which everything counts."""
    return made(tmp_path_factory.mktemp("rules"), REGEXES)


@pytest.fixture(scope="module")
def picky(tmp_path_factory: pytest.TempPathFactory) -> list[Rule]:
    """The same, but a secret needs some entropy, so that some are turned down and the search goes on inside."""
    return made(tmp_path_factory.mktemp("rules"), REGEXES, more="entropy = 1.6\n")


@given(text=texts)
def test_the_engine_finds_what_the_regexes_find_in_the_whole_text(
    free: list[Rule], picky: list[Rule], text: str
) -> None:
    for rules in (free, picky):
        assert found(Engine(rules), text) == everywhere(rules, text)


@given(texts=st.lists(texts, min_size=2, max_size=4))
def test_what_was_searched_before_changes_nothing(free: list[Rule], texts: list[str]) -> None:
    engine = Engine(free)
    for text in texts:
        engine.find(text)
    assert [found(engine, text) for text in texts] == [found(Engine(free), text) for text in texts]


def test_spans_are_in_characters_of_the_text(free: list[Rule]) -> None:
    text = "é🙂 ab_beef \ud800 KEY='geheim'"
    assert [text[hit.start : hit.end] for hit in Engine(free).find(text)] == ["ab_beef", "geheim"]


def test_hits_of_several_rules_in_one_place_are_all_given(tmp_path: Path) -> None:
    rules = made(tmp_path, [(r"ab_\w+", ["ab_"], False), (r"key=(\S+)", ["key="], False)])
    assert [(hit.rule.id, hit.start, hit.end) for hit in Engine(rules).find("key=ab_xyz")] == [
        ("r0", 4, 10),
        ("r1", 4, 10),
    ]


def test_a_literal_inside_or_across_another_still_counts(tmp_path: Path) -> None:
    literals = ["access_token", "token", "en_x", "xenon", "access"]
    rules = made(tmp_path, [(f"{literal}(.)", [literal], False) for literal in literals])
    for text in ("access_token_xenon!", "access_token!", "en_xenon!", "accessaccess_token_x"):
        assert found(Engine(rules), text) == everywhere(rules, text)


def test_literals_that_heed_case_and_those_that_do_not_share_their_beginnings(tmp_path: Path) -> None:
    literals = [
        ("Key", False),
        ("key", True),
        ("KEY_X", False),
        ("ke", False),
        ("key_xy", True),
        ("K", False),
        ("AB", False),
        ("abc", True),
    ]
    rules = made(tmp_path, [(f"{literal}(.)", [literal], folded) for literal, folded in literals])
    for text in ("KEY_XY!", "Key_x!", "key_x!", "KEY_X!", "ke!", "KEy_xyz", "ab! AB! aBc!"):
        assert found(Engine(rules), text) == everywhere(rules, text)


def test_a_match_is_found_up_to_its_rules_window_from_the_literal(tmp_path: Path) -> None:
    rules = made(tmp_path, [(r"<[a-z ]*lit[a-z ]*>", ["lit"], False)], more="window = 40\n")
    for before, after in itertools.product((0, 39), repeat=2):
        text = "." * 500 + "<" + "a" * before + "lit" + "b" * after + ">" + "." * 500
        assert [hit.end - hit.start for hit in Engine(rules).find(text)] == [before + after + 5]


def test_a_name_inside_a_value_that_was_turned_down_still_counts(tmp_path: Path) -> None:
    rules = made(tmp_path, [(r"\w+:\s?([\w:]{4,40})", [":"], False)], more="entropy = 3.3\n")
    (hit,) = Engine(rules).find("auth: aaaa:aaaaaaaaaaaaaaa:k3v9x0p2q7")
    assert (hit.start, hit.end) == (27, 37)


def test_a_character_by_its_octal_number_is_read(tmp_path: Path) -> None:
    rules = made(tmp_path, [(r"key=(\123\w+)", ["key="], False)])
    assert found(Engine(rules), "a key=Szy9") == everywhere(rules, "a key=Szy9") == [("r0", 6, 10)]


def test_no_rules_find_nothing() -> None:
    assert Engine([]).find("anything") == []


def test_an_engine_tells_apart_k_and_the_kelvin_sign(tmp_path: Path) -> None:
    rules = made(tmp_path, [(r"key=(\w+)", ["key="], True)])
    assert found(Engine(rules), "\u212aey=abc KEY=abc") == [("r0", 12, 15)]


@given(piece=st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join), count=st.integers(200, 400))
def test_the_work_grows_with_the_text_whatever_it_repeats(free: list[Rule], piece: str, count: int) -> None:
    """No more bytes than a constant per byte of the text are handed to regexes, however dense the literals."""
    prefilter = Prefilter(free)
    data = (piece * count).encode("utf-8", "surrogatepass")
    for number, windows in prefilter.windows(data, prefilter.stops(data, 4)).items():
        most = 4 * free[number].window + 16
        anchored = [window for window in windows if window.anchored]
        assert all(stop - start <= most for start, stop, _ in anchored)
        assert len(anchored) <= len(data) // 32 + 16
        others = [window for window in windows if not window.anchored]
        assert all(one.stop <= two.start for one, two in itertools.pairwise(others))


@pytest.mark.parametrize("piece", ["key:", "key", "token=", "api_key='", "ab_", "a:b@ab", "-----BEGIN ", "ключ:"])
def test_a_value_that_is_turned_down_is_read_a_few_times_at_most(tmp_path: Path, piece: str) -> None:
    """How often a validator is asked grows with the text, and no faster."""
    asked: list[int] = []

    def refused(secret: str, _line: str, _context: bool) -> bool:  # noqa: FBT001 - the shape of an exclusion
        asked.append(len(secret))
        return True

    rules = made(tmp_path, REGEXES, kind=Kind(SECRETS.validators, refused))
    sums = []
    for count in (500, 1000, 2000):
        asked.clear()
        Engine(rules).find(piece * count)
        sums.append(sum(asked))
    assert sums[2] <= 2.1 * sums[1] + 100
    assert sums[1] <= 2.1 * sums[0] + 100
    assert sums[2] <= 8 * len(REGEXES) * len(piece) * 2000


@pytest.mark.parametrize(
    ("regex", "literals", "ignore_case", "expected"),
    [
        (r"\b(ghp_[0-9]{4})\b", ["ghp_"], False, Tail(r"ghp_[0-9]{4}\b", 0)),
        (r"(?:^|[^a])(?:gh[po]_)x", ["ghp_", "gho_"], False, Tail(r"gh[po]_x", 1)),
        (r"\w{0,9}pass(?:word|wd)?=", ["pass"], True, Tail("pass(?:word|wd)?=", 9)),
        (r"\w*Key=", ["key"], True, Tail("Key=", None)),
        (r"(?s)a.key", ["key"], False, Tail("(?s)key", 2)),
        (r"(?:(?:^|[^a])(?:abc))((?-i:x))", ["abc"], True, Tail("abc(?-i:x)", 1)),
        (r"[\x27\x{22}\pL]\x41\p{Greek}abc", ["abc"], False, Tail("abc", 3)),
        (r"abc|abd", ["ab"], False, Tail("(?:abc|abd)", 0)),
        (r"abc|xbd", ["ab"], False, None),
        (r"abc|xyabd", ["ab"], False, Tail("(?:abc|abd)", 2)),
        (r"-(?:azure[_-]?ai|ai)=", ["ai"], False, Tail("(?:ai)=", 7)),
        (r"(?:(?:api|access)_?(?:key|token)|x*key)=", ["key", "token"], False, Tail("(?:(?:key|token)|key)=", None)),
        (r"a?bc", ["ab"], False, None),
        (r"[a-c]bc", ["abc", "bbc", "cbc"], False, None),
        (r"(?i)abc", ["abc"], False, None),
        (r"a{3}", ["aaa"], False, None),
        (r"\x61bc", ["abc"], False, None),
        (r"(?i:abc)", ["abc"], False, None),
        (r"\Qa\E", ["a"], False, None),
    ],
)
def test_a_tail_begins_at_a_literal_or_there_is_none(
    regex: str, literals: list[str], *, ignore_case: bool, expected: Tail | None
) -> None:
    found = tail(regex, tuple(literals), ignore_case=ignore_case)
    assert (found and found[:2]) == (expected and expected[:2])
