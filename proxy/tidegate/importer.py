"""Reads the configuration of MCP clients: ``mcpServers`` (Claude, Cursor and most others) and VS Code's ``servers``.

What has no counterpart in the settings is noted, never dropped silently. Sources: the clients' documentation of
``claude_desktop_config.json``, ``.mcp.json``, ``.cursor/mcp.json`` and ``.vscode/mcp.json``.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tidegate import gateway_settings, sandbox, sensitive
from tidegate.settings import ServerSettings, sentence

_TOP_GROUPS = ("mcpServers", "servers", "context_servers")
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET_NAME = re.compile(r"token|secret|passw|api_?key|access_?key|private_?key|credential|auth", re.IGNORECASE)
_ENGINES = ("docker", "nerdctl", "podman")
_LAUNCHERS = ("bunx", "npx", "pipx", "pnpm", "uv", "uvx", "yarn")
_SSE, _HTTP = "sse", ("http", "streamable-http", "streamableHttp", "streamable_http")


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
    """

    source: str
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)
    disabled: set[str] = field(default_factory=set)

    def toml(self) -> str:
        """Return ``tidegate.toml`` text: the servers, with the notes as comments, and the audit log."""
        lines = [f"# From {_comment(self.source)}. Relative paths start from this file's folder."]
        lines += [f"# Note: {_comment(said)}" for name, said in self.notes if not name]
        for name, members in self.servers.items():
            off = "# " if name in self.disabled else ""
            lines.append("")
            lines += [f"# Note: {_comment(said)}" for about, said in self.notes if about == name]
            lines.append(f"{off}[servers.{_key(name)}]")
            lines += [f"{off}{_key(key)} = {value(item)}" for key, item in members.items()]
        lines += ["", "[[interceptors]]", 'use = "audit"', "required = true", 'path = "audit.jsonl"']
        return "\n".join(lines)


def read(text: str, source: str) -> Imported:
    """Read a client's configuration.

    Args:
        text: JSON; comments and trailing commas are allowed, as in VS Code.
        source: the file's name, for the first line.

    Raises:
        ImportRefused: where it isn't JSON or has no servers.
    """
    try:
        tree = json.loads(without_comments(text), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise ImportRefused("is not JSON") from None
    if not isinstance(tree, dict):
        raise ImportRefused("is not a client's configuration: it is no JSON object")
    holder = tree["mcp"] if isinstance(tree.get("mcp"), dict) and not tree.keys() & set(_TOP_GROUPS) else tree
    group = next((name for name in _TOP_GROUPS if isinstance(holder.get(name), dict)), None)
    if group is None:
        raise ImportRefused('has neither "mcpServers" nor "servers", so it has no MCP servers to import')
    out = Imported(source)
    for key in [name for name in tree if name not in (group, "mcp")] + [
        name for name in holder if holder is not tree and name != group
    ]:
        if key == "inputs":
            out.notes.append(("", "the client asks for inputs and fills them in; write the values where they are used"))
        elif key != "$schema":
            out.notes.append(("", f"{key!r} is about the client, not about servers; left out"))
    for name, entry in holder[group].items():
        _take(out, name, entry)
    if any("egress" in members for members in out.servers.values()):
        out.notes.append(
            ("", "local processes run in a sandbox, with the network; take egress away from those without need")
        )
    if not out.servers:
        out.notes.append(("", "there were no servers to import"))
    return out


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members, none of which may stand twice: one of the two would be lost."""
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ImportRefused(f"has the key {twice!r} twice in the same object; keep one")
    return made


def _take(out: Imported, given: str, entry: Any) -> None:
    """Add one server, or say why not."""
    if not isinstance(entry, dict):
        out.notes.append(("", f"the server {given!r} is no object; left out"))
        return
    name = _free_name(given, out.servers)
    notes: list[str] = []
    if name != given:
        notes.append(f"the client calls it {given!r}, which can't be a name here")
    members = _Reader(dict(entry), notes).members()
    if members is None:
        out.notes.append(("", f"the server {given!r} has neither command nor url; left out"))
        return
    try:
        ServerSettings.model_validate(members)
    except ValidationError as error:
        out.notes.append(("", f"the server {given!r} can't be used here: {sentence(error)}; left out"))
        return
    if entry.get("disabled") is True or entry.get("enabled") is False:
        out.disabled.add(name)
        notes.append("the client has switched it off, so it is a comment here")
    out.servers[name] = members
    out.notes += [(name, said) for said in notes]


class _Reader:
    """Takes one server's members apart; what is left at the end has no counterpart."""

    def __init__(self, entry: dict[str, Any], notes: list[str]) -> None:
        self._entry = entry
        self._notes = notes

    def members(self) -> dict[str, Any] | None:
        """Return the members of the server's table, or ``None`` where the entry says no server."""
        entry = self._entry
        command = entry.pop("command", None)
        url = next(
            (found for key in ("url", "serverUrl", "httpUrl") if isinstance(found := entry.pop(key, None), str)), None
        )
        entry.pop("disabled", None)
        entry.pop("enabled", None)
        kind = entry.pop("type", entry.pop("transport", None))
        if command is not None:
            if url is not None:
                self._notes.append("it has both a command and a url; the command is used")
            out = self._process(command)
        elif url is not None:
            out = self._remote(url, kind)
        else:
            return None
        self._notes += [f"{key!r} has no counterpart; left out" for key in entry]
        return out

    def _process(self, command: Any) -> dict[str, Any]:
        entry = self._entry
        if isinstance(command, dict):  # Zed's older form
            entry.update({key: item for key, item in command.items() if key != "path"})
            command = command.get("path", "")
        words = [command, *self._list("args")] if isinstance(command, str) else list(command)
        out: dict[str, Any] = {
            "command": [self._text("command", word if isinstance(word, str) else json.dumps(word)) for word in words]
        }
        env = self._pairs("env")
        if env:
            out["env"] = env
        cwd = entry.pop("cwd", None)
        if isinstance(cwd, str):
            out["cwd"] = self._text("cwd", cwd)
        if Path(str(words[0])).name in _ENGINES:
            out["sandbox"] = "none"
            self._notes.append("it talks to a container engine, so it runs unsandboxed")
            if "run" in words:
                self._notes.append(
                    "it runs a container; image instead of command lets Tidegate run and watch it itself, and "
                    "tidegate pin says which image exactly"
                )
        else:
            self._boxed(out)
        return out

    def _boxed(self, out: dict[str, Any]) -> None:
        """Give a process in its sandbox what the client gave it: the network, and the folders that it is told of."""
        out["egress"] = "unrestricted"
        told = [*out["command"][1:], *out.get("env", {}).values(), out.get("cwd", "")]
        mounts = []
        for path in dict.fromkeys(map(os.path.normpath, (text for text in told if _is_data(text)))):
            if why := sensitive.refusal(path):
                self._notes.append(f"the sandbox doesn't show it {path}, as {why}; see docs/sandbox.md")
            else:
                mounts.append(f"{path}:{path}:rw")
        if mounts:
            out["mounts"] = mounts
            self._notes.append("it may write to its mounts: rw is ro where it needn't")
        if Path(str(out["command"][0])).name in _LAUNCHERS:
            self._notes.append("it is fetched anew at each start, into a home that is empty then; better install it")

    def _remote(self, url: str, kind: Any) -> dict[str, Any]:
        out: dict[str, Any] = {"url": self._text("url", url)}
        if kind == _SSE or (kind is None and url.rstrip("/").endswith("/sse")):
            out["transport"] = "sse"
            if kind is None:
                self._notes.append('its address ends in /sse, so transport = "sse" is assumed')
        elif kind is not None and kind not in _HTTP:
            self._notes.append(f"its type {kind!r} is not known; streamable HTTP is assumed")
        headers = {}
        for name, text in self._strings("headers").items():
            found = _VARIABLE.fullmatch(text)
            if found:
                headers[name] = f"env:{found[1]}"
            elif _PLACEHOLDER.search(text):
                self._notes.append(
                    f"the header {name} is put together from variables; set one variable to the whole value, and add "
                    f'{name} = "env:THAT_VARIABLE" to headers'
                )
            else:
                headers[name] = text
                self._warn("header", name, text)
        if headers:
            out["headers"] = headers
        return out

    def _pairs(self, key: str) -> dict[str, str]:
        """Return environment variables; those with placeholders are noted and left out."""
        out = {}
        for name, text in self._strings(key).items():
            if _PLACEHOLDER.search(text):
                self._notes.append(f"{key} {name} is filled in by the client; write its value there")
                continue
            out[name] = text
            self._warn(key, name, text)
        return out

    def _warn(self, what: str, name: str, text: str) -> None:
        if text and _SECRET_NAME.search(name):
            self._notes.append(f"{what} {name} looks like a secret and now stands in the settings: keep them private")

    def _strings(self, key: str) -> dict[str, str]:
        found = self._entry.pop(key, None)
        if not isinstance(found, dict):
            if found is not None:
                self._notes.append(f"{key!r} is no object; left out")
            return {}
        for name in [name for name, item in found.items() if not isinstance(item, str | int | float)]:
            self._notes.append(f"{key} {name} has no value; left out")
            del found[name]
        return {name: item if isinstance(item, str) else json.dumps(item) for name, item in found.items()}

    def _list(self, key: str) -> list[Any]:
        found = self._entry.pop(key, None)
        if found is None or isinstance(found, list):
            return found or []
        self._notes.append(f"{key!r} is no list; left out")
        return []

    def _text(self, key: str, text: str) -> str:
        """Note what the client would fill in; the text stays as it is, so that it is seen."""
        if _PLACEHOLDER.search(text):
            self._notes.append(f"{key} has a placeholder that the client fills in; write the value there")
        return text


def _is_data(text: str) -> bool:
    """Whether a text names something on this machine that a server may be meant to work on."""
    try:
        return text.startswith("/") and ":" not in text and Path(text).exists() and not text.endswith(sandbox.SCRIPTS)
    except (OSError, ValueError):
        return False


def _free_name(given: str, taken: dict[str, Any]) -> str:
    """Return a name that the settings allow and that is free, as like the given one as can be."""
    name = re.sub(r"_{2,}", "_", re.sub(r"[^A-Za-z0-9._-]+", "-", given)).strip("._-")[:60].rstrip("._-") or "server"
    number, free = 2, name
    while free in taken or free == gateway_settings.SERVER:
        free, number = f"{name}-{number}", number + 1
    return free


def without_comments(text: str) -> str:
    """Return JSON text without ``//`` and ``/* */`` comments and without commas before a closing bracket."""
    pieces = re.findall(r'"(?:[^"\\]|\\.)*"?|//[^\n]*|/\*.*?(?:\*/|$)|[^"/]+|/', text, re.DOTALL)
    kept = [piece for piece in pieces if not piece.startswith(("//", "/*"))]
    joined = "".join(kept)
    return re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', lambda found: found[1] or "", joined)


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
