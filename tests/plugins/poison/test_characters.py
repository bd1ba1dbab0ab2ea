"""What a reader isn't shown is found; what joiners, marks and selectors are for stays."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_poison.characters import gaps, odd, plain, without
from tidegate_poison.texts import stripped, wrong

ODD = {
    "a\u200bb": "invisible",
    "a\u200db": "invisible",
    "a\u2060b": "invisible",
    "a\ufeffb": "invisible",
    "a\u00adb": "invisible",
    "\u3164": "invisible",
    "a\u202eb": "bidi",
    "a\u2066b\u2069": "bidi",
    "a\u200fb": "bidi",
    "a\U000e0041\U000e0042": "tags",
    "\U0001f3f4\U000e0041\U000e007f": "tags",
    "a\ufe0f": "variation",
    "\U0001f600\ufe0f\ufe01": "variation",
    "\U0001f600\U000e0101": "variation",
    "a\x1b[31mb": "terminal",
    "a\x9b31mb": "terminal",
    "\x1b]8;;https://example.com\x07a\x1b]8;;\x07": "terminal",
    "a\x08b": "terminal",
    "a\rb": "terminal",
}

ORDINARY = [
    "tabs\tand\nlines\r\n",
    "\ufeffa file's mark at its beginning",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u2764\ufe0f and 1\ufe0f\u20e3",
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "\u0645\u06cc\u200c\u0631\u0648\u062f",
    "\u0915\u094d\u200d\u0937",
    "\u05e9\u05dc\u05d5\u05dd (SMS)\u200f.",
    "\u845b\U000e0100\u57ce",
    "\u17a2\u200b\u1780",
]

# No sequences for terminals: what stands inside of one belongs to it.
VISIBLE_AND_NOT = st.text(
    st.sampled_from(
        "ab Z.\n\u00e9\u0645\u06cc\u05d0\u0915\u4e2d\u17a2\u2764\U0001f468\U0001f3f4"
        "\u200b\u200c\u200d\u200e\u200f\u202e\u2066\u2069\ufe0f\ufe01\U000e0101\U000e0067\U000e007f\ufeff\u00ad\u180b\u1820"
    ),
    max_size=24,
)
ANYTHING = st.text(
    st.sampled_from(
        "ab[]m;\\\x1b\x9b\x9d\x90\x9c\x07\r\n\x08\x7f\u200b\u200d\u202e\ufe0f\U000e0041\U0001f468\U0001f3f4\u0645"
    )
    | st.characters(codec="utf-8"),
    max_size=24,
)


@pytest.mark.parametrize(("text", "rule"), ODD.items(), ids=ascii)
def test_what_a_reader_is_not_shown_is_found_as_what_it_is(text: str, rule: str) -> None:
    assert {one.rule for one in odd(text)} == {rule}


@pytest.mark.parametrize("text", ORDINARY, ids=ascii)
def test_what_does_what_it_is_for_stays(text: str) -> None:
    assert odd(text) == []


@pytest.mark.requirement("no-hidden-text")
@given(ANYTHING)
def test_taking_out_twice_is_taking_out_once(text: str) -> None:
    once = without(text, odd(text))
    assert odd(once) == []
    assert without(once, odd(once)) == once


def _visible(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Mn"))


@given(VISIBLE_AND_NOT)
def test_taking_out_never_changes_what_is_visible(text: str) -> None:
    assert _visible(without(text, odd(text))) == _visible(text)


@given(ANYTHING)
def test_no_control_character_is_left(text: str) -> None:
    left = without(text, odd(text))
    assert not any(unicodedata.category(c) == "Cc" and c not in "\t\n\r" for c in left)


def test_characters_of_private_use_are_icons_of_terminals_and_nothing_in_a_definition() -> None:
    assert odd("main \ue0a0 \U000f02a2", definition=False) == []
    assert without("Adds\ue000\ue001 numbers\U0010fffd.", odd("Adds\ue000\ue001 numbers\U0010fffd.")) == "Adds numbers."


@pytest.mark.parametrize("gap", ["\n" * 20, "\r\n" * 30, "\n    " * 25, " " * 200])
def test_what_stands_out_of_sight_in_a_definition_is_brought_back(gap: str) -> None:
    text = f"Adds numbers.{gap}And more."
    assert [one.rule for one in wrong(text, content=False)] == ["invisible"]
    assert stripped(text, lambda _: True, content=False) == "Adds numbers.\nAnd more."
    assert not wrong(text, content=True)


@pytest.mark.parametrize(
    "text", ["Adds.\n\n\n\nMore.", "Adds." + "\n" * 50, "    " * 12 + "x = 1", "a" + "\n" + " " * 300 + "b"]
)
def test_blank_lines_and_indents_as_people_write_them_stay(text: str) -> None:
    assert not wrong(text, content=False)


@given(st.text(alphabet=" \n\r\tab", max_size=2000))
def test_bringing_back_never_changes_what_is_visible(text: str) -> None:
    assert without(text, gaps(text)).split() == text.split()


def test_a_carriage_return_may_stay_where_output_of_programs_is_usual() -> None:
    assert odd("10%\r20%", definition=False) == []
    assert without("10%\r20%", odd("10%\r20%")) == "10%\n20%"


def test_many_unended_sequences_take_linear_time() -> None:
    text = "\x1b]\x9d\x90" * 100_000
    assert without(text, odd(text)) == ""


def test_a_text_as_it_is_read_has_plain_letters() -> None:
    assert plain("i\u200bg\uff4e\U0001d428re") == "ignore"
