"""Whose a URI is: by lists, templates and results, and nobody's where several have it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway.resources import MOST_SEEN, MOST_TEMPLATES, AmbiguousError, Owners
from tidegate.gateway.templates import LONGEST_URI, MOST_VARIABLES


def owners(**listed: list[str]) -> Owners:
    """Return who owns what: each server's URIs, and templates where there is a brace."""
    found = Owners()
    for server, texts in listed.items():
        found.update(
            server,
            uris=[text for text in texts if "{" not in text],
            templates=[text for text in texts if "{" in text],
        )
    return found


def test_a_uri_is_the_servers_that_lists_it() -> None:
    found = owners(a=["file:///a", "file:///b"], b=["note://1"])
    assert found.owner("file:///b") == "a"
    assert found.owner("note://1") == "b"
    assert found.owner("note://2") is None


def test_or_else_the_one_with_a_template_for_it() -> None:
    found = owners(a=["file:///{+path}"], b=["note://{id}", "file:///listed"])
    assert found.owner("file:///a/b") == "a"
    assert found.owner("note://7") == "b"
    assert found.owner("file:///listed") == "b", "what is listed comes first"
    assert found.owner("other://7") is None


def test_or_else_the_one_in_whose_results_it_was() -> None:
    found = owners(a=["file:///{+path}"], b=[])
    found.saw("b", ["temp://1", "file:///x"])
    assert found.owner("temp://1") == "b"
    assert found.owner("file:///x") == "a"


def test_or_else_the_only_server_that_has_resources() -> None:
    found = owners(a=[])
    assert found.owner("any://thing") == "a"
    found.update("b")
    assert found.owner("any://thing") is None
    found.remove("b")
    found.remove("b")
    assert found.owner("any://thing") == "a"
    found.remove("a")
    assert found.owner("any://thing") is None


@pytest.mark.parametrize(
    "listed",
    [
        {"a": ["x:1"], "b": ["x:1"], "c": ["x:{n}"]},
        {"a": ["x:{n}"], "b": ["x:{+n}"], "c": []},
    ],
)
def test_what_several_have_in_the_same_way_is_nobodys(listed: dict[str, list[str]]) -> None:
    with pytest.raises(AmbiguousError) as caught:
        owners(**listed).owner("x:1")
    assert str(caught.value) == "The resource is one of a and b, so it can't be told which is meant."
    assert caught.value.servers == ("a", "b")


def test_what_was_in_several_servers_results_is_nobodys() -> None:
    found = owners(a=[], b=[], c=[])
    for server in "abc":
        found.saw(server, ["x:1"])
    with pytest.raises(AmbiguousError, match="one of a, b and c,"):
        found.owner("x:1")


def test_a_server_without_resources_owns_nothing_it_links_to() -> None:
    found = owners(a=[])
    found.saw("b", ["x:1"])
    assert found.owner("x:1") == "a", "the only server that has resources"
    found.update("b")
    assert found.owner("x:1") is None
    found.saw("b", ["x:1"])
    assert found.owner("x:1") == "b"


def test_a_list_replaces_the_one_before_and_what_is_not_given_stays() -> None:
    found = owners(a=["x:1", "y:{n}"], b=["z:1"])
    found.update("a", uris=["x:2"])
    assert (found.owner("x:1"), found.owner("x:2"), found.owner("y:1")) == (None, "a", "a")
    found.update("a", templates=[])
    assert (found.owner("x:2"), found.owner("y:1")) == ("a", None)


def test_of_each_servers_results_the_latest_uris_are_remembered() -> None:
    found = owners(a=[], b=[])
    found.saw("b", ["b:1"])
    found.saw("a", (f"a:{number}" for number in range(MOST_SEEN)))
    found.saw("a", ["a:0", "a:more"])
    assert (found.owner("a:1"), found.owner("a:0"), found.owner("a:more")) == (None, "a", "a")
    assert found.owner("b:1") == "b", "one server can't push out another's"


def test_a_template_is_the_servers_that_lists_it_by_its_text() -> None:
    found = owners(a=["note://{id}", "file:///{+path}"], b=["{+any}", "x:{n}"], c=["x:{n}"])
    assert found.template_owner("note://{id}") == "a"
    assert found.template_owner("{+any}") == "b"
    assert found.template_owner("file:///a") == "a", "completion may be about a plain URI"
    assert found.template_owner("other://{id}") is None
    with pytest.raises(AmbiguousError, match=r"^The template is one of b and c, so it can't be told which is meant\.$"):
        found.template_owner("x:{n}")


_uri = st.sampled_from(("x:1", "x:2", "y:1", "y:2/3"))
_texts = st.lists(st.one_of(_uri, st.sampled_from(("x:{n}", "y:{n}", "y:{+n}", "{+n}", "x:{"))), max_size=4)


@given(st.dictionaries(st.sampled_from("abc"), _texts), _uri)
def test_who_alone_lists_a_uri_has_it_whatever_templates_others_list(listed: dict[str, list[str]], uri: str) -> None:
    found = owners(**listed)
    having = {server for server, texts in listed.items() if uri in texts}
    if len(having) > 1:
        with pytest.raises(AmbiguousError) as caught:
            found.owner(uri)
        assert set(caught.value.servers) == having
    elif having:
        assert {found.owner(uri)} == having


def test_of_very_many_templates_the_first_are_matched_against_and_all_are_known() -> None:
    its = [f"note{number}://{{id}}" for number in range(10_000)]
    found = owners(a=its, b=[])
    assert found.owner(f"note{MOST_TEMPLATES - 1}://1") == "a"
    assert found.owner(f"note{MOST_TEMPLATES}://1") is None
    assert found.template_owner(its[-1]) == "a"


def test_the_worst_templates_a_server_can_have_cost_a_message_little() -> None:
    names = ",".join(f"{number:x}" * 4 for number in range(MOST_VARIABLES))
    found = owners(a=[f"x:{'y' * (number % 100)}{{+a}}{{?{names}}}{number}" for number in range(10_000)], b=[])
    began = time.process_time()
    for _ in range(3):
        assert found.owner("x:" + "y" * (LONGEST_URI - 2)) is None
    assert time.process_time() - began < 5, "a second where nothing else runs, most of it once"
