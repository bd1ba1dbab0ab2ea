"""How a change is shown: its lines, with headers and whatever looks like a secret hidden."""

from __future__ import annotations

import json
import re
from difflib import unified_diff
from typing import TYPE_CHECKING

from tidegate.clients import edits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.clients.edits import Format

HIDDEN = "…"
_NAME = r"[^\s\"'=:]*(?:token|secret|passw|api[-_]?key|[-_]key|credential|authorization)[^\s\"'=:]*"
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
    values = {value for text in (before, after) for value in _headers(text, kind)}
    old, new = before.splitlines(), after.splitlines()
    for line in unified_diff(old, new, name, name, lineterm=""):
        shown = hidden(line)
        for value in sorted(values, key=len, reverse=True):
            for written in (json.dumps(value, ensure_ascii=False)[1:-1], value):
                shown = shown.replace(written, HIDDEN)
        yield shown


def _headers(text: str, kind: Format) -> Iterator[str]:
    """Yield the values of all headers in a text that aren't references."""
    try:
        waiting = [edits.language(kind).read(text)]
    except edits.FileRefused:
        return
    while waiting:
        tree = waiting.pop()
        items = (
            list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []
        )
        for key, item in items:
            if key in ("headers", "http_headers") and isinstance(item, dict):
                values = (value for value in item.values() if isinstance(value, str))
                yield from (value for value in values if value and not _REFERENCE.fullmatch(value))
            else:
                waiting.append(item)


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
