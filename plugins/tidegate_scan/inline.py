"""Ways of writing characters inside a text: percent signs, entities, escapes, look-alikes and what can't be seen.

Each finds its pieces with one linear regular expression, so a text where only some characters are disguised is
undone as a whole. Several layers of one way (`%252541`, `&amp;amp;#65;`, backslashes before backslashes) come off
together.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from html.entities import html5
from typing import TYPE_CHECKING, Protocol

from .spans import Coded, Pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Record = list[Pieces | None]
    """For each of the texts that were made one of the other the pieces; None where they weren't noted."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_LOST = "\ufffd"


class Memo(dict[str, str]):
    """What pieces decode to, each worked out once."""

    def __init__(self, decode: Callable[[str], str]) -> None:
        super().__init__()
        self._decode = decode

    def __missing__(self, piece: str) -> str:
        """Decode a piece that wasn't met yet."""
        self[piece] = found = self._decode(piece)
        return found


class Way(Coded, Protocol):
    """One way of writing characters, and how to undo all of it in a text."""

    def undo(self, text: str, record: Record | None = None) -> str:
        """Return the text with every coded piece decoded; the text itself where there is none.

        What is replaced is noted in `record`.
        """
        ...


def _undo_all(way: Coded, text: str, record: Record | None, pieces: list[str] | None = None) -> str:
    """Decode the coded pieces of a text, which are cut out unless they are known."""
    pieces = pieces or way.pieces(text)
    if len(pieces) == 1:
        return text
    plain = pieces.copy()
    plain[1::2] = map(Memo(way.decode).__getitem__, pieces[1::2])
    if record is not None and plain != pieces:
        record.append(Pieces(pieces, plain))
    return "".join(plain)


def _bytes_as_text(data: bytes) -> str:
    """Read bytes as UTF-8, or else one character a byte."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _by_byte(coded: list[str], data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the lengths of the characters that `_bytes_as_text` reads, given how each byte was written."""
    text = _bytes_as_text(data)
    sizes = [len(character.encode()) for character in text] if len(text) < len(data) else [1] * len(text)
    place = 0
    for size in sizes:
        yield sum(map(len, coded[place : place + size])), 1
        place += size


class Percent:
    """`%41`, as in URLs (RFC 3986, section 2.1)."""

    name = "url"
    _one = "%(?:25)*[0-9A-Fa-f]{2}"
    _pieces = re.compile(f"({_one}(?:{_one})*)")
    _atom = re.compile("%(?:25)*([0-9A-Fa-f]{2})")

    def undo(self, text: str, record: Record | None = None) -> str:
        """See `Way.undo`."""
        return _undo_all(self, text, record) if "%" in text else text

    def pieces(self, text: str) -> list[str]:
        """See `Coded.pieces`."""
        return self._pieces.split(text)

    def decode(self, piece: str) -> str:
        """See `Coded.decode`."""
        digits = "".join(self._atom.findall(piece)) if "%25" in piece else piece.replace("%", "")
        return _bytes_as_text(bytes.fromhex(digits))

    def atoms(self, piece: str) -> Iterator[tuple[int, int]]:
        """See `Coded.atoms`."""
        found = list(self._atom.finditer(piece))
        data = bytes.fromhex("".join(match[1] for match in found))
        return _by_byte([match[0] for match in found], data)


class Entities:
    """`&lt;`, `&#65;`, `&#x41;` of HTML; numbers and the oldest names also without their semicolon, as browsers do."""

    name = "html"
    _entity = (
        "&(?:amp;)*(?:#0*[0-9]{1,7};?|#[xX]0*[0-9a-fA-F]{1,6};?|[A-Za-z][A-Za-z0-9]{1,31};"
        "|(?:amp|AMP|lt|LT|gt|GT|quot|QUOT|nbsp|shy))"
    )
    _pieces = re.compile(f"({_entity}(?:{_entity})*)")
    _atom = re.compile(_entity)

    def undo(self, text: str, record: Record | None = None) -> str:
        """See `Way.undo`."""
        return _undo_all(self, text, record) if "&" in text else text

    def pieces(self, text: str) -> list[str]:
        """See `Coded.pieces`."""
        return self._pieces.split(text)

    def decode(self, piece: str) -> str:
        """See `Coded.decode`."""
        return "".join(map(Memo(self._one).__getitem__, self._atom.findall(piece)))

    def atoms(self, piece: str) -> Iterator[tuple[int, int]]:
        """See `Coded.atoms`."""
        for entity in self._atom.findall(piece):
            yield len(entity), len(self._one(entity))

    @staticmethod
    def _one(entity: str) -> str:
        name = entity[1:].rpartition("amp;")[2]
        if not name:
            return "&"
        if name[0] != "#":
            return html5.get(name) or entity
        number = name[1:].rstrip(";")
        hexadecimal = number[0] in "xX"
        digits = number[hexadecimal:].lstrip("0") or "0"  # Python refuses to read thousands of them
        return _character(int(digits, 16 if hexadecimal else 10))


def _character(code: int) -> str:
    """Return a code point's character; what is none, or half of one, becomes U+FFFD."""
    return chr(code) if 0 < code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else _LOST


_X = "[0-9a-fA-F]"
_SHORT = {'"': '"', "'": "'", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _utf16(digits: str) -> str:
    """Read UTF-16 given in hex; half a pair becomes U+FFFD, so each unit stays in its place."""
    return _SURROGATES.sub(_LOST, bytes.fromhex(digits).decode("utf-16-be", "surrogatepass"))


def _by_unit(coded: list[str], digits: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the lengths of the characters that `_utf16` reads, given how each unit was written."""
    units = iter(coded)
    for character in _utf16("".join(digits)):
        size = len(next(units))
        yield (size if ord(character) < 0x10000 else size + len(next(units))), 1


class Escapes:
    r"""`\u0041`, `\x41`, `\101`, `\n` and their kin, of JSON (RFC 8259, section 7) and programming languages."""

    name = "escape"
    _escape = (
        rf"u{_X}{{4}}(?:\\++u{_X}{{4}})*+|x{_X}{{2}}(?:\\++x{_X}{{2}})*+|[ux]\{{{_X}{{1,8}}\}}|U{_X}{{8}}"
        r"|[0-3][0-7]{2}|[\"'/bfnrt]"
    )
    _pieces = re.compile(rf"(\\(?:\\*+(?:{_escape})|\\++))")
    _atom = re.compile(rf"\\+[uxU]\{{?({_X}+)\}}?")
    _long = re.compile(r"\\[uxU0-3]")
    # From so many on, one in so many characters, replacing each short escape in the whole text is faster than going
    # from one to the next.
    _many = 2000
    _dense = 50

    def undo(self, text: str, record: Record | None = None) -> str:
        """See `Way.undo`."""
        many = text.count("\\") if "\\" in text else 0
        if many < max(self._many, len(text) // self._dense):
            return _undo_all(self, text, record) if many else text
        single = text
        while "\\\\" in single:
            single = single.replace("\\\\", "\\")
        if self._long.search(single):
            return _undo_all(self, text, record)
        for letter, plain in _SHORT.items():
            single = single.replace("\\" + letter, plain)
        if record is not None and single != text:
            record.append(None)
        return single

    def pieces(self, text: str) -> list[str]:
        """See `Coded.pieces`."""
        return self._pieces.split(text)

    def decode(self, piece: str) -> str:
        """See `Coded.decode`."""
        letters = piece.lstrip("\\")
        kind = letters[:1]
        if not kind:
            return "\\"
        if kind in _SHORT:
            return _SHORT[kind]
        if kind in "0123":
            return chr(int(letters, 8))
        if letters[1] == "{" or kind == "U":
            return _character(int(letters.strip("uxU{}"), 16))
        digits = piece.replace("\\", "").replace(kind, "")
        if len(digits) + 1 == len(letters):  # it stands alone
            return _SURROGATES.sub(_LOST, chr(int(digits, 16)))
        return _utf16(digits) if kind == "u" else _bytes_as_text(bytes.fromhex(digits))

    def atoms(self, piece: str) -> Iterator[tuple[int, int]]:
        """See `Coded.atoms`."""
        found = list(self._atom.finditer(piece))
        coded, digits = [match[0] for match in found], [match[1] for match in found]
        if len(found) < 2:
            yield len(piece), 1
        elif piece.lstrip("\\")[0] == "x":
            yield from _by_byte(coded, bytes.fromhex("".join(digits)))
        else:
            yield from _by_unit(coded, digits)


class PercentUnits:
    """`%u0041`, as JavaScript's `escape` writes."""

    name = "escape"
    _pieces = re.compile(f"(%u{_X}{{4}}(?:%u{_X}{{4}})*)")

    def undo(self, text: str, record: Record | None = None) -> str:
        """See `Way.undo`."""
        return _undo_all(self, text, record) if "%" in text and "%u" in text else text

    def pieces(self, text: str) -> list[str]:
        """See `Coded.pieces`."""
        return self._pieces.split(text)

    def decode(self, piece: str) -> str:
        """See `Coded.decode`."""
        return _utf16(piece.replace("%u", ""))

    def atoms(self, piece: str) -> Iterator[tuple[int, int]]:
        """See `Coded.atoms`."""
        digits = piece.split("%u")[1:]
        return _by_unit([f"%u{unit}" for unit in digits], digits)


class CodePoints:
    """`U+0041 U+0042`, as people write characters' numbers."""

    name = "escape"
    _one = rf"U\+{_X}{{4,6}}(?![0-9A-Za-z+/_])"
    _pieces = re.compile(rf"({_one}(?:[ ,;]{{0,2}}{_one})*)")
    _atom = re.compile(rf"[ ,;]*U\+({_X}+)")

    def undo(self, text: str, record: Record | None = None) -> str:
        """See `Way.undo`."""
        return _undo_all(self, text, record) if "+" in text and "U+" in text else text

    def pieces(self, text: str) -> list[str]:
        """See `Coded.pieces`."""
        return self._pieces.split(text)

    def decode(self, piece: str) -> str:
        """See `Coded.decode`."""
        return "".join(_character(int(digits, 16)) for digits in self._atom.findall(piece))

    def atoms(self, piece: str) -> Iterator[tuple[int, int]]:
        """See `Coded.atoms`."""
        return ((len(match[0]), 1) for match in self._atom.finditer(piece))


_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
"""The code points of Unicode's property Default_Ignorable_Code_Point that are not of category Cf."""


def _seen(character: str) -> bool:
    return unicodedata.category(character) != "Cf" and not _UNSEEN.match(character)


@lru_cache(maxsize=16384)
def compatible(character: str) -> str:
    """Return the compatibility form (NFKC) of a character, without what can't be seen."""
    return "".join(filter(_seen, unicodedata.normalize("NFKC", character))) if _seen(character) else ""


def _split(characters: Iterable[str]) -> Callable[[str], list[str]]:
    return re.compile(f"([{''.join(map(re.escape, characters))}]+)").split


class Unicode:
    """Compatibility forms such as full-width letters, and characters that can't be seen."""

    name = "unicode"
    _ascii = bytes(range(0x80))
    _beyond = bytes(0x80) + b"\x01" * 0x80
    _few = 16
    _sparse = 256  # bytes for each row beyond ASCII, at least, where these are looked at one by one

    def undo(self, text: str, record: Record | None = None) -> str:
        """See `Way.undo`."""
        if text.isascii():
            return text
        data = text.encode("utf-8", "surrogatepass")
        changed = self._changed(data)
        if not changed:
            return text
        pieces = self._pieces(data, changed)
        if pieces or len(changed) > self._few:
            return _undo_all(self, text, record, pieces)
        for character, plain in changed.items():
            text = text.replace(character, plain)
        if record is not None:
            record.append(None)
        return text

    def _changed(self, data: bytes) -> dict[str, str]:
        met = sorted(set(data.translate(None, self._ascii).decode("utf-8", "surrogatepass")))
        return {character: plain for character in met if (plain := compatible(character)) != character}

    def pieces(self, text: str) -> list[str]:
        """See `Coded.pieces`."""
        data = text.encode("utf-8", "surrogatepass")
        changed = self._changed(data)
        if not changed:
            return [text]
        return self._pieces(data, changed) or _split(changed)(text)

    def _pieces(self, data: bytes, changed: Iterable[str]) -> list[str]:
        """Cut where there are few characters beyond ASCII, looking at those alone; empty where there are many."""
        beyond = data.translate(self._beyond)
        split = _split(changed)
        pieces: list[str] = []
        most = len(data) // self._sparse
        done = 0
        begin = beyond.find(1)
        while begin >= 0:
            most -= 1
            if most < 0:
                return []
            end = beyond.find(0, begin)
            end = end if end >= 0 else len(data)
            first, *more = split(data[begin:end].decode("utf-8", "surrogatepass"))
            if more:
                pieces += data[done:begin].decode("utf-8", "surrogatepass") + first, *more[:-1]
                done = end - len(more[-1].encode("utf-8", "surrogatepass"))
            begin = beyond.find(1, end)
        return [*pieces, data[done:].decode("utf-8", "surrogatepass")]

    def decode(self, piece: str) -> str:
        """See `Coded.decode`."""
        return "".join(map(compatible, piece))

    def atoms(self, piece: str) -> Iterator[tuple[int, int]]:
        """See `Coded.atoms`."""
        return ((1, len(compatible(character))) for character in piece)


WAYS: tuple[Way, ...] = (Escapes(), PercentUnits(), CodePoints(), Entities(), Percent(), Unicode())
"""In the order they are undone in: what can't be seen is often written as an escape or an entity itself."""


def possible(text: str) -> bool:
    """Whether a text may have a coded piece: each has one of these."""
    return not text.isascii() or "\\" in text or "%" in text or "&" in text or "+" in text
