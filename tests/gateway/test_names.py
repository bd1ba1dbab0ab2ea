"""Names at the gateway: reversible and unique, whatever servers call their tools, in whatever order they list."""

import gc
import time
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway.names import LONGEST, MOST_PROBLEMS, Names
from tidegate.gateway_settings import Clash

CLASHES: tuple[Clash, ...] = ("prefix", "first", "hide")


Listed = dict[str, list[str]]
Gateway = tuple[dict[str, str], Listed]


def names(prefixes: dict[str, str], clash: Clash = "prefix", **listed: list[str]) -> Names:
    return listing(Names("tool", prefixes, clash), listed)


def listing(found: Names, listed: Listed) -> Names:
    for server, its in listed.items():
        found.update(server, its)
    return found


def all_shown(found: Names, listed: Listed) -> dict[tuple[str, str], str | None]:
    return {(server, name): found.shown(server, name) for server, its in listed.items() for name in its}


def test_by_default_a_server_stands_before_its_names() -> None:
    found = names({"time": "time__", "files": "files__"}, time=["now"], files=["read"])
    assert found.shown("time", "now") == "time__now"
    assert found.meant("files__read") == ("files", "read")
    assert found.meant("read") is None
    assert found.problems() == []


def test_a_server_may_have_another_prefix_or_none() -> None:
    found = names({"time": "", "files": "fs_"}, time=["now"], files=["read"])
    assert (found.shown("time", "now"), found.shown("files", "read")) == ("now", "fs_read")
    assert (found.meant("now"), found.meant("fs_read")) == (("time", "now"), ("files", "read"))


def test_what_is_not_listed_is_the_servers_whose_prefix_fits_longest_or_that_of_the_only_one_without() -> None:
    found = names({"a": "x_", "b": "x_y_", "c": ""})
    assert found.meant("x_y_z") == ("b", "z")
    assert found.meant("x_z") == ("a", "z")
    assert found.meant("z") == ("c", "z")
    assert found.meant("x_") == ("c", "x_"), "nobody's name is empty"
    assert names({"a": "", "b": ""}).meant("z") is None, "it may be either's"
    assert found.shown("a", "y_z") is None, "x_y_z is b's"
    assert found.shown("d", "z") is None


def test_names_that_clash_get_their_servers_in_front_and_the_others_stay() -> None:
    found = names({"a": "", "b": "", "c": ""}, a=["read", "x"], b=["read", "y"], c=["z"])
    assert all_shown(found, {"a": ["read", "x"], "b": ["read", "y"], "c": ["z"]}) == {
        ("a", "read"): "a__read",
        ("a", "x"): "x",
        ("b", "read"): "b__read",
        ("b", "y"): "y",
        ("c", "z"): "z",
    }
    assert found.meant("read") is None, "it is never guessed"
    assert found.problems() == ["The name 'read' would be that of tools of a and b: they are 'a__read' and 'b__read'."]


def test_the_first_server_of_the_settings_may_keep_the_name_whoever_lists_first() -> None:
    for order in permutations("abc"):
        found = Names("tool", {"a": "", "b": "", "c": ""}, "first")
        for server in order:
            found.update(server, ["read"])
        assert all_shown(found, {server: ["read"] for server in "abc"}) == {
            ("a", "read"): "read",
            ("b", "read"): "b__read",
            ("c", "read"): "c__read",
        }
        assert found.meant("read") == ("a", "read")
        assert found.problems() == [
            "The name 'read' would be that of tools of a, b and c: they are 'read', 'b__read' and 'c__read'."
        ]


def test_names_that_clash_may_be_hidden() -> None:
    found = names({"a": "", "b": ""}, "hide", a=["read", "x"], b=["read"])
    assert all_shown(found, {"a": ["read", "x"], "b": ["read"]}) == {
        ("a", "read"): None,
        ("a", "x"): "x",
        ("b", "read"): None,
    }
    assert [found.meant(name) for name in ("read", "a__read", "b__read")] == [None, None, None]
    assert found.problems() == ["The tool 'read' isn't served: a and b would all have it."]


def test_a_name_made_for_one_that_clashed_may_clash_in_its_turn() -> None:
    listed = {"a": ["read", "b__read", "a__b__read"], "b": ["read"]}
    found = listing(Names("tool", {"a": "", "b": ""}), listed)
    assert all_shown(found, listed) == {
        ("a", "read"): "a__read",
        ("a", "b__read"): "a__b__read",
        ("a", "a__b__read"): "a__a__b__read",
        ("b", "read"): "b__read",
    }


def test_a_later_server_never_takes_a_name_of_the_first_not_even_by_its_own() -> None:
    found = names({"a": "", "b": "b__"}, "first", a=["b__read"], b=["read"])
    assert found.shown("a", "b__read") == "b__read"
    assert found.shown("b", "read") is None
    said = "The name 'b__read' would be that of tools of a and b: they are 'b__read', and that of b isn't served."
    assert found.problems() == [said]


def test_a_server_that_is_gone_leaves_its_names_to_others() -> None:
    found = names({"a": "", "b": ""}, a=["read"], b=["read"])
    found.update("b", None)
    assert found.shown("a", "read") == "read"
    found.update("b", ["read"])
    assert found.shown("a", "read") == "a__read"
    with pytest.raises(KeyError):
        found.update("z", ["read"])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("x" * (LONGEST - 2), "its name is longer than 128 characters with its prefix"),
        ("", "its name is empty"),
        ("two words", "its name has characters that none may have"),
        ("häßlich", "its name has characters that none may have"),
        ("a\x1b[2J", "its name has characters that none may have"),
    ],
)
def test_a_tool_whose_name_clients_would_refuse_is_not_served_and_stops_no_other(name: str, why: str) -> None:
    found = names({"a": "a__"}, a=[name, "well"])
    assert found.shown("a", name) is None
    assert found.shown("a", "well") == "a__well"
    (said,) = found.problems()
    assert said.endswith(f" of a isn't served: {why}.")
    assert said.isascii() or "…" in said
    assert said.isprintable()


def test_the_longest_name_that_fits_is_served() -> None:
    name = "x" * (LONGEST - 3)
    assert names({"a": "a__"}, a=[name]).shown("a", name) == f"a__{name}"


def test_a_name_that_clashes_and_is_too_long_with_its_server_is_not_served() -> None:
    name = "x" * LONGEST
    found = names({"a": "", "b": ""}, a=[name], b=[name])
    assert (found.shown("a", name), found.shown("b", name), found.meant(name)) == (None, None, None)
    assert found.problems()[0].endswith("a and b would all have it.")


def test_prompts_may_have_names_of_words() -> None:
    found = Names("prompt", {"a": "a__"})
    found.update("a", ["Überprüfe den Code", "a\nb"])
    assert found.shown("a", "Überprüfe den Code") == "a__Überprüfe den Code"
    assert found.meant("a__Überprüfe den Code") == ("a", "Überprüfe den Code")
    assert found.shown("a", "a\nb") is None


def test_of_many_problems_a_few_are_told_and_the_rest_is_counted() -> None:
    its = [f"t{number}" for number in range(MOST_PROBLEMS + 7)]
    said = names({"a": "", "b": ""}, a=its, b=its).problems()
    assert len(said) == MOST_PROBLEMS + 1
    assert said[-1] == "There are 7 more such tools."


# -- the law ----------------------------------------------------------------------------------------------------------

SERVERS = ("a", "b", "ab", "a_b", "c")
_prefix = st.sampled_from(("", "a_", "a__", "a__b", "b__", "ab", "ab__", "a_b__", "c__", "_", "__"))
_name = st.one_of(
    st.text("ab_", max_size=6),
    st.sampled_from(("a__b", "b__a", "a__b__a", "a__a__b", "ab__a", "a_b__a", "x" * LONGEST, "x" * (LONGEST - 3))),
)
_prefixes = st.dictionaries(st.sampled_from(SERVERS), _prefix, min_size=1).filter(
    lambda given: len(set(given.values()) - {""}) == len([prefix for prefix in given.values() if prefix])
)


@st.composite
def gateways(draw: st.DrawFn) -> Gateway:
    prefixes = draw(_prefixes)
    listed = {server: draw(st.lists(_name, max_size=6)) for server in prefixes if draw(st.booleans())}
    return prefixes, listed


@given(gateways(), st.sampled_from(CLASHES), st.lists(_name, max_size=8))
def test_every_name_leads_back_to_whose_it_is_and_no_two_are_the_same(
    gateway: Gateway, clash: Clash, more: list[str]
) -> None:
    prefixes, listed = gateway
    found = listing(Names("tool", prefixes, clash), listed)
    asked = {server: [*listed.get(server, []), *more] for server in prefixes}
    shown = [(meant, name) for meant, name in all_shown(found, asked).items() if name is not None]
    for meant, name in shown:
        assert found.meant(name) == meant
        assert 1 <= len(name) <= LONGEST
    assert len({name for _, name in shown}) == len(shown)
    for name in more:
        meant_by = found.meant(name)
        assert meant_by is None or found.shown(*meant_by) == name, "one that is meant is shown by that very name"
    assert all(said.isprintable() for said in found.problems())


@given(gateways(), st.sampled_from(CLASHES), st.randoms(use_true_random=False))
def test_the_order_in_which_servers_list_changes_nothing(gateway: Gateway, clash: Clash, random: Random) -> None:
    prefixes, listed = gateway
    order = list(listed)
    random.shuffle(order)
    found, again = listing(Names("tool", prefixes, clash), listed), Names("tool", prefixes, clash)
    for server in order:
        again.update(server, ["other"])
    for server in order:
        again.update(server, listed[server])
    assert all_shown(found, listed) == all_shown(again, listed)


@given(gateways())
def test_a_name_is_hidden_for_no_reason_but_its_form_or_its_length_where_clashes_are_prefixed(gateway: Gateway) -> None:
    prefixes, listed = gateway
    found = listing(Names("tool", prefixes), listed)
    for (server, name), shown in all_shown(found, listed).items():
        longest = max(len(prefixes[server]), len(server) + 2) + len(name)
        assert shown is not None or not name or longest > LONGEST


def settled(prefixes: dict[str, str], count: int) -> float:
    """Seconds of CPU time until so many names of each of two servers are settled; the better of two times."""
    its = [f"tool_{number}" for number in range(count)]
    spent = []
    gc.disable()  # what other tests have left would be looked through
    try:
        for _ in range(2):
            found = names(prefixes, a=its, b=its)
            began = time.process_time()
            assert found.shown("a", "tool_1") is not None
            spent.append(time.process_time() - began)
    finally:
        gc.enable()
    return min(spent)


def test_ten_times_as_many_names_take_about_ten_times_as_long_to_settle_even_where_all_of_them_clash() -> None:
    for prefixes in ({"a": "a__", "b": "b__"}, {"a": "", "b": ""}):
        assert settled(prefixes, 5000) < 40 * max(settled(prefixes, 500), 0.0005)


# -- names that are the gateway's own ---------------------------------------------------------------------------------


def reserving(clash: Clash, *own: str) -> Names:
    return listing(Names("tool", {"a": "", "b": "find-"}, clash, own), {"a": ["find-tool", "x"], "b": ["tool", "y"]})


def test_a_name_of_the_gateways_own_is_no_servers_whatever_the_rule() -> None:
    for clash in CLASHES:
        found = reserving(clash, "find-tool", "x")
        assert found.meant("find-tool") is None
        assert found.meant("x") is None
        moved = clash != "hide"
        assert found.shown("a", "find-tool") == ("a__find-tool" if moved else None)
        assert found.shown("b", "tool") == ("b__tool" if moved else None)
        assert (found.meant("a__x") == ("a", "x")) == moved
        assert found.meant("find-y") == ("b", "y")


def test_what_has_to_give_way_to_the_gateway_is_reported() -> None:
    assert "The name 'x' is the gateway's own: the tool of a is 'a__x' here." in reserving("prefix", "x").problems()
    assert "The name 'x' is the gateway's own: the tool of a isn't served." in reserving("hide", "x").problems()


def test_a_name_of_the_gateways_own_is_not_taken_for_one_that_a_server_has_not_listed() -> None:
    found = Names("tool", {"a": "", "b": "find-"}, "prefix", ["find-tool"])
    assert found.meant("find-tool") is None
    assert found.shown("a", "find-tool") is None
    assert found.meant("find-other") == ("b", "other")
