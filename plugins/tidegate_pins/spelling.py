"""Other spellings of a name or URI that a lenient server may take for the same."""

from __future__ import annotations

import posixpath
import unicodedata
from urllib.parse import unquote

_ROUNDS = 3


def folded(name: str) -> str:
    """Return what all spellings of a name have in common: its letters and digits, in small."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(char for char in text if char.isalnum())


def folded_uri(uri: str) -> str:
    """Return what all spellings of a URI have in common; percent-encoding, dot segments and fragments don't count."""
    for _ in range(_ROUNDS):
        uri = unquote(uri)
    uri = uri.partition("#")[0].replace("\\", "/")
    scheme, colon, rest = uri.partition(":")
    return folded(scheme + colon + posixpath.normpath("/" + rest))


def fits(template: str, uri: str) -> bool:
    """Whether a URI may be made from a template (RFC 6570): its literal parts are in it, in their order.

    That is more than the template's own URIs, so it never takes a URI for another's that isn't.
    """
    literals = _literals(template)
    if len(literals) == 1:
        return uri == template
    if not uri.startswith(literals[0]):
        return False
    at = len(literals[0])
    for part in literals[1:-1]:
        found = uri.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return uri.endswith(literals[-1]) and len(uri) - len(literals[-1]) >= at


def _literals(template: str) -> list[str]:
    parts, rest = [], template
    while True:
        before, brace, rest = rest.partition("{")
        parts.append(before)
        if not brace:
            return parts
        rest = rest.partition("}")[2]
