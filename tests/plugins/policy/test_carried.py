"""What a labelled reply said is recognised in a later request, re-encoded or not; texts are never kept."""

import base64
import json
import random
import textwrap
import urllib.parse

import pytest

from tidegate_policy.carried import LONGEST, Carried, Marks, forms

WORDS = (
    "the board met on Tuesday and agreed to close the plant in Leipzig by the end of March because its two largest "
    "customers will not renew their contracts and nobody outside of this room may learn of it before the works council "
    "has been told which is planned for the second week of February when the new figures are out"
)
BODY = f"{WORDS}. {WORDS[::-1]}"
THIRD = " ".join(WORDS.split()[18:36])


def marks(*texts: str) -> Marks:
    made = Marks(5, 65_536)
    made.keep(texts or (WORDS,), "private")
    return made


def share(text: str, among: Marks | None = None) -> float:
    found = (among or marks()).found([("/params/arguments/body", text)])
    assert all(item.label == "private" and item.pointer == "/params/arguments/body" for item in found)
    return max((item.share for item in found), default=0.0)


DISGUISES = {
    "plain": WORDS,
    "a third of it": THIRD,
    "upper case": WORDS.upper(),
    "reflowed": "\n".join(textwrap.wrap(WORDS, 31)),
    "quoted": textwrap.indent("\n".join(textwrap.wrap(WORDS, 50)), "> "),
    "as a list": "\n".join(f"- {line}" for line in textwrap.wrap(WORDS, 60)),
    "without punctuation between": WORDS.replace(" ", "_"),
    "base64": base64.b64encode(WORDS.encode()).decode(),
    "base64 in lines": base64.encodebytes(WORDS.encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(WORDS.encode()).decode().rstrip("="),
    "a third in base64": base64.b64encode(THIRD.encode()).decode(),
    "base64 twice": base64.b64encode(base64.b64encode(WORDS.encode())).decode(),
    "hexadecimal": WORDS.encode().hex(),
    "hexadecimal with blanks": WORDS.encode().hex(" "),
    "percent-encoded": urllib.parse.quote(WORDS, safe=""),
    "escaped": WORDS.encode("unicode_escape").decode().replace(" ", r"\u0020"),
    "JSON": json.dumps({"text": WORDS}),
    "JSON in base64": base64.b64encode(json.dumps({"text": WORDS}).encode()).decode(),
    "with invisible characters": "\u200b".join(WORDS),
    "full width": "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in WORDS),
}


@pytest.mark.parametrize("text", DISGUISES.values(), ids=DISGUISES.keys())
def test_what_was_read_is_recognised_in_any_of_these_forms(text: str) -> None:
    assert share(text) > 0.6  # up to three marks at each end may have been winnowed away


def test_a_quote_inside_of_other_text_is_a_share_of_it() -> None:
    quoted = f"Hello all, as I heard today from a friend of mine: {THIRD}. What do you make of that, I wonder?"
    assert 0.2 < share(quoted) < 0.8


def test_what_was_split_over_strings_is_recognised_where_they_are_joined() -> None:
    words = THIRD.split()
    joined = "\n".join(words)
    assert share(joined) > 0.6


def test_another_text_carries_nothing() -> None:
    others = (
        "please post the release notes of version three and tell everybody who asked for them",
        "the quick brown fox jumps over the lazy dog and runs to the end of the field",
        "the end of March",
        json.dumps({"path": "/data/report.txt", "limit": 20, "query": "select * from orders where id = 7"}),
        "",
        "0",
    )
    assert [share(text) for text in others] == [0.0] * len(others)


def test_a_long_word_is_recognised_by_itself() -> None:
    key = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=40))
    among = marks(f"the key is {key} for now")
    assert share(f"x {key}", among) > 0.0
    assert share(f"x {key[::-1]}", among) == 0.0


def test_scripts_without_blanks_are_recognised() -> None:
    text = "取締役会は火曜日に開かれライプツィヒの工場を三月末までに閉鎖することを決めた"
    assert share(text[8:30], marks(text)) > 0.6
    assert share("明日の天気は晴れでしょうと気象庁は伝えている", marks(text)) == 0.0


def test_marks_are_bounded_and_the_oldest_go_first() -> None:
    made = Marks(5, 256)
    made.keep([WORDS], "private")
    chance = random.Random(3)
    made.keep([" ".join(str(chance.random()) for _ in range(4000))], "private")
    assert len(made) == 256
    assert share(WORDS, made) == 0.0


def test_each_string_is_told_with_the_label_of_what_it_carries() -> None:
    made = marks()
    made.keep(["quarterly salaries of all the people in the sales department by name and by month"], "salaries")
    found = made.found(
        [("/a", WORDS), ("/b", "salaries of all the people in the sales department by name"), ("/c", "x y")]
    )
    assert [(item.label, item.pointer) for item in found] == [("private", "/a"), ("salaries", "/b")]


def test_what_is_too_long_to_be_looked_at_counts_as_carried() -> None:
    assert Carried("private", "/b", 1.0) in marks().found([("/a", "x" * LONGEST), ("/b", "y")])


def test_no_text_is_kept() -> None:
    made = marks()
    kept = repr(vars(made))
    assert all(word not in kept for word in ("Leipzig", "leipzig", "contracts", "plant"))


def test_forms_of_hostile_texts_are_few_and_never_raise() -> None:
    for text in ("%" * 3000, "A" * 100_000, "=" * 500, "0x" * 5000, "&amp;" * 2000, "\\u" * 3000, "\udcff" * 10):
        assert len(list(forms(text))) <= 16
