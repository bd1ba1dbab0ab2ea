"""Disguises: how a secret is written so that it doesn't look like itself, and where the disguised one stands."""

from __future__ import annotations

import base64
import gzip
import html
import unicodedata
import urllib.parse
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from plugins.scan.corpus.making import Made

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

FORMAT_CHARACTERS = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e\u2061\u2062\u2063\u2064"
"""Zero-width and other characters that aren't seen."""

BIDI = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Marks, embeddings, overrides and isolates of the bidirectional algorithm (UAX #9)."""

PREAMBLE = "# settings of the service, kept by the platform team\nLOG_LEVEL=info\nREGION=eu-central-1\n"


class Disguise(NamedTuple):
    """One disguise.

    Attributes:
        id: its name.
        blob: whether it turns the text into one encoded run, so that all of the run is what must be removed.
        write: returns a text in the disguise.
    """

    id: str
    blob: bool
    write: Callable[[Random, str], str]


def _strewn(characters: str) -> Callable[[Random, str], str]:
    """Return what puts invisible characters between those of a text, never at its ends."""

    def write(random: Random, text: str) -> str:
        if len(text) < 2:
            return text
        share = random.choice((0.1, 0.4, 1.0))
        certain = random.randrange(1, min(6, len(text)))
        out = [text[0]]
        for place, char in enumerate(text[1:], 1):
            if place == certain or random.random() < share:
                out.append(random.choice(characters))
            out.append(char)
        return "".join(out)

    return write


def _fullwidth(_random: Random, text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def _styled(random: Random, text: str) -> str:
    """Return a text in one of Unicode's mathematical alphabets, all of which NFKC undoes."""
    upper, lower, digit = random.choice(
        ((0x1D400, 0x1D41A, 0x1D7CE), (0x1D5A0, 0x1D5BA, 0x1D7E2), (0x1D670, 0x1D68A, 0x1D7F6))
    )
    first = {"Lu": (upper, "A"), "Ll": (lower, "a"), "Nd": (digit, "0")}
    out = []
    for char in text:
        start = first.get(unicodedata.category(char))
        out.append(chr(start[0] + ord(char) - ord(start[1])) if start else char)
    return "".join(out)


def _mostly(write: Callable[[str], str], share: float = 1.0) -> Callable[[Random, str], str]:
    """Return what rewrites each character, or a share of them; the second and what begins an escape always.

    An escape that the secret itself holds would be undone with the others, else.
    """

    def mixed(random: Random, text: str) -> str:
        return "".join(
            write(char) if place == 1 or char in "\\%&" or random.random() < share else char
            for place, char in enumerate(text)
        )

    return mixed


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def _hex(random: Random, text: str) -> str:
    written = text.encode().hex()
    return random.choice((written, written.upper(), f"0x{written}"))


def _hex_apart(random: Random, text: str) -> str:
    return text.encode().hex(random.choice((":", " ", "-")))


def _standard(_random: Random, text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _urlsafe(_random: Random, text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _unpadded(random: Random, text: str) -> str:
    write = random.choice((base64.b64encode, base64.urlsafe_b64encode))
    return write(text.encode()).decode().rstrip("=")


def _mime(random: Random, text: str) -> str:
    """Return base64 in lines of 76 characters (RFC 2045, section 6.8)."""
    lines = base64.encodebytes((PREAMBLE + text + "\n").encode()).decode().rstrip("\n")
    return lines.replace("\n", random.choice(("\n", "\r\n")))


def _in_url(_random: Random, text: str) -> str:
    once = base64.b64encode(text.encode()).decode()
    if not set(once) & set("+/="):  # nothing in it to escape
        once = base64.b64encode(f"{text}\n".encode()).decode()
    return urllib.parse.quote(once, safe="")


def _gzipped(_random: Random, text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _deflated(_random: Random, text: str) -> str:
    return zlib.compress(text.encode()).hex()


def _twice(_random: Random, text: str) -> str:
    return base64.b64encode(base64.b64encode(text.encode())).decode()


def _entity(char: str) -> str:
    return html.escape(char) if char in "<>&\"'" else f"&#{ord(char)};"


PLAIN = Disguise("plain", blob=False, write=lambda _random, text: text)

DISGUISES = (
    Disguise("zero-width", blob=False, write=_strewn(FORMAT_CHARACTERS)),
    Disguise("bidi", blob=False, write=_strewn(BIDI)),
    Disguise("fullwidth", blob=False, write=_fullwidth),
    Disguise("nfkc-styled", blob=False, write=_styled),
    Disguise("base64", blob=True, write=_standard),
    Disguise("base64-urlsafe", blob=True, write=_urlsafe),
    Disguise("base64-unpadded", blob=True, write=_unpadded),
    Disguise("base64-mime", blob=True, write=_mime),
    Disguise("hex", blob=True, write=_hex),
    Disguise("hex-separated", blob=True, write=_hex_apart),
    Disguise("url-full", blob=False, write=_mostly(_percent)),
    Disguise("url-partial", blob=False, write=_mostly(_percent, 0.4)),
    Disguise("html-decimal", blob=False, write=_mostly(_entity)),
    Disguise("html-hex", blob=False, write=_mostly(lambda char: f"&#x{ord(char):x};")),
    Disguise("html-partial", blob=False, write=_mostly(lambda char: f"&#{ord(char):04d};", 0.4)),
    Disguise("json-u", blob=False, write=_mostly(lambda char: f"\\u{ord(char):04x}")),
    Disguise("json-u-partial", blob=False, write=_mostly(lambda char: f"\\u{ord(char):04X}", 0.4)),
    Disguise("x-escape", blob=False, write=_mostly(lambda char: f"\\x{ord(char):02x}")),
    Disguise("gzip-base64", blob=True, write=_gzipped),
    Disguise("zlib-hex", blob=True, write=_deflated),
    Disguise("base64-twice", blob=True, write=_twice),
    Disguise("url-base64", blob=True, write=_in_url),
)
"""Every disguise beside the plain form."""


def _prefix(run: str) -> int:
    """Return how long the mark before an encoded run is; it may stay when the run goes."""
    return 2 if run.startswith("0x") else 0


def disguised(disguise: Disguise, random: Random, made: Made, *, bare: bool) -> Made:
    """Return a secret in a disguise, in its text.

    Args:
        disguise: which.
        random: where what is left open is drawn from.
        made: the secret, plain.
        bare: whether it can be told by itself. One that can't goes into an encoded run with the text around it.
            Where each character is written differently, the text around it is too, or isn't.
    """
    if disguise is PLAIN:
        return made
    if disguise.blob and not (bare and random.random() < 0.5):
        run = disguise.write(random, made.text)
        return Made(run, _prefix(run), len(run), (0, len(run)), made.member)
    if disguise.blob:
        run = disguise.write(random, made.secret)
        end = made.start + len(run)
        text = made.text[: made.start] + run + made.text[made.end :]
        return Made(text, made.start + _prefix(run), end, (made.start, end), made.member)
    everything = random.random() < 0.4
    cuts = sorted({0, made.start, made.end, *made.whole, len(made.text)})
    text, at = "", {0: 0}
    for low, high in pairwise(cuts):
        part = made.text[low:high]
        text += disguise.write(random, part) if everything or made.start <= low < made.end else part
        at[high] = len(text)
    return Made(text, at[made.start], at[made.end], (at[made.whole[0]], at[made.whole[1]]), made.member)
