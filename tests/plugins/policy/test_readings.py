"""How else a string may be read, by who decodes it once more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_policy.readings import MOST, readings


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("%2e%2e%2fetc", "../etc"),
        ("%252e%252e%252f", "../"),
        ("%25252e%25252e", ".."),
        ("..%c0%af..", "../.."),
        ("%c0%ae%c0%ae/", "../"),
        ("%e0%80%af", "/"),
        ("%F0%80%80%AF", "/"),
        ("a%00b", "a\0b"),
        (r"\x2e\x2e/", "../"),
        (r"\u002e\u002e/", "../"),
        (r"\u{2e}\u{2e}/", "../"),
        (r"\U0000002e.", ".."),
        ("&#46;&#46;/", "../"),
        ("&#x2e;&#x2E;&sol;", "../"),
        ("\uff0e\uff0e\uff0fetc", "../etc"),
        ("\u2024\u2024/etc", "../etc"),
        (".\u200b./etc", "../etc"),
        ("/e\u00adtc", "/etc"),
        ("/e\u202etc", "/etc"),
        ("/etc\ufe0f", "/etc"),
        ("\u3164rm", "rm"),
        ("%ef%bc%8e%ef%bc%8e", ".."),
        ("http://127%2e0%2e0%2e1/", "http://127.0.0.1/"),
    ],
)
def test_a_disguise_is_undone(text: str, reading: str) -> None:
    assert reading in readings(text)


@pytest.mark.parametrize("text", ["", "plain", "/data/a.txt", "a b", "100 percent", "Grüße", "日本語", "C++"])
def test_an_ordinary_string_has_no_other_reading(text: str) -> None:
    assert readings(text) == []


@given(st.text())
def test_readings_are_few_differ_from_the_text_and_can_be_written(text: str) -> None:
    found = readings(text)
    assert len(found) <= MOST
    assert len(set(found)) == len(found)
    assert text not in found
    for other in found:
        if not any("\ud800" <= char <= "\udfff" for char in text):
            other.encode()
