"""Rego is cut into pieces that make up the whole again."""

from hypothesis import given
from hypothesis import strategies as st

from tidegate_policy.tokens import tokens


@given(st.text(alphabet='ab_1.5e+-"`\\#$:=!<> \t\n()é'))
def test_the_pieces_make_up_the_text(text: str) -> None:
    assert "".join(token[0] for token in tokens(text)) == text


def test_the_kinds_are_told_apart() -> None:
    text = 'a_1 := "x \\" # y" + `\\`-1.5e3 != b # "c\n$"d"'
    found = [(token.lastgroup, token[0]) for token in tokens(text) if token[0] != " "]
    assert found == [
        ("word", "a_1"),
        ("other", ":="),
        ("string", '"x \\" # y"'),
        ("other", "+"),
        ("string", "`\\`"),
        ("other", "-"),
        ("number", "1.5e3"),
        ("other", "!="),
        ("word", "b"),
        ("blank", '# "c'),
        ("blank", "\n"),
        ("template", '$"'),
        ("word", "d"),
        ("other", '"'),
    ]
