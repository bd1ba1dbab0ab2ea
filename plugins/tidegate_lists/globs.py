"""What a list of globs says about a target: compiled once per server and kind, matched per message."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, NamedTuple

from . import uris

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS = ("tool", "prompt", "resource")
"""The kinds of targets that lists judge. A task is judged by the call that made it."""

MAX_NAME = 8192
"""Characters of the longest name or URI that is judged; what is longer is denied."""

NOT_ALLOWED = "not-in-allow"
"""The rule of a deny by default: the target is on no list of what may be called."""

_WILD = re.compile(r"[*?\[]")
_SCHEME = re.compile(r"[^/]+:")


class Glob(NamedTuple):
    """One entry of a list, ``[KIND:]SERVER/NAME``."""

    text: str
    kind: str | None
    server: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Glob:
        """Take an entry apart.

        Raises:
            ValueError: where it isn't of that form.
        """
        place, slash, name = text.partition("/")
        prefix, colon, server = place.rpartition(":")
        if not slash or not server or not name:
            raise ValueError(f"{text!r} is not SERVER/NAME, like files/delete_* or resource:files/file:///data/*")
        if colon and prefix not in KINDS:
            raise ValueError(f"{text!r} starts with the kind {prefix!r}; the kinds are {', '.join(KINDS)}")
        kind = prefix if colon else None
        if kind in (None, "resource") and _SCHEME.match(name) and uris.has_dots(name):
            raise ValueError(f"{text!r} has a segment '.' or '..' in its path, which no normalised URI has")
        return cls(text, kind, server, name)

    @property
    def exact_server(self) -> bool:
        """Whether its server is a name, and not a pattern."""
        return not _WILD.search(self.server)

    def concerns(self, server: str, kind: str) -> bool:
        """Whether it is for a server and kind."""
        return self.kind in (None, kind) and fnmatch.fnmatchcase(server, self.server)


class Listed:
    """The entries of one list that are for one server and kind.

    Tools and prompts are compared by name, resources by their URI in all its readings.
    """

    def __init__(self, globs: Iterable[Glob], server: str, kind: str) -> None:
        self._by_uri = kind == "resource"
        chosen = [glob for glob in globs if glob.concerns(server, kind)]
        self._globs = [(glob.text, self._readings_of(glob)) for glob in chosen]
        by_reading = list(zip(*(names for _, names in self._globs), strict=True))
        self._patterns = [_compiled(names) for names in by_reading]
        self._endless = [_compiled(name for name in names if name.endswith("*")) for names in by_reading]

    def _readings_of(self, glob: Glob) -> tuple[str, ...]:
        return uris.glob_readings(glob.name) if self._by_uri else (glob.name,)

    def __bool__(self) -> bool:
        return bool(self._globs)

    def has(self, name: str) -> bool:
        """Whether a target is on the list in every reading."""
        readings = uris.readings(name) if self._by_uri else (name,)
        return bool(self._globs) and all(map(_matches, self._patterns, readings))

    def rule(self, name: str) -> str | None:
        """Return an entry that a target matches in any reading; ``None`` where it is on the list in none."""
        if not self._globs:
            return None
        for reading, said in uris.suspects(name) if self._by_uri else ((0, name),):
            if _matches(self._patterns[reading], said):
                return next(text for text, names in self._globs if fnmatch.fnmatchcase(said, names[reading]))
        return None

    def may_have(self, prefix: str) -> bool:
        """Whether a URI that starts with a prefix may be on the list; unsure counts as yes."""
        return all(
            any(_compatible(said, names[reading]) for _, names in self._globs)
            for reading, said in enumerate(uris.prefix_readings(prefix))
        )

    def has_all(self, prefix: str) -> bool:
        """Whether every URI that starts with a prefix is on the list in some reading; unsure counts as no."""
        return bool(self._globs) and any(map(_matches, self._endless, uris.prefix_readings(prefix)))


class Judge(NamedTuple):
    """What one principal may do with one kind of target of one server.

    Attributes:
        deny: what is on it is denied.
        allow: what isn't on each of them is denied.
    """

    deny: Listed
    allow: tuple[Listed, ...]

    @property
    def idle(self) -> bool:
        """Whether everything passes."""
        return not self.deny and not self.allow

    def refuses(self, name: str, *, template: bool = False) -> tuple[str, str] | None:
        """Return deny code and rule where a target is denied.

        Args:
            name: a tool's or prompt's name or a resource's URI, or a URI template.
            template: whether it is a URI template (RFC 6570). It is denied where all that it expands to is;
                only the text before its first expression is looked at.
        """
        if len(name) > MAX_NAME:
            return "limit", "too-long"
        prefix, brace, _ = name.partition("{")
        if template and brace:
            allowed = all(listed.may_have(prefix) for listed in self.allow)
            rule = "template" if self.deny.has_all(prefix) else None
        else:
            allowed = all(listed.has(name) for listed in self.allow)
            rule = self.deny.rule(name)
        if rule is not None:
            return "denied", rule
        return None if allowed else ("denied", NOT_ALLOWED)


def _compiled(globs: Iterable[str]) -> re.Pattern[str] | None:
    patterns = [fnmatch.translate(glob) for glob in dict.fromkeys(globs)]
    return re.compile("|".join(patterns)) if patterns else None


def _matches(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is not None and pattern.match(text) is not None


def _compatible(prefix: str, glob: str) -> bool:
    """Whether a text that starts with a prefix may match a glob, by the glob's text before its first wildcard."""
    found = _WILD.search(glob)
    head = glob[: found.start()] if found else glob
    return head.startswith(prefix) or (found is not None and prefix.startswith(head))
