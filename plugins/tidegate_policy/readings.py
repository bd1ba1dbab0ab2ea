"""Other readings of a string: what a server that decodes it once more would see.

Percent-encoding (RFC 3986, section 2.1; overlong UTF-8 too), escapes of source texts, HTML's character references,
and compatibility characters (Unicode, UAX #15) with invisible ones left out.
"""

from __future__ import annotations

import html
import re
import unicodedata

ROUNDS = 3
"""How often percent-encoding is undone: servers behind servers each undo it once."""

MOST = 4
"""Readings of one string, at most; each undoes one more disguise, so a fifth would be of a fifth."""

_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ESCAPES = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|U([0-9A-Fa-f]{8}))")
_SELECTORS = frozenset(
    map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0))
)
"""Characters that show nothing and aren't format characters: variation selectors and fillers."""


def readings(text: str) -> list[str]:
    """Return how else a string may be read, the nearest readings first; empty for an ordinary string."""
    plain = text.isascii()
    if plain and "%" not in text and "\\" not in text and "&" not in text:
        return []
    found: dict[str, None] = {}
    waiting = [text]
    while waiting and len(found) < MOST:
        current = waiting.pop(0)
        for undo in (_unpercented, _unescaped, _unreferenced, _folded):
            other = undo(current)
            if other not in {current, text, *found} and len(found) < MOST:
                found[other] = None
                waiting.append(other)
    return list(found)


def _unpercented(text: str) -> str:
    if "%" not in text:
        return text
    return _PERCENT.sub(lambda match: _decoded(bytes.fromhex(match[0].replace("%", ""))), text)


def _decoded(data: bytes) -> str:
    """Return bytes as a lenient decoder reads them: overlong forms are the characters they stand for (RFC 3629, 10)."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        out, at = [], 0
        while at < len(data):
            first = data[at]
            length = 2 if first >> 5 == 0b110 else 3 if first >> 4 == 0b1110 else 4 if first >> 3 == 0b11110 else 1
            rest = data[at + 1 : at + length]
            if length == 1 or len(rest) < length - 1 or any(byte >> 6 != 0b10 for byte in rest):
                out.append(chr(first))
                at += 1
                continue
            code = first & (0x7F >> length)
            for byte in rest:
                code = code << 6 | byte & 0x3F
            out.append(_character(code))
            at += length
        return "".join(out)


def _character(code: int) -> str:
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPES.sub(lambda match: _character(int(next(part for part in match.groups() if part), 16)), text)


def _unreferenced(text: str) -> str:
    return html.unescape(text) if "&" in text else text


def _folded(text: str) -> str:
    if text.isascii():
        return text
    folded = unicodedata.normalize("NFKC", text)
    return "".join(char for char in folded if char not in _SELECTORS and unicodedata.category(char) != "Cf")
