"""The ways in which one resource URI can be read: as it is given, as it is normalised, and leniently.

A server that is asked for ``file:///a/%2e%2e/etc/x`` opens ``file:///etc/x``. So a URI is judged in every reading, and
a glob is brought into the same reading before it is compared.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

GIVEN, NORMAL, LENIENT = READINGS = range(3)
"""As given; normalised by RFC 3986, section 6; and with all decoded that some reader may decode."""

_PLAIN = re.compile(  # reads the same to everyone: no encodings, empty segments, dot segments, query or fragment
    r"(?:file://|(?!file:)[a-z][a-z0-9+.-]*:(?://[a-z0-9-]+(?:\.[a-z0-9-]+)*)?)"
    r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9_~!$&'()*+,;=:@.-]+)+\Z"
)
_URI = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?(.*)", re.DOTALL)  # RFC 3986, appendix B
_GLOB = re.compile(r"(?:([^:/]+):)?(?://([^/]*))?(.*)", re.DOTALL)  # in a glob '?' is a wildcard, not a query
_PATH = re.compile(r"([^?#]*)(.*)", re.DOTALL)
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_PERCENTS = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_WILD = re.compile(r"[*?\[]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_SLASHES = re.compile(r"/{2,}")
_PORTS = {"http": "80", "ws": "80", "https": "443", "wss": "443", "ftp": "21"}
_DECODINGS = 3  # how often a lenient reader may decode what was encoded more than once


class _Parts(NamedTuple):
    scheme: str | None
    authority: str | None
    rest: str  # path, query and fragment

    def __str__(self) -> str:
        scheme = "" if self.scheme is None else f"{self.scheme}:"
        authority = "" if self.authority is None else f"//{self.authority}"
        return f"{scheme}{authority}{self.rest}"


def readings(uri: str) -> tuple[str, str, str]:
    """Return a URI as given, normalised, and read leniently: an allowed one is allowed in each."""
    if _PLAIN.match(uri):
        return uri, uri, uri
    return uri, _normal(uri), _lenient(_decodings(uri)[-1])


def suspects(uri: str) -> Iterator[tuple[int, str]]:
    """Yield all that somebody may take a URI for, each with its reading: a denied one is denied in any."""
    if _PLAIN.match(uri):
        yield from zip(READINGS, (uri, uri, uri), strict=True)
        return
    for text in _cuts(uri):
        yield GIVEN, text
        yield NORMAL, _normal(text)
        for decoded in _decodings(text):
            yield LENIENT, _lenient(decoded)
            parts = _split(_URI, decoded.replace("\\", "/"))
            if parts.scheme is None and parts.rest.startswith("/"):  # a bare path
                yield LENIENT, _lenient(f"file://{decoded}")
            elif parts.scheme == "file" and parts.authority:  # a path with a slash too few
                yield LENIENT, _lenient(f"file:///{parts.authority}{parts.rest}")


def glob_readings(glob: str) -> tuple[str, str, str]:
    """Return a glob over URIs for each of :func:`readings`; what is decoded never becomes a wildcard."""
    text = glob
    for _ in range(_DECODINGS):
        text = _PERCENTS.sub(lambda found: _WILD.sub(r"[\g<0>]", unquote(found[0])), text)
    parts = _split(_GLOB, text.replace("\\", "/"))
    authority = "" if parts.scheme == "file" else parts.authority
    return glob, str(_split(_GLOB, _spelled(glob))), str(_Parts(parts.scheme, authority, _joined(parts.rest)))


def prefix_readings(prefix: str) -> tuple[str, str, str]:
    """Return the readings of a URI's beginning, whose last segment goes on."""
    head, slash, tail = prefix.rpartition("/")
    given, normal, lenient = readings(head + slash)
    return given + tail, normal + _spelled(tail), lenient + unquote(tail)


def has_dots(glob: str) -> bool:
    """Whether a glob's path has a segment ``.`` or ``..``, which no normalised URI has."""
    parts = _split(_GLOB, _spelled(glob))
    return parts.scheme is not None and not {".", ".."}.isdisjoint(parts.rest.split("/"))


def _cuts(uri: str) -> Iterator[str]:
    """Yield a URI, and what is left of it for a reader that ignores its fragment, or its query if it is a file's."""
    yield uri
    whole, sharp, _ = uri.partition("#")
    if sharp:
        yield whole
    path, mark, _ = whole.partition("?")
    if mark and _split(_URI, _CONTROLS.sub("", path).strip()).scheme in ("file", None):
        yield path


def _decodings(uri: str) -> list[str]:
    """Return a URI without controls, which many parsers drop, decoded not at all, once, twice, ..."""
    out = [_CONTROLS.sub("", uri).strip()]
    while "%" in out[-1] and len(out) <= _DECODINGS:
        decoded = _CONTROLS.sub("", unquote(out[-1]))
        if decoded == out[-1]:
            break
        out.append(decoded)
    return out


def _spelled(text: str) -> str:
    """Decode what needn't be encoded, and write the other encodings in capitals (RFC 3986, 6.2.2)."""

    def spell(found: re.Match[str]) -> str:
        char = chr(int(found[0][1:], 16))
        return char if char in _UNRESERVED else found[0].upper()

    return _PERCENT.sub(spell, text) if "%" in text else text


def _split(pattern: re.Pattern[str], text: str) -> _Parts:
    """Take a URI apart, with scheme and authority in their normal form (RFC 3986, 6.2.2.1 and 6.2.3)."""
    found = pattern.fullmatch(text)
    assert found, "the pattern matches any text"
    scheme, authority, rest = found.groups()
    if scheme is None:
        return _Parts(None, authority, rest)
    scheme = scheme.lower()
    if authority:
        user, at, host = authority.rpartition("@")
        name, colon, port = host.rpartition(":")
        if colon and port in ("", _PORTS.get(scheme)):
            host = name
        authority = f"{user}{at}{host.lower()}"
    if scheme == "file" and (authority == "localhost" or (authority is None and rest.startswith("/"))):
        authority = ""  # RFC 8089, section 2 and appendix B
    if authority and not rest.startswith("/"):
        rest = f"/{rest}"
    return _Parts(scheme, authority, rest)


def _normal(uri: str) -> str:
    parts = _split(_URI, _spelled(uri))
    found = _PATH.fullmatch(parts.rest)
    assert found, "the pattern matches any text"
    return str(parts._replace(rest=_without_dots(found[1]) + found[2]))


def _lenient(uri: str) -> str:
    """Read a URI as the most obliging of readers: all of it is path, and the path is tidied as file systems do."""
    parts = _split(_URI, uri.replace("\\", "/"))
    authority, rest = parts.authority, _joined(parts.rest)
    if parts.scheme == "file":  # many readers don't look at its host
        authority, rest = "", rest if rest.startswith("/") else f"/{rest}"
    elif authority:  # who asks is no matter of where, and browsers take full-width letters for letters
        authority = unicodedata.normalize("NFKC", authority.rpartition("@")[2]).lower().rstrip(".")
    return str(_Parts(parts.scheme, authority, _without_dots(rest)))


def _joined(path: str) -> str:
    return _SLASHES.sub("/", path)


def _without_dots(path: str) -> str:
    """Remove the segments ``.`` and ``..`` of a path (RFC 3986, 5.2.4)."""
    if "." not in path:
        return path
    out: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if out and out != [""]:
                out.pop()
        elif segment != ".":
            out.append(segment)
    if segments[-1] in (".", ".."):
        out.append("")
    return "/".join(out)
