"""URI templates read backwards: whatever one expands to matches, nothing else's literals do, and none takes long."""

import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway.templates import LONGEST, LONGEST_URI, MOST_VARIABLES, Template


def matches(template: str, uri: str) -> bool:
    return Template(template).matches(uri)


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        ("note://all", "note://all"),
        ("note://{id}", "note://7"),
        ("note://{id}", "note://a%2Fb"),
        ("note://{id}", "note://käse und brot"),
        ("note://{id}", "note://ann@example.com:7"),
        ("note://{a,b}", "note://1,2"),
        ("note://{tags*}", "note://a/b/c"),
        ("note://{id:3}/x", "note://abc/x"),
        ("repo://{owner}/{name}/file{/path*}", "repo://o/n/file/a/b/c"),
        ("repo://{owner}/{name}/file{/path*}", "repo://o/n/file"),
        ("repo:///{a}{/b,c}", "repo:///x/y/z"),
        ("file:///{+path}", "file:///a/b/c.txt?x#y"),
        ("file:///a{+path}z", "file:///a/b/c/z"),
        ("doc://page{#part}", "doc://page#a/b"),
        ("doc://page{#part}", "doc://page"),
        ("doc://page{.kind}", "doc://page.html"),
        ("doc://page{;x,y}", "doc://page;x=1;y"),
        ("https://h/find{?q,n}", "https://h/find?q=a%20b&n=2"),
        ("https://h/find{?q,n}", "https://h/find?n=2"),
        ("https://h/find{?q,n}", "https://h/find"),
        ("https://h/find{?q*}", "https://h/find?any=1&other=2"),
        ("https://h/find?fixed=1{&q}", "https://h/find?fixed=1&q=2"),
        ("x:{%41.b_1}", "x:y"),
        ("x:a.b*c(d)[e]", "x:a.b*c(d)[e]"),
    ],
)
def test_what_a_template_expands_to_matches(template: str, uri: str) -> None:
    assert matches(template, uri)


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        ("note://all", "note://all/"),
        ("note://all", "NOTE://all"),
        ("note://{id}", "note://"),
        ("note://{id}", "note://a/b"),
        ("note://{id}", "note://a?b"),
        ("note://{id}", "xnote://a"),
        ("note://{id}/x", "note://a/xx"),
        ("note://{id}/x", "note://a/b/x"),
        ("file:///{+path}", "file:///"),
        ("file:///data/{+path}", "file:///etc/passwd"),
        ("x:a.b", "x:aab"),
        ("repo:///{a}{/b,c}", "repo:///x/y/z/w"),
        ("https://h/find{?q,n}", "https://h/find?other=1"),
        ("https://h/find{?q,n}", "https://h/find?q=1&q=2&q=3&n=4"),
        ("https://h/find{?q}", "https://h/find?q=1#x"),
        ("doc://page{#part}", "doc://pages"),
    ],
)
def test_what_it_can_not_expand_to_does_not_match(template: str, uri: str) -> None:
    assert not matches(template, uri)


@pytest.mark.parametrize("template", ["{uri}", "{+uri}", "{scheme}://x", "file{+rest}", "", "a/{b}"])
def test_a_template_without_a_scheme_of_its_own_matches_nothing(template: str) -> None:
    assert not matches(template, "file:///a")
    assert not matches(template, template)


@pytest.mark.parametrize(
    "template",
    [
        "x:{",
        "x:}",
        "x:{a",
        "x:a}",
        "x:{{a}}",
        "x:{}",
        "x:{a,}",
        "x:{=a}",
        "x:{!a}",
        "x:{@a}",
        "x:{|a}",
        "x:{,a}",
        "x:{a**}",
        "x:{a:0}",
        "x:{a:12345}",
        "x:{a.}",
        "x:{%4}",
        "x:{ä}",
        "x:{a}}",
        "x:{a{b}}",
    ],
)
def test_a_template_that_is_none_matches_nothing(template: str) -> None:
    assert not matches(template, "x:a")
    assert not matches(template, template)


def test_a_template_that_is_too_long_or_has_too_many_variables_matches_nothing() -> None:
    most = "x:" + "{a}" * MOST_VARIABLES
    assert matches(most, "x:" + "y" * MOST_VARIABLES)
    assert not matches(most + "{a}", "x:" + "y" * (MOST_VARIABLES + 1))
    assert matches("x:" + "y" * (LONGEST - 2), "x:" + "y" * (LONGEST - 2))
    assert not matches("x:" + "y" * LONGEST, "x:" + "y" * LONGEST)
    assert matches("x:{a}", "x:" + "y" * (LONGEST_URI - 2))
    assert not matches("x:{a}", "x:" + "y" * LONGEST_URI)


@pytest.mark.parametrize(
    "template",
    [
        "x:" + "{a}" * MOST_VARIABLES + "!",
        "x:" + "{+a}" * MOST_VARIABLES + "!",
        "x:" + "{a*}{/b*}{.c*}{;d*}{?e*}{&f*}" * 10 + "!",
        "x:{/" + ",".join("abcdefgh" * 8) + "}!",
        "x:{?" + ",".join(f"{number:02d}" * 14 for number in range(MOST_VARIABLES)) + "}!",
    ],
)
def test_no_template_takes_long_with_any_uri(template: str) -> None:
    made = Template(template)
    began = time.process_time()
    for text in ("a" * 8000, "/a.b;c?d=e&f=g" * 570, "%41" * 2700, "?0000=1&" * 1000):
        assert not made.matches("x:" + text)
    assert time.process_time() - began < 5, "with a backtracking engine, more than any test may take"


# -- against a reading forwards ---------------------------------------------------------------------------------------

_OPERATORS = {  # RFC 6570, appendix A: what begins it, what is between, whether names are said, what is kept as it is
    "": ("", ",", False, ""),
    "+": ("", ",", False, ":/?#[]@!$&'()*+,;="),
    "#": ("#", ",", False, ":/?#[]@!$&'()*+,;="),
    ".": (".", ".", False, ""),
    "/": ("/", "/", False, ""),
    ";": (";", ";", True, ""),
    "?": ("?", "&", True, ""),
    "&": ("&", "&", True, ""),
}
_NAMES = ("a", "b", "long_one", "d.e")
_value = st.one_of(st.text(min_size=1, max_size=6), st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=3))


def expanded(operator: str, names: list[str], star: str, values: dict[str, str | list[str]]) -> str:
    """Expand one expression: what a client makes of it."""
    begins, between, named, kept = _OPERATORS[operator]
    parts = []
    for name in names:
        value = values.get(name)
        if value is None:
            continue
        texts = [quote(text, safe=kept) for text in ([value] if isinstance(value, str) else value)]
        if named:
            parts += [f"{name}={text}" for text in texts] if star else [f"{name}={','.join(texts)}"]
        else:
            parts += texts if star else [",".join(texts)]
    return begins + between.join(parts) if parts else ""


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(_OPERATORS)),
            st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3, unique=True),
            st.sampled_from(("", "*")),
            st.text("az/.-é", max_size=4),
        ),
        max_size=4,
    ),
    st.dictionaries(st.sampled_from(_NAMES), _value),
)
def test_every_expansion_of_every_template_matches_it(
    parts: list[tuple[str, list[str], str, str]], values: dict[str, str | list[str]]
) -> None:
    template = uri = "x://h/"
    for operator, names, star, literal in parts:
        made = expanded(operator, names, star, values)
        if not made and operator in ("", "+"):
            continue  # nothing at all isn't taken for a value
        template += "{" + operator + ",".join(name + star for name in names) + "}" + literal
        uri += made + literal
    assert matches(template, uri)
    assert not matches(template, uri[:4])


@given(st.text(), st.text())
def test_any_two_texts_can_be_compared(template: str, uri: str) -> None:
    assert matches("x:" + template, "x:" + uri) in (True, False)
