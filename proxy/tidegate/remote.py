"""What may stand in the settings of a remote server: its URL, and the headers it is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")  # RFC 9110, section 5.5
_OWN_HEADERS = frozenset(
    (
        "connection",
        "content-length",
        "host",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
        "transfer-encoding",
    )
)


def check_url(url: str) -> None:
    """See that a URL can be sent requests to.

    Raises:
        ValueError: where it can't.
    """
    if not re.match(r"https?://[^/]", url):
        raise ValueError("url starts with http:// or https://")
    if not _VISIBLE.fullmatch(url):
        raise ValueError("url is visible ASCII; percent-encode what isn't")
    try:
        parts = urlsplit(url)
        well = bool(parts.hostname) and parts.port != 0
    except ValueError:
        well = False
    if not well:
        raise ValueError("url has no host, or no port between 1 and 65535")
    if "@" in parts.netloc:
        raise ValueError("url holds no name and password; put them into headers, as `env:NAME`")


def is_value(text: str) -> bool:
    """Whether a text can be the value of a header."""
    return _HEADER_VALUE.fullmatch(text) is not None


def check_headers(headers: Mapping[str, str]) -> None:
    """See that headers can be sent, and are none that Tidegate itself sends.

    Raises:
        ValueError: where one isn't so.
    """
    seen: set[str] = set()
    for name, value in headers.items():
        folded = name.lower()
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"headers: {name!r} is no name of a header")
        if folded in seen:
            raise ValueError(f"headers: {name} stands twice")
        if folded in _OWN_HEADERS or folded.startswith("mcp-param-"):
            raise ValueError(f"headers: {name} is Tidegate's to set")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"headers: the value of {name} is no plain text on one line")
        seen.add(folded)
