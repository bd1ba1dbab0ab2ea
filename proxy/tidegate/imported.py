"""What importing makes of a description of servers: their tables in the settings, notes, and the TOML of both."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any


class ImportRefused(Exception):  # noqa: N818 - it ends an import, and reads as one
    """A file can't be imported; the text is one sentence."""


@dataclass(slots=True)
class Imported:
    """What was read.

    Attributes:
        source: the file's name.
        servers: per name, the members of its ``[servers.NAME]`` table.
        notes: what has no counterpart or wants a look: the server's name (``""`` for the whole file), and a
            sentence that holds no value of the file.
        disabled: names of servers that the client has switched off.
        unfilled: names of servers with something in them that only the client can fill in.
        on_demand: whether sessions are to add the servers by themselves.
    """

    source: str
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)
    disabled: set[str] = field(default_factory=set)
    unfilled: set[str] = field(default_factory=set)
    on_demand: bool = False

    def toml(self) -> str:
        """Return ``tidegate.toml`` text: the servers, with the notes as comments, and the audit log."""
        lines = [f"# From {_comment(self.source)}. Relative paths start from this file's folder."]
        lines += [f"# Note: {_comment(said)}" for name, said in self.notes if not name]
        if self.on_demand:
            lines += ["", "[gateway]", "dynamic = true"]
        for name in self.servers:
            lines += ["", *self.table(name)]
        lines += ["", "[[interceptors]]", 'use = "audit"', "required = true", 'path = "audit.jsonl"']
        return "\n".join(lines)

    def table(self, name: str) -> list[str]:
        """Return the lines of one server's table, its notes before it; one that is switched off is a comment."""
        off = "# " if name in self.disabled else ""
        lines = [f"# Note: {_comment(said)}" for about, said in self.notes if about == name]
        lines.append(f"{off}[servers.{_key(name)}]")
        return lines + [f"{off}{_key(key)} = {value(item)}" for key, item in self.servers[name].items()]


def value(item: Any) -> str:
    """Return a value as TOML (1.0) writes it on one line.

    Raises:
        ImportRefused: for a string with half a surrogate pair, which TOML can't hold.
    """
    if isinstance(item, dict):
        return "{ " + ", ".join(f"{_key(key)} = {value(member)}" for key, member in item.items()) + " }"
    if isinstance(item, list):
        return "[" + ", ".join(value(member) for member in item) + "]"
    text = json.dumps(item, ensure_ascii=False).replace(
        "\x7f", "\\u007f"
    )  # a JSON string is one of TOML's, but for DEL
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ImportRefused("has a string with half a character (a lone surrogate)") from None
    return text


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else value(name)


def _comment(text: str) -> str:
    """Return a text that can't leave its comment."""
    return "".join(char if char.isprintable() else "?" for char in text)
