"""What the models of the settings are made of: their base, and the types of names, addresses, times and counts."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from tidegate.egress.rules import parse

_MOST_RULES = 200
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{0,66}")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


class SettingsError(Exception):
    """The settings can't be used; the text is one sentence for the person who wrote them.

    Attributes:
        down: whether the settings are well, and what they need can't be reached.
    """

    def __init__(self, text: str, *, down: bool = False) -> None:
        super().__init__(text)
        self.down = down


def _name(value: str) -> str:
    if not _NAME.fullmatch(value) or "__" in value:
        raise ValueError("a name has 1 to 64 letters, digits, '-', '_' or '.', and no '__'")
    return value


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        raise ValueError("a prefix has at most 66 letters, digits, '_', '-' or '.', so that names have room beside it")
    return value


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("it is one line, without characters that don't show")
    return value


def _address(value: str) -> str:
    host, port = split_address(value)
    if not host or not 0 <= port <= 65535:
        raise ValueError("an address is HOST:PORT, like 127.0.0.1:8811")
    return value


def _ip_address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("it is an IP address, like 192.0.2.53") from None


def _egress(value: object) -> object:
    """Return ``unrestricted``, or the entries of a list in their one form."""
    if value == "unrestricted":
        return value
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise ValueError('egress is a list of "HOST:PORT", or "unrestricted"')
    rules = list(dict.fromkeys(str(parse(entry)) for entry in value))
    if len(rules) > _MOST_RULES:
        raise ValueError(f"egress has more than {_MOST_RULES} entries")
    return tuple(rules)


Egress = Annotated[Literal["unrestricted"] | tuple[str, ...], BeforeValidator(_egress)]
Name = Annotated[str, AfterValidator(_name)]
Prefix = Annotated[str, AfterValidator(_prefix)]
IpAddress = Annotated[str, AfterValidator(_ip_address)]
Address = Annotated[str, AfterValidator(_address)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False, strict=True)]
Count = Annotated[int, Field(strict=True)]
Line = Annotated[str, Field(max_length=1000), AfterValidator(_line)]
Flag = Annotated[bool, Field(strict=True)]


def split_address(value: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT`` or ``[IPV6]:PORT``.

    Raises:
        ValueError: where it is not of that form.
    """
    host, colon, port = value.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        raise ValueError("an address is HOST:PORT, like 127.0.0.1:8811")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address: ``localhost``, 127.0.0.0/8 or ::1."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Model(BaseModel):
    """The base of all settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
