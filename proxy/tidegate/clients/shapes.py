"""Servers as a client writes them down: making an entry, wrapping one, and reading one for the settings."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from tidegate.clients.edits import Edit, Path, Prefix, Set

if TYPE_CHECKING:
    from tidegate.clients.known import Client, Shape

_BRACED = re.compile(r"(?<!\$)\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_BARE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_CONTINUE = re.compile(r"\$\{\{ *secrets\.([A-Za-z_][A-Za-z0-9_]*) *\}\}")
_NO_SERVERS = ("builtin", "platform", "frontend", "inline_python")  # Goose's own extensions


def place_of(client: Client, tree: Any) -> Path:
    """Return where in a client's file the servers stand; opencode's second version has moved them."""
    at: Path = client.at
    below = tree.get("mcp") if client.name == "opencode" and isinstance(tree, dict) else None
    if isinstance(below, dict) and isinstance(below.get("servers"), dict) and "type" not in below["servers"]:
        return (*at, "servers")
    return at


def entries(client: Client, tree: Any) -> dict[str, Any]:
    """Return the servers of a client's file by name."""
    for key in place_of(client, tree):
        tree = tree.get(key) if isinstance(tree, dict) else None
    if isinstance(tree, list):
        named = [item for item in tree if isinstance(item, dict) and isinstance(item.get("name"), str)]
        return {item["name"]: item for item in named}
    return dict(tree) if isinstance(tree, dict) else {}


def over_http(shape: Shape, name: str, url: str, *, token_env: str | None, token: str | None) -> dict[str, Any]:
    """Return an entry for an address.

    Args:
        shape: the client's.
        name: what the server is called.
        url: the address.
        token_env: the variable that holds a token.
        token: the token itself, where it is to stand there in clear.
    """
    out: dict[str, Any] = {"name": name} if shape.named else {}
    out |= {**shape.http, str(shape.url): url}
    if token is not None:
        return _with_header(out, shape, f"Bearer {token}")
    if token_env is None or shape.token is None:
        return out
    said = shape.token.replace("NAME", token_env)
    return {**out, shape.token_key: said} if shape.token_key else _with_header(out, shape, said)


def _with_header(entry: dict[str, Any], shape: Shape, said: str) -> dict[str, Any]:
    headers: dict[str, Any] = {"Authorization": said}
    for key in reversed(shape.headers):
        headers = {key: headers}
    return entry | headers


def over_stdio(shape: Shape, name: str, words: list[str]) -> dict[str, Any]:
    """Return an entry for a command."""
    out: dict[str, Any] = {"name": name} if shape.named else {}
    out |= shape.stdio
    if shape.whole:
        return {**out, shape.command: words}
    return {**out, shape.command: words[0], "args": words[1:]}


def words_of(shape: Shape, entry: Any) -> list[str] | None:
    """Return the command of a local server, or ``None`` where it isn't one."""
    said = entry.get(shape.command) if isinstance(entry, dict) else None
    args = entry.get("args") or [] if isinstance(entry, dict) else []
    if shape.whole:
        words = said
    elif isinstance(said, str) and isinstance(args, list):
        words = [said, *args]
    else:
        return None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        return None
    return list(words) if words[0] else None


def is_tidegate(shape: Shape, entry: Any) -> bool:
    """Whether a server is one that runs Tidegate."""
    words = words_of(shape, entry)
    if words is None:
        return False
    program = PurePath(words[0].replace("\\", "/")).name
    return program in ("tidegate", "tidegate.exe") and words[1:2] in (["wrap"], ["run"])


def wrapping(shape: Shape, path: Path, entry: dict[str, Any], before: list[str]) -> list[Edit]:
    """Return the changes that put words before a local server's command."""
    if shape.whole:
        return [Prefix((*path, shape.command), tuple(before))]
    args = (*path, "args")
    rest = [*before[1:], entry[shape.command]]
    first: Edit = Prefix(args, tuple(rest)) if entry.get("args") else Set(args, rest)
    return [first, Set((*path, shape.command), before[0])]


def as_usual(client: Client, entry: Any) -> dict[str, Any] | None:
    """Return an entry with the keys that most clients use, or ``None`` where it is no server."""
    shape = client.shape
    if not isinstance(entry, dict) or entry.get("type") in _NO_SERVERS:
        return None
    out = dict(entry)
    for own, usual in ((shape.command, "command"), (shape.env, "env"), (shape.url or "url", "url")):
        if own != usual and own in out:
            out[usual] = out.pop(own)
    if isinstance(out.get("command"), list):
        command = out.pop("command")
        out |= {"command": command[0], "args": command[1:]} if command else {}
    if shape.headers != ("headers",):
        _headers(out, shape)
    if out.get("type") in ("local", "remote", "stdio"):
        out.pop("type")
    if shape.named:
        out.pop("name", None)
    if isinstance(out.get("headers"), dict):
        out["headers"] = {name: _usual_text(text) for name, text in out["headers"].items()}
    return out


def _headers(out: dict[str, Any], shape: Shape) -> None:
    """Move headers to where most clients have them."""
    inner = out.get(shape.headers[0])
    if len(shape.headers) == 1:
        found = out.pop(shape.headers[0], None)
    else:
        found = inner.get(shape.headers[1]) if isinstance(inner, dict) else None
        if found is not None and isinstance(inner, dict) and len(inner) == 1:
            out.pop(shape.headers[0])
    variables = out.pop("env_http_headers", None)
    headers = dict(found) if isinstance(found, dict) else {}
    if isinstance(variables, dict):
        headers |= {name: f"${{{variable}}}" for name, variable in variables.items()}
    if shape.token_key and isinstance(out.get(shape.token_key), str):
        headers["Authorization"] = f"Bearer ${{{out.pop(shape.token_key)}}}"
    if headers:
        out["headers"] = headers


def _usual_text(text: Any) -> Any:
    """Return a header's value with its variables as most clients write them."""
    if not isinstance(text, str):
        return text
    return _BARE.sub(r"${\1}", _BRACED.sub(r"${env:\1}", _CONTINUE.sub(r"${\1}", text)))
