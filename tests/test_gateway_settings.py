"""Prefixes, profiles and the gateway's rules: what may stand in the settings, and what changes by them."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate import gateway_settings
from tidegate.flow import Principal
from tidegate.settings import GatewaySettings, Settings, SettingsError, command_server, parse

HERE = Path("/nonexistent")
DIGEST = hashlib.sha256(b"token").hexdigest()
SERVERS = "".join(f"[servers.{name}]\nurl = 'http://{name}/'\n" for name in ("time", "files", "web"))


def read(text: str) -> Settings:
    return parse(text, folder=HERE)


def wrong(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(text)
    said = str(caught.value)
    assert said.isprintable(), "one line"
    return said.removeprefix("settings: ")


def server(name: str, prefix: str) -> str:
    return f"[servers.{name}]\nurl = 'http://{name}/'\nprefix = '{prefix}'\n"


# -- the gateway ------------------------------------------------------------------------------------------------------


def test_without_settings_clashes_are_prefixed_and_servers_waited_for() -> None:
    found = read("").gateway
    assert found == GatewaySettings()
    assert (found.clash, found.page, found.patience, found.search) == ("prefix", 500, 10.0, False)
    assert not found.dynamic
    assert found.max_items == 10_000


def test_all_of_it_is_read() -> None:
    found = read("[gateway]\nclash = 'first'\npage = 10\npatience = 1\nsearch = true\nmax_items = 7").gateway
    assert (found.clash, found.page, found.patience, found.search, found.max_items) == ("first", 10, 1.0, True, 7)


@pytest.mark.parametrize(
    "line", ["clash = 'last'", "page = 0", "page = true", "patience = 0", "search = 1", "max_items = 0", "pages = 1"]
)
def test_what_has_no_meaning_is_refused_with_its_place(line: str) -> None:
    assert wrong(f"[gateway]\n{line}").startswith(f"gateway.{line.partition(' ')[0]}: ")


def test_no_server_is_called_as_the_gateway_is_in_records() -> None:
    assert wrong("[servers.gateway]\nurl = 'http://h/'").startswith("servers.gateway: that name is the gateway's own")


def test_a_program_that_is_called_so_makes_a_server_of_another_name() -> None:
    assert command_server(["./gateway"])[0] == "server"


# -- prefixes ---------------------------------------------------------------------------------------------------------


def test_a_prefix_is_the_servers_name_where_none_is_given() -> None:
    found = read(SERVERS + server("docs", "") + server("db", "sql."))
    assert gateway_settings.prefixes(found) == {
        "time": "time__",
        "files": "files__",
        "web": "web__",
        "docs": "",
        "db": "sql.",
    }


@pytest.mark.parametrize("prefix", ["a b", "ä", "a/", "x" * 67, "a\\u0000"])
def test_a_prefix_of_which_no_valid_name_can_be_made_is_refused(prefix: str) -> None:
    text = f'[servers.a]\nurl = "http://a/"\nprefix = "{prefix}"'
    assert wrong(text).startswith("servers.a.prefix: a prefix has at most 66 letters, digits,")


def test_two_servers_have_no_prefix_in_common_but_may_both_have_none() -> None:
    assert wrong(server("a", "x_") + server("b", "x_")) == "servers.b.prefix: a has the prefix 'x_' already"
    assert wrong(SERVERS + server("b", "time__")) == "servers.b.prefix: time has the prefix 'time__' already"
    assert gateway_settings.prefixes(read(server("a", "") + server("b", ""))) == {"a": "", "b": ""}
    longer = gateway_settings.prefixes(read(server("a", "x_") + server("b", "x_y_")))
    assert longer == {"a": "x_", "b": "x_y_"}, "the longest that fits is meant"


@given(st.from_regex(r"[A-Za-z0-9_.-]{0,66}", fullmatch=True))
def test_every_prefix_that_fits_is_taken_as_it_is(prefix: str) -> None:
    assert gateway_settings.prefixes(read(server("a", prefix))) == {"a": prefix}


# -- profiles and tokens ----------------------------------------------------------------------------------------------


def test_a_profile_has_some_servers_in_the_order_of_the_settings() -> None:
    found = read(SERVERS + "[profiles.work]\nservers = ['web', 'time']")
    assert list(gateway_settings.prefixes(found, "work")) == ["time", "web"]
    assert list(gateway_settings.prefixes(found)) == ["time", "files", "web"]
    with pytest.raises(KeyError):
        gateway_settings.prefixes(found, "play")


def test_a_profile_may_have_some_of_their_tools() -> None:
    found = read(
        SERVERS
        + "[profiles.work]\nservers = ['files', 'web', 'time']\ntools = ['files/read_*', '[tw]*/get', 'web/a/b']"
    ).profiles["work"]
    served = ["files/read_all", "time/get", "web/get", "web/a/b"]
    others = ["files/write", "files/get", "files/xread_", "time/now", "web/a", "web/getter", "db/get", "files/READ_all"]
    for place in served + others:
        its, _, tool = place.partition("/")
        assert found.serves(its, tool) == (place in served), place


def test_a_profile_without_globs_has_all_tools_of_its_servers_and_an_empty_list_has_none() -> None:
    found = read(SERVERS + "[profiles.a]\nservers = ['time']\n[profiles.b]\nservers = ['time']\ntools = []").profiles
    assert found["a"].serves("time", "now")
    assert not found["a"].serves("files", "read")
    assert not found["b"].serves("time", "now")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("servers = ['tiem']", "profiles.work.servers: there is no 'tiem' (there are: time, files, web)"),
        ("servers = []", "profiles.work.servers: "),
        ("", "profiles.work.servers: field required"),
        ("servers = ['time', 'time']", "profiles.work: servers names 'time' twice"),
        ("servers = ['time']\ntools = ['now']", "profiles.work: tools: 'now' is not SERVER/NAME, like files/read_*"),
        ("servers = ['time']\ntools = ['time/']", "profiles.work: tools: 'time/' is not SERVER/NAME"),
        (
            "servers = ['time']\ntools = ['files/*']",
            "profiles.work: tools: 'files/*' is for none of the profile's servers",
        ),
        ("servers = ['time']\ntool = ['time/*']", "profiles.work.tool: there is no such setting"),
    ],
)
def test_a_profile_that_can_not_be_meant_is_refused(text: str, said: str) -> None:
    assert wrong(f"{SERVERS}[profiles.work]\n{text}").startswith(said)


def test_a_token_may_be_for_one_profile() -> None:
    token = f"[auth]\ntokens = [{{ name = 'ann', sha256 = '{DIGEST}', roles = ['dev'], profile = 'work' }}]\n"
    found = read(f"{SERVERS}[profiles.work]\nservers = ['time']\n{token}")
    assert found.auth.principal("token") == Principal("ann", "token", ("dev",), "work")
    assert wrong(SERVERS + token) == "auth.tokens: profile of 'ann': there is no 'work' (there are: none)"


# -- changes ----------------------------------------------------------------------------------------------------------


def test_a_server_with_another_prefix_is_the_same_server() -> None:
    before, after = (read(server("a", prefix)).servers["a"] for prefix in ("", "x_"))
    other = read(server("a", "") + "trust = 'high'").servers["a"]
    assert gateway_settings.same(before, after)
    assert gateway_settings.same(before, before)
    assert gateway_settings.same(None, None)
    assert not gateway_settings.same(before, other)
    assert not gateway_settings.same(before, None)
    assert not gateway_settings.same(None, after)


WORK = "[profiles.work]\nservers = ['time']\n"


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (SERVERS, SERVERS, set()),
        (SERVERS + WORK, SERVERS + WORK + "[session]\nttl = 1", set()),
        (SERVERS + WORK, SERVERS + "prefix = 'w_'\n" + WORK, {""}),
        (SERVERS + WORK, server("db", "") + SERVERS + WORK, {""}),
        (SERVERS + WORK, SERVERS.replace("[servers.time]\n", "[servers.time]\nprefix = ''\n") + WORK, {"", "work"}),
        (SERVERS + WORK, SERVERS + WORK + "tools = ['time/*']", {"work"}),
        (SERVERS + WORK, SERVERS, {"work"}),
        (SERVERS, SERVERS + WORK, {"work"}),
        (SERVERS + WORK, SERVERS + WORK + "[gateway]\nclash = 'hide'", {"", "work"}),
        (SERVERS + WORK, SERVERS.replace("http://time/", "http://other/") + WORK, set()),
    ],
)
def test_which_endpoints_serve_something_else_after_a_change(before: str, after: str, changed: set[str]) -> None:
    assert gateway_settings.changed(read(before), read(after)) == changed


# -- servers on demand ------------------------------------------------------------------------------------------------

ON_DEMAND = SERVERS + "[servers.trip]\nurl = 'http://t/'\non_demand = true\ndescription = 'Trains'\n"
DYNAMIC = "[gateway]\ndynamic = true\n"
PROFILES = "[profiles.a]\nservers = ['time']\n[profiles.b]\nservers = ['web', 'trip']\n"


def test_a_server_on_demand_is_served_to_those_who_added_it() -> None:
    found = read(ON_DEMAND)
    assert "trip" not in gateway_settings.prefixes(found)
    assert list(gateway_settings.prefixes(found, "", {"trip"})) == ["time", "files", "web", "trip"]
    assert found.servers["trip"].description == "Trains"


def test_what_may_be_added_is_what_is_on_demand_and_in_the_profile() -> None:
    found = read(DYNAMIC + PROFILES + ON_DEMAND)
    assert gateway_settings.catalog(found) == ["trip"]
    assert gateway_settings.catalog(found, "a") == []
    assert gateway_settings.catalog(found, "b") == ["trip"]
    assert gateway_settings.catalog(found, "gone") == []
    assert gateway_settings.prefixes(found, "a", {"trip"}) == {"time": "time__"}


def test_nothing_may_be_added_where_that_is_off() -> None:
    assert gateway_settings.catalog(read(ON_DEMAND)) == []


def test_what_a_server_is_called_and_when_it_is_served_does_not_end_it() -> None:
    one, other = read(ON_DEMAND), read(ON_DEMAND.replace("Trains", "Flights").replace("on_demand = true\n", ""))
    assert gateway_settings.same(one.servers["trip"], other.servers["trip"])
    assert "" in gateway_settings.changed(one, other)


@pytest.mark.parametrize(
    "line",
    [
        "on_demand = 1",
        "on_demand = 'yes'",
        'description = "a\\nb"',
        f"description = '{'x' * 1001}'",
        'description = "a\\u200bb"',
    ],
)
def test_what_can_not_be_said_of_a_server_is_refused_with_its_place(line: str) -> None:
    assert wrong(SERVERS + line).startswith(f"servers.web.{line.partition(' ')[0]}: ")
