"""Literals: found wherever they stand, in their case or in any, and called up only beside what fits their rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_scan.literals import Candidate, Literals
from tidegate_scan.tails import tail


def literals(regexes: dict[str, list[str]], *, ignore_case: bool = False) -> Literals:
    """A search for the literals of regexes."""
    by_literal: dict[str, list[Candidate]] = {}
    for number, (regex, names) in enumerate(regexes.items()):
        found = tail(regex, tuple(names), ignore_case=ignore_case)
        text = "" if found is None else f"(?i:{found.text})" if ignore_case else f"(?:{found.text})"
        for name in names:
            by_literal.setdefault(name, []).append(Candidate(number, found, text, 0, 8))
    return Literals(by_literal, ignore_case=ignore_case)


def called(search: Literals, text: str) -> list[tuple[int, int]]:
    """The rules that literals of a text call up, each with where the literal begins."""
    data, found = search.search(text.encode())
    out = []
    for index, begin, end in found:
        literal = search.all[index]
        if literal.before[data[begin - 1]] and literal.first[data[end]]:
            members = literal.group(data[end : end + 2]).members
            out += [(member.candidate.number, begin) for member in members if member.before[data[begin - 1]]]
    return out


@given(st.text(st.sampled_from("abAB-é"), max_size=30))
def test_every_occurrence_counts_those_that_overlap_too(text: str) -> None:
    search = literals({"ab": ["ab"], "aba": ["aba"], "b-": ["b-"]})
    data = text.encode()
    expected = [
        (at, at + len(each)) for each in (b"ab", b"aba", b"b-") for at in range(len(data)) if data.startswith(each, at)
    ]
    assert sorted((begin, end) for _, begin, end in search.search(data)[1]) == sorted(expected)


@pytest.mark.parametrize("text", ["ключ", "КЛЮЧ", "Ключ", "кЛюЧ"])
def test_a_literal_beyond_ascii_is_found_in_any_case(text: str) -> None:
    search = literals({r"ключ=\w": ["ключ"]}, ignore_case=True)
    assert [begin for _, begin, _ in search.search(f"ab {text}=x".encode())[1]] == [3]


def test_the_bytes_beside_a_literal_choose_its_rules() -> None:
    rules = {r"key=\w": ["key"], r"key:\s": ["key"], r"\bkey\s{0,2}[:=]x": ["key"], "key": ["key"]}
    search = literals(rules)
    assert called(search, "key=a") == [(0, 0), (3, 0)]
    assert called(search, "key=x") == [(0, 0), (2, 0), (3, 0)]
    assert called(search, "akey=x") == [(0, 1), (3, 1)]
    assert called(search, "key: ") == [(1, 0), (3, 0)]
    assert called(search, "key") == [(0, 0), (1, 0), (2, 0), (3, 0)]
