"""What is encoded in a definition's text: base64, hex, ROT13, words spelled letter by letter or with digits."""

from __future__ import annotations

import base64
import codecs
import re
from typing import TYPE_CHECKING, NamedTuple

from tidegate_poison.linear import Regex

if TYPE_CHECKING:
    from collections.abc import Iterator

SENTENCE = 5
"""Words that somebody who spells them letter by letter wants to hide."""

_SIGN = Regex(
    r"[A-Za-z0-9+/_\-]{24}|(?:[0-9a-fA-F]{2}[\s:,]){4}|(?:\\x|%|0x)[0-9a-fA-F]{2}[\s:,]?(?:\\x|%|0x)"
    r"|\b\w[ .\-_*]\w[ .\-_*]\w[ .\-_*]\w\b|[a-zA-Z][013457@$][a-zA-Z]"
    r"|(?i:\b(?:vtaber|naq|hfre|gur|ernq|fraq|cerivbhf)\b)",
    capture=False,
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,65536}={0,2}")
_HEX = re.compile(r"(?:(?:\\x|%|0x)?[0-9a-fA-F]{2}[\s:,]?){12,32768}")
_NO_DIGIT = re.compile(r"\\x|%|0x|[\s:,]")
_SPACED = re.compile(r"\b(?:\w([ .\-_*]))(?:[\w']\1){2,400}\w\b(?:[ ]{2,}(?:[\w']\1){0,400}\w\b)*")
_ROTATED = re.compile(r"(?i)\b(?:vtaber|naq|hfre|gur|ernq|fraq|cerivbhf)\b")  # common words in ROT13
_DIGITS_IN_WORD = re.compile(r"[A-Za-z][01345$@7][A-Za-z]")
_LETTERS = str.maketrans("01345@$7", "oieasast")
_COMMAND = Regex(
    r"(?i)\brm\s+-[a-z]*[rf]|/dev/tcp/|\bchmod\s+(?:\+x|[0-7]{3})|\b(?:ba|z)?sh\s+-[ic]\b|\bnc\s+-|\b(?:curl|wget)\s+\S"
    r"|\bpowershell\b|\bmkfifo\b|\bpython3?\s+-c\b|\beval\s*\(",
    capture=False,
)
_TEXT = re.compile(r"[\w\s.,:;!?'\"`~/()<>\[\]{}@#$%&*+=|\\^-]+")


class Reading(NamedTuple):
    """What a part of a text reads like when it is decoded.

    Attributes:
        text: what it reads like.
        span: where that part is; None for the whole text.
        telling: whether nobody has a reason to encode such a thing: a command for a shell, or a whole sentence spelled.
    """

    text: str
    span: tuple[int, int] | None
    telling: bool = False


def readings(text: str, data: bytes) -> Iterator[Reading]:
    """Yield what is encoded in a text, which is ``data`` in UTF-8, where it decodes to one."""
    if not _SIGN.matches(data):
        return
    for regex, decode in ((_BASE64, _of_base64), (_HEX, _of_hex)):
        for run in regex.finditer(text):
            decoded = decode(run[0])
            if decoded is not None and " " in decoded and _TEXT.fullmatch(decoded):
                yield Reading(decoded, run.span(), telling=_COMMAND.matches(decoded.encode()))
    spelled = list(_SPACED.finditer(text))
    if spelled:
        words = max(len(re.findall(r"[ ]{2,}", run[0])) for run in spelled) + 1
        span = spelled[0].start(), spelled[-1].end()
        yield Reading(_SPACED.sub(_together, text), span, telling=words >= SENTENCE)
    if len(_ROTATED.findall(text)) > 1:
        yield Reading(codecs.encode(text, "rot13"), None)
    if len(_DIGITS_IN_WORD.findall(text)) > 1:
        yield Reading(text.translate(_LETTERS), None)


def _together(spelled: re.Match[str]) -> str:
    return " ".join(word.replace(spelled[1], "") for word in re.split(r" {2,}", spelled[0]))


def _of_base64(run: str) -> str | None:
    plain = run.rstrip("=").translate(str.maketrans("-_", "+/"))
    if len(plain) % 4 == 1:
        plain = plain[:-1]
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4)).decode()
    except ValueError:
        return None


def _of_hex(run: str) -> str | None:
    digits = _NO_DIGIT.sub("", run)
    try:
        return bytes.fromhex(digits[: len(digits) // 2 * 2]).decode()
    except ValueError:
        return None
