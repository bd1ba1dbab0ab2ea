"""What an entry of `egress` may say, and which names and addresses it then allows."""

import ipaddress
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.egress.rules import POOL, Rules, address_of, host_of, is_public, name_of, parse


@pytest.mark.parametrize(
    ("entry", "read"),
    [
        ("api.example.com:443", "api.example.com:443"),
        ("API.Example.COM.:443", "api.example.com:443"),
        ("bücher.example:443", "xn--bcher-kva.example:443"),
        ("*.example.com:8443", "*.example.com:8443"),
        ("_srv.example.com:1", "_srv.example.com:1"),
        ("intranet:80", "intranet:80"),
        ("10.1.0.0/16:5432", "10.1.0.0/16:5432"),
        ("192.0.2.7:80", "192.0.2.7:80"),
        ("192.0.2.7/32:80", "192.0.2.7:80"),
        ("[fd00:0:0:1::]:80", "[fd00:0:0:1::]:80"),
        ("[fd00:1::/64]:443", "[fd00:1::/64]:443"),
        ("[2600::1]:65535", "[2600::1]:65535"),
        ("169.254.169.254:80", "169.254.169.254:80"),
    ],
)
def test_an_entry_has_one_form_that_reads_as_itself(entry: str, read: str) -> None:
    assert str(parse(entry)) == read
    assert str(parse(read)) == read


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("api.example.com", "says no port"),
        ("[::1]", "says no port"),
        (":443", "says no port"),
        ("api.example.com:", "no port from 1 to 65535"),
        ("api.example.com:0", "no port from 1 to 65535"),
        ("api.example.com:0443", "no port from 1 to 65535"),
        ("api.example.com:65536", "no port from 1 to 65535"),
        ("api.example.com:*", "no port from 1 to 65535"),
        ("api.example.com:443-445", "no port from 1 to 65535"),
        ("*:443", "unrestricted"),
        ("*.com:443", "too wide"),
        ("a.*.example.com:443", "no host name"),
        ("*example.com:443", "no host name"),
        ("https://api.example.com:443", "no range of addresses"),
        ("user@api.example.com:443", "no host name"),
        ("api..example.com:443", "no host name"),
        ("-a.example.com:443", "no host name"),
        ("a b:443", "no host name"),
        (f"{'a' * 64}.example.com:443", "no host name"),
        ("0x7f.1:80", "odd notation"),
        ("2130706433:80", "odd notation"),
        ("127.1:80", "odd notation"),
        ("0177.0.0.1:80", "odd notation"),
        ("1.2.3.4.:80", "odd notation"),
        ("faß.example:443", "read in two ways"),
        ("::1:80", "no host name"),
        ("[fe80::1%eth0]:80", "no host name"),
        ("10.1.2.3/16:80", "no range of addresses"),
        ("10.0.0.0/255.0.0.0:80", "how many bits"),
        ("0.0.0.0/0:443", "too wide"),
        ("[::/0]:443", "too wide"),
        ("127.0.0.1:80", "no server can be allowed"),
        ("[::1]:80", "no server can be allowed"),
        ("0.0.0.0:80", "no server can be allowed"),
        ("224.0.0.1:80", "no server can be allowed"),
        ("198.18.0.0/24:80", "no server can be allowed"),
        ("[::ffff:10.0.0.1]:80", "no server can be allowed"),
        ("[64:ff9b::a00:1]:80", "no server can be allowed"),
    ],
)
def test_what_could_be_meant_otherwise_is_refused_in_one_sentence(entry: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        parse(entry)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "168.63.129.16",
        "169.254.169.254",
        "172.17.0.1",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.2",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_one_hosts_on_the_internet_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2600::1", "2a00:1450::1"])
def test_other_addresses_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses())
def test_nothing_is_public_that_python_knows_to_be_private(address: ipaddress.IPv4Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast


def test_a_wildcard_is_for_what_stands_before_it_and_not_for_itself() -> None:
    rules = Rules([parse("*.example.com:443"), parse("one.example.org:443"), parse("one.example.org:80")])
    assert rules.names("a.example.com", 443)
    assert rules.names("a.b.example.com", 443)
    for name, port in (
        ("example.com", 443),
        ("badexample.com", 443),
        ("a.example.com", 80),
        ("a.example.com.evil", 443),
    ):
        assert not rules.names(name, port)
    assert rules.ports == [80, 443]
    assert rules.only(443) is None
    assert rules.only(80) == "one.example.org"
    assert rules.knows("one.example.org")
    assert not rules.knows("two.example.org")


def test_an_address_is_allowed_with_its_port_and_in_its_family_alone() -> None:
    rules = Rules([parse("10.1.0.0/16:5432"), parse("[fd00:1::/64]:443")])
    assert rules.addresses(address_of("10.1.255.255"), 5432)
    assert rules.addresses(address_of("[fd00:1::9]"), 443)
    for address, port in (("10.2.0.1", 5432), ("10.1.0.1", 443), ("[::ffff:10.1.0.1]", 5432), ("[fd00:2::1]", 443)):
        assert not rules.addresses(address_of(address), port)
    assert rules.ports == []  # nothing to listen on: a range has no name


@pytest.mark.parametrize(
    "text", ["0x7f.1", "2130706433", "127.1", "1.2.3.08", "", ".", "a..b", "[::1", "fe80::1", "é.example"]
)
def test_what_is_neither_a_name_nor_an_address_is_no_host(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        host_of(text)


@given(st.text(string.ascii_letters + string.digits + ".-_:[]/*%@é\x00 ", max_size=40))
def test_any_entry_is_read_or_refused_and_what_is_read_stays_as_it_is(entry: str) -> None:
    try:
        rule = parse(entry)
    except ValueError:
        return
    assert parse(str(rule)) == rule
    assert 1 <= rule.port <= 65535
    if rule.network is None:
        assert name_of(rule.name.removeprefix("*.")) == rule.name.removeprefix("*.")
    else:
        assert rule.network.version == 6 or not rule.network.overlaps(POOL)
