"""Reads descriptions of servers: the configuration of MCP clients, Docker's catalog, the registry's ``server.json``.

What has no counterpart in the settings is noted, never dropped silently. Sources: the clients' documentation, which
``clients.known`` names, and for the others what their modules in ``catalogs`` name.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tidegate import catalogs, gateway_settings, sandbox, sensitive
from tidegate.catalogs import docker, registry
from tidegate.clients import known, shapes, tomls, yamls
from tidegate.clients.edits import FileRefused
from tidegate.imported import Imported, ImportRefused, value
from tidegate.settings import ServerSettings, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["ImportRefused", "Imported", "read", "value", "without_comments"]

_TOP_GROUPS = ("mcpServers", "servers", "context_servers")
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_AFTER_A_WORD = re.compile(r"((?:[A-Za-z][A-Za-z0-9-]* )?)\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")
_OWN_WAYS = ("codex", "goose", "continue", "opencode", "crush")  # clients with another name for the group
_SECRET_NAME = re.compile(r"token|secret|passw|api_?key|access_?key|private_?key|credential|auth", re.IGNORECASE)
_ENGINES = ("docker", "nerdctl", "podman")
_LAUNCHERS = ("bunx", "npx", "pipx", "pnpm", "uv", "uvx", "yarn")
_SSE, _HTTP = "sse", ("http", "streamable-http", "streamableHttp", "streamable_http")


def read(text: str, source: str, chosen: Sequence[str] = (), *, on_demand: bool = False) -> Imported:
    """Read a description of servers: a client's configuration, Docker's catalog, or the registry's ``server.json``.

    Args:
        text: JSON, in which comments and trailing commas are allowed, as in VS Code; YAML; or TOML.
        source: the file's name, for the first line; its ending says which of them it is.
        chosen: the names of the servers to take; all by default.
        on_demand: whether sessions are to add the servers by themselves.

    Raises:
        ImportRefused: where it can't be read, has no servers, or none of a chosen name.
    """
    tree = _tree(text, source)
    out = Imported(source, on_demand=on_demand)
    catalog = next((one for one in (docker, registry) if _describes(one, tree)), None)
    if catalog is None:
        given = _of_client(out, tree)
        _check_names(chosen, list(given))
        for name, entry in given.items():
            if not chosen or name in chosen:
                add(out, name, entry)
    else:
        described = list(catalog.servers(tree))
        _check_names(chosen, [one.name for one in described])
        for one in described:
            if not chosen or one.name in chosen:
                _put(out, one.name, one.members, one.notes)
    if any("egress" in members and "command" in members for members in out.servers.values()):
        out.notes.append(
            ("", "local processes run in a sandbox, with the network; take egress away from those without need")
        )
    if on_demand:
        out.servers = {name: {**members, "on_demand": True} for name, members in out.servers.items()}
    if not out.servers:
        out.notes.append(("", "there were no servers to import"))
    return out


def _describes(catalog: ModuleType, tree: dict[str, Any]) -> bool:
    if catalog is docker:
        return docker.is_catalog(tree) or docker.is_server(tree)
    return registry.is_description(tree)


def _check_names(chosen: Sequence[str], given: list[str]) -> None:
    for name in chosen:
        if name not in given:
            near = f"; it has {catalogs.listed(given[:10])}{' and others' if len(given) > 10 else ''}" if given else ""
            raise ImportRefused(f"has no server {name!r}{near}")


def _tree(text: str, source: str) -> dict[str, Any]:
    """Return what a text says, by the ending of its file's name; without one that is known, JSON is tried."""
    kind = Path(source).suffix.lower()
    if kind in (".yaml", ".yml", ".toml"):
        try:
            tree = (tomls if kind == ".toml" else yamls).read(text)
        except FileRefused as refused:
            raise ImportRefused(str(refused)) from None
    else:
        try:
            tree = json.loads(without_comments(text.removeprefix("\ufeff")), object_pairs_hook=_once)
        except json.JSONDecodeError as error:
            raise ImportRefused(f"is not JSON: see its line {error.lineno}") from None
        except (ValueError, RecursionError):
            raise ImportRefused("is not JSON") from None
    if not isinstance(tree, dict):
        raise ImportRefused("is not a client's configuration: it is no JSON object")
    return tree


def _of_client(out: Imported, tree: dict[str, Any]) -> dict[str, Any]:
    """Return the servers of a client's configuration, as most clients write them; what else there is, is noted."""
    holder = tree["mcp"] if isinstance(tree.get("mcp"), dict) and not tree.keys() & set(_TOP_GROUPS) else tree
    group = next((name for name in _TOP_GROUPS if isinstance(holder.get(name), dict)), None)
    found: dict[str, Any] = dict(holder[group]) if group else {}
    if group is None:
        client = next((one for one in known.CLIENTS if one.name in _OWN_WAYS and shapes.entries(one, tree)), None)
        if client is None:
            raise ImportRefused('has neither "mcpServers" nor "servers", so it has no MCP servers to import')
        group, holder = client.at[0], tree
        for name, entry in shapes.entries(client, tree).items():
            usual = shapes.as_usual(client, entry)
            if usual is None:
                out.notes.append(("", f"{name!r} is the client's own and no server; left out"))
            else:
                found[name] = usual
    for key in [name for name in tree if name not in (group, "mcp")] + [
        name for name in holder if holder is not tree and name != group
    ]:
        if key == "inputs":
            out.notes.append(("", "the client asks for inputs and fills them in; write the values where they are used"))
        elif key != "$schema":
            out.notes.append(("", f"{key!r} is about the client, not about servers; left out"))
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members, none of which may stand twice: one of the two would be lost."""
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ImportRefused(f"has the key {twice!r} twice in the same object; keep one")
    return made


def add(out: Imported, given: str, entry: Any) -> str | None:
    """Add one server as most clients write it, or say why not.

    Returns:
        The name that it has here, or ``None``.
    """
    if not isinstance(entry, dict):
        out.notes.append(("", f"the server {given!r} is no object; left out"))
        return None
    notes: list[str] = []
    reader = _Reader(dict(entry), notes)
    name = _put(out, given, reader.members(), notes)
    if name is None:
        return None
    if reader.unfilled:
        out.unfilled.add(name)
    if entry.get("disabled") is True or entry.get("enabled") is False:
        out.disabled.add(name)
        out.notes.append((name, "the client has switched it off, so it is a comment here"))
    return name


def _put(out: Imported, given: str, members: dict[str, Any] | None, notes: list[str]) -> str | None:
    """Add one server's table and notes, or say why not; return its name here."""
    if members is None:
        why = f"can't be used here: {'; '.join(notes)}" if notes else "has neither command nor url"
        out.notes.append(("", f"the server {given!r} {why}; left out"))
        return None
    try:
        ServerSettings.model_validate(members)
    except ValidationError as error:
        out.notes.append(("", f"the server {given!r} can't be used here: {sentence(error)}; left out"))
        return None
    name = free_name(given, out.servers)
    if name != given:
        notes = [f"the client calls it {given!r}, which can't be a name here", *notes]
    out.servers[name] = members
    out.notes += [(name, said) for said in notes]
    return name


class _Reader:
    """Takes one server's members apart; what is left at the end has no counterpart."""

    def __init__(self, entry: dict[str, Any], notes: list[str]) -> None:
        self._entry = entry
        self._notes = notes
        self.unfilled = False

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
            found = _AFTER_A_WORD.fullmatch(text)
            if found:
                headers[name] = f"{found[1]}env:{found[2]}"
            elif _PLACEHOLDER.search(text):
                self.unfilled = True
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
                self.unfilled = True
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
            self.unfilled = True
            self._notes.append(f"{key} has a placeholder that the client fills in; write the value there")
        return text


def _is_data(text: str) -> bool:
    """Whether a text names something on this machine that a server may be meant to work on."""
    try:
        return text.startswith("/") and ":" not in text and Path(text).exists() and not text.endswith(sandbox.SCRIPTS)
    except (OSError, ValueError):
        return False


def free_name(given: str, taken: dict[str, Any]) -> str:
    """Return a name that the settings allow and that is free, as like the given one as can be."""
    name = re.sub(r"_{2,}", "_", re.sub(r"[^A-Za-z0-9._-]+", "-", given)).strip("._-")[:60].rstrip("._-") or "server"
    number, free = 2, name
    while free in taken or free == gateway_settings.SERVER:
        free, number = f"{name}-{number}", number + 1
    return free


def without_comments(text: str) -> str:
    """Return JSON text without ``//`` and ``/* */`` comments and without commas before a closing bracket.

    Each line keeps its number.
    """
    pieces = re.findall(r'"(?:[^"\\]|\\.)*"?|//[^\n]*|/\*.*?(?:\*/|$)|[^"/]+|/', text, re.DOTALL)
    joined = "".join("\n" * piece.count("\n") if piece.startswith(("//", "/*")) else piece for piece in pieces)
    return re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', lambda found: found[1] or "", joined)
