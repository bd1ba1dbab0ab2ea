"""``server.json`` of the official MCP registry: packages of npm, PyPI and OCI, and remote servers.

What the keys mean is from the registry's schema of the format (schemas 2025-07-09 to 2025-12-11).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from tidegate import image_names
from tidegate.catalogs import Described, description, listed, secret_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_BRACES = re.compile(r"\{([^{}]+)\}")
_TELLS = (
    "$schema",
    "_meta",
    "description",
    "icons",
    "meta",
    "repository",
    "status",
    "title",
    "version",
    "version_detail",
    "websiteUrl",
)
_KINDS = ("oci", "npm", "pypi", "nuget")
_OLDER = {
    "registry_type": "registryType",
    "registry_name": "registryType",
    "registry_base_url": "registryBaseUrl",
    "runtime_hint": "runtimeHint",
    "runtime_arguments": "runtimeArguments",
    "package_arguments": "packageArguments",
    "environment_variables": "environmentVariables",
    "is_required": "isRequired",
    "is_secret": "isSecret",
    "is_repeated": "isRepeated",
    "value_hint": "valueHint",
    "file_sha256": "fileSha256",
    "transport_type": "type",
}
"""Keys of the format's first versions."""

_HTTP, _SSE = "streamable-http", "sse"


def is_description(tree: dict[str, Any]) -> bool:
    """Whether a text describes a server, or is what the registry's API says of one or of several."""
    inner = tree.get("server", tree)
    if isinstance(tree.get("servers"), list):
        return True
    return (
        isinstance(inner, dict)
        and isinstance(inner.get("name"), str)
        and any(isinstance(inner.get(key), list) for key in ("packages", "remotes"))
    )


def servers(tree: dict[str, Any]) -> Iterator[Described]:
    """Yield the servers of a text."""
    every = tree["servers"] if isinstance(tree.get("servers"), list) else [tree]
    for item in every:
        entry = item.get("server", item) if isinstance(item, dict) else None
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            yield _one(entry)


def _one(entry: dict[str, Any]) -> Described:
    notes: list[str] = []
    packages = [item for item in _newer(entry.get("packages") or []) if isinstance(item, dict)]
    remotes = [item for item in _newer(entry.get("remotes") or []) if isinstance(item, dict)]
    members, used = _of_packages(packages, entry, notes)
    if members is None and remotes:
        members, used = _remote(remotes[0], notes), remotes[0]
    others = [
        str(item.get("identifier") or item.get("url") or "") for item in [*packages, *remotes] if item is not used
    ]
    if members is not None and others:
        notes.append(f"it can be had in another way, too, which is left out: {listed(others)}")
    if members is None:
        return Described(entry["name"].rpartition("/")[2], None, notes)
    text = description(entry.get("description"))
    if text:
        members["description"] = text
    told = [key for key in entry if key in _TELLS and not (text and key == "description")]
    if told:
        notes.append(f"left out, as it only describes the server: {listed(told)}")
    known = (*_TELLS, "name", "packages", "remotes")
    notes += [f"{key!r} has no counterpart; left out" for key in entry if key not in known]
    return Described(entry["name"].rpartition("/")[2], members, notes)


def _of_packages(
    packages: list[dict[str, Any]], entry: dict[str, Any], notes: list[str]
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the members for the package that suits best, a container first, and that package."""
    ranked = sorted((item for item in packages if _kind(item) in _KINDS), key=lambda item: _KINDS.index(_kind(item)))
    for item in ranked:
        said: list[str] = []
        members = _Package(dict(item), str(entry.get("version", "")), said).members()
        if members is not None:
            notes += said
            return members, item
        notes += said
    notes += [
        f"packages of the kind {_kind(item)!r} have no counterpart" for item in packages if _kind(item) not in _KINDS
    ]
    return None, None


def _newer(tree: Any) -> Any:
    """Return a part with the keys that the format has now."""
    if isinstance(tree, list):
        return [_newer(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        _OLDER.get(key, key): {name: _newer(one) for name, one in item.items()}
        if key == "variables" and isinstance(item, dict)  # whose keys are names
        else _newer(item)
        for key, item in tree.items()
    }


def _kind(item: dict[str, Any]) -> str:
    said = str(item.get("registryType", ""))
    return "oci" if said == "docker" else said


class _Value(NamedTuple):
    """What an input comes to: a text, whether it is a secret, and whether it is known."""

    text: str
    secret: bool
    known: bool


def _value(item: dict[str, Any]) -> _Value:
    """Return the value of an input, its variables filled in where they have values."""
    secret = item.get("isSecret") is True
    said = item.get("value", item.get("default"))
    if not isinstance(said, str | int | float):
        return _Value("", secret, known=False)
    given = item.get("variables")
    variables: dict[str, Any] = given if isinstance(given, dict) else {}
    known = True

    def filled(found: re.Match[str]) -> str:
        nonlocal secret, known
        variable = variables.get(found[1])
        if not isinstance(variable, dict):
            return found[0]
        inner = _value(variable)
        secret, known = secret or inner.secret, known and inner.known
        return inner.text if inner.known else found[0]

    text = _BRACES.sub(filled, str(said).lower() if isinstance(said, bool) else str(said))
    return _Value(text, secret, known)


class _Package:
    """Takes one package apart; what is left at the end has no counterpart."""

    def __init__(self, item: dict[str, Any], version: str, notes: list[str]) -> None:
        self._item = item
        self._kind = _kind(item)
        self._notes = notes
        item.pop("registryType", None)
        self._name = str(item.pop("identifier", item.pop("name", "")))
        self._version = str(item.pop("version", version))

    def members(self) -> dict[str, Any] | None:
        """Return the members of the server's table, or ``None`` where it can't be run here."""
        item = self._item
        found = item.pop("transport", None)
        transport = found if isinstance(found, dict) else {"type": "stdio"}
        base = str(item.pop("registryBaseUrl", ""))
        out = self._container(base, transport) if self._kind == "oci" else self._process(base, transport)
        if out is None:
            return None
        env, secrets = self._environment()
        if env:
            out["env"] = env
        if secrets:
            out["secrets"] = secrets
        self._notes += [f"'packages.{key}' has no counterpart; left out" for key in item]
        return out

    def _process(self, base: str, transport: dict[str, Any]) -> dict[str, Any] | None:
        if transport.get("type") != "stdio":
            self._notes.append(f"its {self._kind} package listens on a port, which a local process can't be asked for")
            return None
        usual = {"npm": "https://registry.npmjs.org", "pypi": "https://pypi.org", "nuget": "https://api.nuget.org"}
        if base and not base.startswith(usual[self._kind]):
            self._notes.append("it is in a package registry of its own: tell its launcher of it")
        hint = str(self._item.pop("runtimeHint", "")) or {"npm": "npx", "pypi": "uvx", "nuget": "dnx"}[self._kind]
        runtime = self._arguments("runtimeArguments")
        asks = {"npx": "-y", "dnx": "--yes"}.get(hint)
        if asks and not {asks, "--yes", "-y"} & set(runtime):
            runtime.append(asks)
        package = f"{self._name}@{self._version}" if self._version else self._name
        self._notes.append("it is fetched anew at each start, into a home that is empty then; better install it")
        arguments = self._arguments("packageArguments")
        if hint == "dnx" and arguments:
            arguments.insert(0, "--")
        return {"command": [hint, *runtime, package, *arguments], "egress": "unrestricted"}

    def _container(self, base: str, transport: dict[str, Any]) -> dict[str, Any] | None:
        image = self._name
        host = urlsplit(base).netloc
        if host and host not in ("docker.io", "index.docker.io") and not image.startswith(f"{host}/"):
            image = f"{host}/{image}"
        try:
            parsed = image_names.parse(image)
            if self._version and parsed.tag is None and not parsed.pinned:
                image = f"{image}:{self._version}"
        except ValueError:
            pass  # the settings say what is wrong with it
        self._item.pop("runtimeHint", None)
        out: dict[str, Any] = {"image": image}
        if "@sha256:" not in image:
            out["pull"] = "tag-ok"
            self._notes.append("its image is a tag, which can change: tidegate pin puts its digest there")
        if self._arguments("runtimeArguments"):
            self._notes.append("it wants options of the container engine, which are left out: see mounts, env and user")
        args = self._arguments("packageArguments")
        if args:
            out["args"] = args
        out["egress"] = []
        self._notes.append("the registry doesn't say which hosts it needs, so it has no network: name them in egress")
        kind = transport.get("type")
        if kind == "stdio":
            return out
        where = urlsplit(_BRACES.sub("", str(transport.get("url", ""))))
        try:
            port = where.port
        except ValueError:
            port = None
        if port is None:
            self._notes.append("its container listens on a port that isn't said: add it as port")
            return None
        out |= {"port": port, "path": where.path or "/"}
        return {**out, "transport": "sse"} if kind == _SSE else out

    def _arguments(self, key: str) -> list[str]:
        found = self._item.pop(key, None)
        out: list[str] = []
        for item in found if isinstance(found, list) else ():
            if isinstance(item, dict):
                out += self._argument(item)
        return out

    def _argument(self, item: dict[str, Any]) -> list[str]:
        named = [str(item["name"])] if item.get("type") == "named" and item.get("name") else []
        value = _value(item)
        label = named[0] if named else str(item.get("valueHint", "an argument"))
        if value.secret:
            self._notes.append(f"{label} is a secret, and arguments can be seen by others; it is left out")
            return []
        if value.known:
            return [*named, value.text] if value.text else named
        if not item.get("isRequired") and not value.text:
            said = "value" in item or "default" in item or item.get("format") not in (None, "boolean")
            if named and not said:
                return named
            self._notes.append(f"{label} can be given as an argument, and isn't")
            return []
        self._notes.append(f"{label} has to be given: write it where it stands in < >")
        return [*named, value.text or f"<{label.lstrip('-')}>"]

    def _environment(self) -> tuple[dict[str, str], dict[str, str]]:
        found = self._item.pop("environmentVariables", None)
        env: dict[str, str] = {}
        secrets: dict[str, str] = {}
        for item in found if isinstance(found, list) else ():
            if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                continue
            name, value = item["name"], _value(item)
            if value.secret:
                if item.get("isRequired"):
                    kept = secret_name(name.lower().replace("_", "-"))
                    secrets[name] = f"secret:{kept}"
                    self._notes.append(f"it wants a secret: tidegate secret set {kept}")
                else:
                    self._notes.append(f"it can have the secret {name}: add it to secrets")
            elif value.known:
                env[name] = value.text
            elif item.get("isRequired"):
                self._notes.append(f"it wants {name}: add it to env")
            else:
                self._notes.append(f"it can have {name} in env")
        return env, secrets


def _remote(item: dict[str, Any], notes: list[str]) -> dict[str, Any] | None:
    """Return the members for a remote server."""
    address = _value({"value": item.get("url"), "variables": item.get("variables")})
    kind = item.get("type", _HTTP)
    out: dict[str, Any] = {"url": address.text}
    if not address.known or _BRACES.search(address.text):
        notes.append("its address has a placeholder: write the value there")
    if kind == _SSE:
        out["transport"] = "sse"
    headers = {}
    for header in item.get("headers") or ():
        if not isinstance(header, dict) or not isinstance(header.get("name"), str):
            continue
        name = header["name"]
        said = _header(name, header, notes)
        if said is not None:
            headers[name] = said
    if headers:
        out["headers"] = headers
    notes += [
        f"'remotes.{key}' has no counterpart; left out"
        for key in item
        if key not in ("type", "url", "headers", "variables")
    ]
    return out


def _header(name: str, header: dict[str, Any], notes: list[str]) -> str | None:
    value = _value(header)
    if value.known and not value.secret:
        return value.text
    if not header.get("isRequired") and not value.secret:
        notes.append(f"it can have the header {name}")
        return None
    scheme = re.match(r"([A-Za-z][A-Za-z0-9-]* )\{[^{}]+\}$", str(header.get("value", "")))
    kept = secret_name(name.lower())
    notes.append(f"it wants a secret for the header {name}: tidegate secret set {kept}")
    return f"{scheme[1] if scheme else ''}secret:{kept}"
