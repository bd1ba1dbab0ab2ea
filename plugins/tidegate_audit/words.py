"""Peers' words as a record may hold them: bounded, printable, and without what an inspector found to be secret.

Methods, names of targets and clients, and the keys in a pointer are chosen by the peers. Any of them may be a
secret. What a sensitive finding points at is put into a record nowhere, not as a key of a pointer either, and a word
that held a secret once is masked in all later records: the name of a client comes back in every flow.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tidegate import Decision

LONGEST = 256
"""Characters of one word or pointer; longer ones end in :data:`CUT`."""

CUT = "…"
MASK = "[masked]"
SENSITIVE = frozenset(("secret", "pii"))
"""Kinds of findings that point at what must not be recorded; so does every finding with a fingerprint."""

_CACHED = 4096
_HIDDEN = 16_384
_MOST_FOUND = 256  # distinct texts to look for; beyond them all peers' words are masked
_SHORTEST_PART = 4  # a shorter text is masked only where it is the whole word: it would be part of any
_PASSWORD = re.compile(r"(://[^/?#@\s:]*):[^/?#@\s]+@")


def printable(text: str) -> str:
    """Return a text cut to :data:`LONGEST`, with U+FFFD for every control, format and unassigned character.

    Replacing keeps two texts that such a character separates from becoming one.
    """
    if len(text) > LONGEST:
        text = text[: LONGEST - len(CUT)] + CUT
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def sensitive(decision: Decision) -> set[str]:
    """Return the texts that the sensitive findings of a decision point at.

    A key's pointer is that of the member it names, so a finding may mean either: both are taken, where the
    span fits. In a redacted message the value is gone already.
    """
    wanted: dict[str, list[tuple[int, int] | None]] = {}
    for _, finding in decision.findings:
        if finding.kind in SENSITIVE or finding.fingerprint:
            wanted.setdefault(finding.pointer, []).append(finding.span)
    found: set[str] = set()
    if not wanted:
        return found
    seen = set()
    for leaf in decision.message.strings() if decision.message else ():
        if leaf.pointer in wanted:
            seen.add(leaf.pointer)
            found.update(_parts(leaf.value, wanted[leaf.pointer]))
    for pointer in wanted.keys() - seen:  # inside of a text that was redacted as a whole: its key may be left
        found.update(_parts(_unescape(pointer.rpartition("/")[2]), wanted[pointer]))
    found.discard("")
    return found


def _parts(text: str, spans: Iterable[tuple[int, int] | None]) -> Iterable[str]:
    for span in spans:
        if span is None:
            yield text
        elif 0 <= span[0] < span[1] <= len(text):
            yield text[span[0] : span[1]]


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


class Words(dict[str, str]):
    """Words as they may be recorded, by the word: printable, bounded, passwords of a URI masked (RFC 3986, 3.2.1).

    What isn't known yet is worked out when it is asked for. Remembers which words held a secret.
    """

    def __init__(self) -> None:
        super().__init__()
        self._hidden: dict[int, None] = {}  # hashes of words that held a secret, never the words

    def __missing__(self, text: str) -> str:
        if hash(text) in self._hidden:
            return MASK
        said = printable(_PASSWORD.sub(rf"\1:{MASK}@", text) if "@" in text else text)
        if len(text) <= LONGEST:
            if len(self) >= _CACHED:
                self.clear()
            self[text] = said
        return said

    def hide(self, text: str) -> None:
        """Mask a word from now on."""
        self.pop(text, None)
        if len(self._hidden) >= _HIDDEN:
            self._hidden.pop(next(iter(self._hidden)))
        self._hidden[hash(text)] = None

    def teller(self, found: set[str]) -> Callable[[str], str]:
        """Return what looks a word up for a record in which none of the found texts may stand."""

        def tell(text: str) -> str:
            if holds(text, found):
                self.hide(text)
                return MASK
            return self[text]

        return tell if found else self.__getitem__


def holds(text: str, found: set[str]) -> bool:
    """Whether a text is, or has in it, one of the found ones; always, where there are too many to look for."""
    if len(found) > _MOST_FOUND:
        return True
    return text in found or any(part in text for part in found if len(part) >= _SHORTEST_PART)


def pointer(text: str, found: set[str]) -> str:
    """Return a JSON Pointer as it may be recorded: tokens that hold a found text masked, the rest printable."""
    if found:
        tokens = (MASK if holds(_unescape(token), found) else token for token in text.split("/")[1:])
        text = "".join(f"/{token}" for token in tokens)
    return printable(text)
