"""What each principal's servers listed: names that others may imitate or refer to, and what was taken out of lists."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING

from tidegate_poison import names

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_PRINCIPALS = 1024
MOST_NAMES = 16_384
"""Names that are remembered of one server; what is listed beyond them isn't protected from imitation."""

LONGEST = 128
_LEAST = 6  # letters of a name that stands out in a text

_NAME_IN_TEXT = re.compile(r"[A-Za-z0-9]+(?:[_\-.]+[A-Za-z0-9]+)*")
_STANDS_OUT = re.compile(r"[_\-.]|[a-z0-9][A-Z]")
_BY_HABIT = re.compile(
    r"\A(?:(?:e\.g|i\.e|re-\w+|\w+-\w+|\d[\w.\-]*|\w+\.(?:com|org|net|io|dev|example|md|json|py|js|ts|txt|toml|yaml|yml))"
    r"|(?:Java|Type)Script|GitHub|GitLab|OpenAI|YouTube|LinkedIn|PostgreSQL|GraphQL|JSON\w*|OAuth)\Z",
    re.IGNORECASE,
)  # words with a hyphen are English; a hyphenated name counts in backquotes only


class Listed:
    """The tools of one server as one principal sees them, by name, look and words."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.skeletons: dict[str, str] = {}
        self.near: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        self.taken: dict[str, str] = {}

    def add(self, name: str) -> None:
        """Remember a name."""
        if name in self.names or len(name) > LONGEST or len(self.names) >= MOST_NAMES:
            return
        self.names.add(name)
        self.skeletons.setdefault(names.skeleton(name), name)
        words = names.words(name)
        for key in names.neighbours(words):
            self.near.setdefault(key, set()).add(words)

    def take(self, name: str, rule: str) -> None:
        """Remember that a definition was taken out."""
        if len(name) <= 4 * LONGEST and (name in self.taken or len(self.taken) < MOST_NAMES):
            self.taken[name] = rule


class Memory:
    """What was listed, by principal and server."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, dict[str, Listed]] = OrderedDict()

    def of(self, principal: str, server: str) -> Listed:
        """Return what is remembered of a server."""
        return self._servers(principal).setdefault(server, Listed())

    def _servers(self, principal: str) -> dict[str, Listed]:
        servers = self._kept.get(principal)
        if servers is None:
            servers = self._kept[principal] = {}
            while len(self._kept) > MOST_PRINCIPALS:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(principal)
        return servers

    def others(self, principal: str, server: str) -> list[Listed]:
        """Return what is remembered of all other servers."""
        kept = self._kept.get(principal)
        return [listed for name, listed in kept.items() if name != server and listed.names] if kept else []

    def imitated(self, principal: str, server: str, name: str) -> float:
        """Return how surely a name imitates that of another server's tool; 0 where it doesn't."""
        others = self.others(principal, server)
        if not others or len(name) > LONGEST:
            return 0.0
        own = self.of(principal, server).names
        look, spelled, words = names.skeleton(name), names.spelled(name), names.words(name)
        sure = 0.0
        for listed in others:
            if name in listed.names:
                return 0.0
            like = listed.skeletons.get(look)
            if like is not None and names.spelled(like) != spelled:
                sure = 0.9
            elif not sure and any(
                names.mistyped(words, other) for key in names.neighbours(words) for other in listed.near.get(key, ())
            ):
                sure = 0.6
        return 0.0 if name in own and not sure else sure


def mentions(text: str, own: set[str], others: list[Listed]) -> Iterator[tuple[int, int]]:
    """Yield where a text names a tool that other servers have and its own server doesn't."""
    for match in _NAME_IN_TEXT.finditer(text):
        for name, start in _names(match):
            if name in own or not any(name in listed.names for listed in others):
                continue
            if _BY_HABIT.match(name) and text[start - 1 : start] not in ("`", '"', "'"):
                continue
            yield start, start + len(name)
            break


def _names(match: re.Match[str]) -> Iterator[tuple[str, int]]:
    """Yield what a word of a text may name, and where: all of it, and what stands behind a server's name."""
    word, start = match[0], match.start()
    if len(word) < _LEAST or len(word) > 4 * LONGEST:
        return
    for at in (0, word.rfind(".") + 1, word.rfind("__") + 2 if "__" in word else 0):
        name = word[at:]
        if len(name) >= _LEAST and (not at or word != name) and _STANDS_OUT.search(name):
            yield name, start + at
