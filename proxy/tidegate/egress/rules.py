"""What ``egress`` allows: names, wildcards, addresses and ranges, each with a port; and which addresses are public."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

POOL = ipaddress.IPv4Network("198.18.0.0/15")
"""Where the internal networks have their addresses: set aside for benchmarks (RFC 2544), so nobody's elsewhere."""

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label like that makes some parsers read a name as an address
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_DEVIATIONS = "ß\u03c2\u200c\u200d"  # what IDNA 2003 and IDNA 2008 read differently

_NOT_PUBLIC = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # the host, for virtual machines in Azure
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        str(POOL),
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")  # all that is handed out; mapped, NAT64, local ones are outside of it
_NOT_PUBLIC_6 = tuple(ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
_NEVER: tuple[Network, ...] = (
    *(ipaddress.IPv4Network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", str(POOL), "224.0.0.0/3")),
    *(
        ipaddress.IPv6Network(text)
        for text in ("::/96", "::ffff:0:0/96", "64:ff9b::/32", "2001::/32", "2002::/16", "ff00::/8")
    ),
)
"""Where no rule may lead: the sidecar itself, more than one receiver, its own network, an address within another."""
_SHORTEST = {4: 8, 6: 16}


class Rule(NamedTuple):
    """One entry: a name, ``*.`` and a name, or a network; and a port."""

    name: str
    network: Network | None
    port: int

    def __str__(self) -> str:
        if self.network is None:
            return f"{self.name}:{self.port}"
        whole = self.network.prefixlen == self.network.max_prefixlen
        text = str(self.network.network_address if whole else self.network)
        return f"[{text}]:{self.port}" if self.network.version == 6 else f"{text}:{self.port}"


def parse(entry: str) -> Rule:
    """Return the rule that an entry of the settings describes.

    Raises:
        ValueError: with one sentence.
    """
    host, colon, number = entry.rpartition(":")
    if not colon or not host or (number.endswith("]") and host.startswith("[")):
        raise ValueError(f"{_shown(entry)} says no port: write it as HOST:PORT, like api.example.com:443")
    if not _PORT.fullmatch(number) or int(number) > 65535:
        raise ValueError(f"{_shown(entry)} has no port from 1 to 65535 after its last colon")
    if host == "*":
        raise ValueError('* would be every host: that is egress = "unrestricted"')
    if "/" in host.strip("[]") or _is_address(host):
        return Rule("", _network(host, entry), int(number))
    wildcard = host.startswith("*.")
    try:
        name = name_of(_in_ascii(host.removeprefix("*.")))
    except ValueError as error:
        raise ValueError(f"{_shown(entry)}: {error}") from None
    if wildcard and "." not in name:
        raise ValueError(f"{_shown(entry)} is too wide: a wildcard has at least two labels after it")
    return Rule(f"*.{name}" if wildcard else name, None, int(number))


def _shown(text: str) -> str:
    return text if text.isprintable() and len(text) <= 200 else ascii(text[:200])


def _is_address(host: str) -> bool:
    try:
        address_of(host)
    except ValueError:
        return False
    return True


def _network(host: str, entry: str) -> Network:
    bracketed = host.startswith("[") and host.endswith("]")
    text = host[1:-1] if bracketed else host
    kind = ipaddress.IPv6Network if bracketed else ipaddress.IPv4Network
    try:
        network: Network = kind(text)
    except ValueError:
        raise ValueError(
            f"{_shown(entry)} is no range of addresses: write it like 10.1.0.0/16:5432 or [fd00:1::/64]:5432"
        ) from None
    if "/" in text and not re.fullmatch(r"[^/]+/(0|[1-9][0-9]{0,2})", text):
        raise ValueError(f"{_shown(entry)}: a range ends with how many bits of it are fixed, like 10.1.0.0/16")
    if network.prefixlen < _SHORTEST[network.version]:
        raise ValueError(f"{_shown(entry)} is too wide: /{_SHORTEST[network.version]} is the widest range")
    for never in _NEVER:
        if never.version == network.version and network.overlaps(never):
            raise ValueError(f"{_shown(entry)} lies in {never}, where no server can be allowed to connect")
    return network


def _in_ascii(name: str) -> str:
    """Return a name as DNS has it: what isn't ASCII in punycode."""
    if name.isascii():
        return name
    if any(character in name for character in _DEVIATIONS):
        raise ValueError("its name is read in two ways; write it in punycode (xn--...)")
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        raise ValueError("its name is none that DNS could have") from None


def name_of(text: str) -> str:
    """Return a host name in its one form: lower case, without the dot that may end it.

    Raises:
        ValueError: for what is no name, or could be read as an address.
    """
    name = text.lower().removesuffix(".") if text.isascii() else ""
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("that is no host name")
    if _NUMBER.fullmatch(labels[-1]):
        raise ValueError("that is an address in an odd notation")
    return name


def address_of(text: str) -> Address:
    """Return the address of a literal: four decimal numbers, or an IPv6 address in brackets without a zone.

    Raises:
        ValueError: for anything else.
    """
    if text.startswith("[") and text.endswith("]"):
        if "%" in text:
            raise ValueError("an address with a zone")
        return ipaddress.IPv6Address(text[1:-1])
    return ipaddress.IPv4Address(text)


def host_of(text: str) -> str | Address:
    """Return the name or address that a program names.

    Raises:
        ValueError: for what is neither.
    """
    try:
        return address_of(text)
    except ValueError:
        return name_of(text)


def is_public(address: Address) -> bool:
    """Whether an address is one host's on the Internet: not private, local, set aside, or a disguise of another."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)


class Rules:
    """What one server may reach.

    Args:
        rules: the entries of its settings.

    Attributes:
        ports: the ports of names, which a forwarder can listen on.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._names: set[tuple[str, int]] = set()
        self._suffixes: set[tuple[str, int]] = set()
        self._networks: list[tuple[Network, int]] = []
        for rule in rules:
            if rule.network is not None:
                self._networks.append((rule.network, rule.port))
            elif rule.name.startswith("*."):
                self._suffixes.add((rule.name[1:], rule.port))
            else:
                self._names.add((rule.name, rule.port))
        self.ports = sorted({port for _, port in self._names | self._suffixes})

    def names(self, name: str, port: int) -> bool:
        """Whether a name is allowed on a port."""
        return (name, port) in self._names or any(
            each == port and name.endswith(suffix) for suffix, each in self._suffixes
        )

    def addresses(self, address: Address, port: int) -> bool:
        """Whether an address is allowed on a port because an entry names it, or a range it is in."""
        return any(
            each == port and network.version == address.version and address in network
            for network, each in self._networks
        )

    def knows(self, name: str) -> bool:
        """Whether a name is allowed on any port."""
        return any(self.names(name, port) for port in self.ports)

    def only(self, port: int) -> str | None:
        """Return the one name that is allowed on a port; None where there are several, or a wildcard."""
        if any(each == port for _, each in self._suffixes):
            return None
        found = [name for name, each in self._names if each == port]
        return found[0] if len(found) == 1 else None
