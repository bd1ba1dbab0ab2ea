"""How a change is shown: its lines, with headers and whatever looks like a secret hidden."""

from __future__ import annotations

import json
import re
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from tidegate.clients import edits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.clients.edits import Format

HIDDEN = "…"
_NAME = r"[^\s\"'=:]*(?:token|secret|passw|api[-_]?key|[-_]key|credential|authorization)[^\s\"'=:]*"
_SOUNDS = re.compile(rf"-*{_NAME}", re.IGNORECASE)
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_ASSIGNED = re.compile(
    rf"(?P<key>[\"']?{_NAME}[\"']?\s*[:=]\s*)(?P<value>{_QUOTED}|'[^']*'|[^\s,}}#\[{{\"'][^,}}#]*)", re.IGNORECASE
)
_AFTER_A_FLAG = re.compile(rf"(?P<key>[\"']--?{_NAME}[\"'],\s*)(?P<value>{_QUOTED})", re.IGNORECASE)
_REFERENCE = re.compile(
    r"[\"']?(?:[A-Za-z][A-Za-z0-9-]* )?"
    r"(?:\$\{?[^\"']*|\{env:[^\"']*|env:[^\"']*|secret:[^\"']*|true|false|null|[A-Z_]+)[\"']?"
)


def lines(before: str, after: str, name: str, kind: Format) -> Iterator[str]:
    """Yield the lines of a unified diff, without line ends.

    Args:
        before: the text as it is.
        after: the text as it is to be.
        name: the file's.
        kind: what it is written in.
    """
    values = {value for text in (before, after) for value in _private(text, kind)}
    old, new = before.splitlines(), after.splitlines()
    for line in unified_diff(old, new, name, name, lineterm=""):
        shown = hidden(line)
        for value in sorted(values, key=len, reverse=True):
            for written in (json.dumps(value, ensure_ascii=False)[1:-1], value):
                shown = shown.replace(written, HIDDEN)
        yield shown


def _private(text: str, kind: Format) -> Iterator[str]:
    """Yield what in a text is a header, or stands at a key or behind an option that sounds like a secret."""
    try:
        waiting: list[tuple[str, Any]] = [("", edits.language(kind).read(text))]
    except edits.FileRefused:
        return
    while waiting:
        key, tree = waiting.pop()
        if isinstance(tree, dict):
            waiting += [("secret" if key in ("headers", "http_headers") else str(name), tree[name]) for name in tree]
        elif isinstance(tree, list):
            waiting += zip(["", *(str(item) for item in tree)], tree, strict=False)
        elif isinstance(tree, str) and len(tree) > 1 and _SOUNDS.fullmatch(key) and not _REFERENCE.fullmatch(tree):
            yield tree


def hidden(line: str) -> str:
    """Return a line with the values of keys that sound like secrets hidden, references aside."""
    for pattern in (_ASSIGNED, _AFTER_A_FLAG):
        line = pattern.sub(_hide, line)
    return line


def _hide(found: re.Match[str]) -> str:
    value = found["value"]
    if _REFERENCE.fullmatch(value) or value in ('""', "''", "{", "["):
        return found[0]
    return found["key"] + (json.dumps(HIDDEN, ensure_ascii=False) if value[0] in "\"'" else HIDDEN)
