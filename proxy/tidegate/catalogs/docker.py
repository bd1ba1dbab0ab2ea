"""Docker's MCP catalog: a ``registry`` of servers by name, and ``server.yaml``, one server of its public registry.

What the keys mean is from docker/mcp-gateway (pkg/catalog/types.go, docs/catalog.md) and docker/mcp-registry.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from tidegate import box_settings, image_names, sensitive
from tidegate.catalogs import Described, description, listed, secret_name
from tidegate.egress import rules

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEMPLATE = re.compile(r"\{\{.*?\}\}")
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_HEADER = re.compile(r"((?:[A-Za-z][A-Za-z0-9-]* )?)\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_TELLS = (
    "about", "author", "category", "dateAdded", "description", "displayName", "dynamic", "icon", "license", "meta",
    "metadata", "name", "owner", "prompts", "readme", "ref", "resources", "source", "title", "toolsUrl", "upstream",
)  # fmt: skip
_LONGEST = 86_400.0


def is_catalog(tree: dict[str, Any]) -> bool:
    """Whether a text is a catalog."""
    return isinstance(tree.get("registry"), dict)


def is_server(tree: dict[str, Any]) -> bool:
    """Whether a text is one server's ``server.yaml``."""
    about = tree.keys() & {"about", "meta", "source", "config", "run"}
    return (
        isinstance(tree.get("name"), str)
        and bool(about)
        and (bool(tree.keys() & {"image", "remote"}) or tree.get("type") == "poci")
    )


def servers(tree: dict[str, Any]) -> Iterator[Described]:
    """Yield the servers of a catalog, or the one of a ``server.yaml``."""
    if not is_catalog(tree):
        name = tree["name"]
        flat = {
            **tree,
            **_table(tree, "run"),
            **{k: v for k, v in _table(tree, "config").items() if k != "description"},
        }
        for key in ("run", "config"):
            flat.pop(key, None)
        if "parameters" in flat:
            flat["config"] = [flat.pop("parameters")]
        yield _one(name, flat)
        return
    for name, entry in tree["registry"].items():
        if isinstance(entry, dict):
            yield _one(str(name), dict(entry))
        else:
            yield Described(str(name), None, ["it is no mapping"])


def _table(tree: dict[str, Any], key: str) -> dict[str, Any]:
    found = tree.get(key)
    return dict(found) if isinstance(found, dict) else {}


def _one(name: str, entry: dict[str, Any]) -> Described:
    notes: list[str] = []
    kind = entry.pop("type", "server")
    if kind == "poci":
        return Described(name, None, ["each of its tools is a container of its own, which has no counterpart"])
    reader = _Reader(entry, notes)
    members = reader.members()
    if members is None:
        return Described(name, None, ["it has neither an image nor an address"])
    about = _table(entry, "about").get("description")
    text = description(entry.pop("description", None) or about)
    if text:
        members["description"] = text
    told = sorted(key for key in entry if key in _TELLS)
    if told:
        notes.append(f"left out, as it only describes the server: {listed(told)}")
    notes += [f"{key!r} has no counterpart; left out" for key in entry if key not in _TELLS]
    return Described(name, members, notes)


class _Reader:
    """Takes one server's entry apart; what is left at the end has no counterpart."""

    def __init__(self, entry: dict[str, Any], notes: list[str]) -> None:
        self._entry = entry
        self._notes = notes
        self._secrets: dict[str, str] = {}

    def members(self) -> dict[str, Any] | None:
        """Return the members of the server's table, or ``None`` where the entry says no server."""
        entry = self._entry
        image, remote = entry.pop("image", None), entry.pop("remote", None)
        endpoint = entry.pop("sseEndpoint", None)
        self._read_secrets()
        if isinstance(remote, dict) and isinstance(remote.get("url"), str):
            out = self._remote(dict(remote))
        elif isinstance(endpoint, str):
            out = {"url": endpoint, "transport": "sse"}
        elif isinstance(image, str) and image:
            out = self._container(image)
        else:
            return None
        self._read_tools()
        if "oauth" in entry:
            entry.pop("oauth")
            self._notes.append("it wants OAuth, which is not there yet: give it a header with a token")
        return out

    def _container(self, image: str) -> dict[str, Any]:
        out: dict[str, Any] = {"image": image}
        try:
            if not image_names.parse(image).pinned:
                out["pull"] = "tag-ok"
                self._notes.append("its image is a tag, which can change: tidegate pin puts its digest there")
        except ValueError:
            pass  # the settings say what is wrong with it
        args = self._words("command")
        if args:
            out["args"] = args
        env = self._environment()
        if env:
            out["env"] = env
        if self._secrets:
            out["secrets"] = {variable: f"secret:{name}" for variable, name in self._secrets.items()}
        mounts = [mount for volume in self._words("volumes", keep=False) if (mount := self._mount(volume))]
        if mounts:
            out["mounts"] = mounts
        user = self._entry.pop("user", None)
        if isinstance(user, str | int):
            self._user(out, str(user))
        out["egress"] = self._egress()
        if self._entry.pop("longLived", False) is True:
            out["idle_timeout"] = _LONGEST
        return out

    def _user(self, out: dict[str, Any], user: str) -> None:
        said = f"{user}:{user}" if user.isdigit() else user
        try:
            TypeAdapter(box_settings.BoxUser).validate_python(said)
        except ValueError:
            self._notes.append("its 'user' is none that can be said here; left out")
        else:
            out["user"] = said

    def _remote(self, remote: dict[str, Any]) -> dict[str, Any]:
        out: dict[str, Any] = {"url": remote.pop("url")}
        if remote.pop("transport_type", None) == "sse":
            out["transport"] = "sse"
        headers = {}
        found = remote.pop("headers", None)
        for name, text in found.items() if isinstance(found, dict) else ():
            said = self._header(str(name), str(text))
            if said is not None:
                headers[str(name)] = said
        if headers:
            out["headers"] = headers
        used = {name for name in self._secrets.values() if any(f"secret:{name}" in said for said in headers.values())}
        self._notes += [
            f"the secret {name} has no place in a remote server's settings but its headers; left out"
            for name in self._secrets.values()
            if name not in used
        ]
        self._notes += [f"'remote.{key}' has no counterpart; left out" for key in remote]
        return out

    def _header(self, name: str, text: str) -> str | None:
        found = _HEADER.fullmatch(text)
        if found is None:
            if _VARIABLE.search(text) or _TEMPLATE.search(text):
                self._notes.append(f"the header {name} is put together by Docker; write it into headers")
                return None
            return text
        variable = found[2]
        return (
            f"{found[1]}secret:{self._secrets[variable]}" if variable in self._secrets else f"{found[1]}env:{variable}"
        )

    def _read_secrets(self) -> None:
        found = self._entry.pop("secrets", None)
        for item in found if isinstance(found, list) else ():
            if isinstance(item, dict) and isinstance(item.get("env"), str) and item.get("name"):
                self._secrets[item["env"]] = secret_name(str(item["name"]))
            elif isinstance(item, dict) and item.get("name"):
                self._notes.append(f"the secret {item['name']} names no variable; left out")
        for name in dict.fromkeys(self._secrets.values()):
            self._notes.append(f"it wants a secret: tidegate secret set {name}")

    def _read_tools(self) -> None:
        found = self._entry.pop("tools", None)
        names = [str(item.get("name")) for item in found or () if isinstance(item, dict)]
        if names:
            self._notes.append(
                f"the catalog names {len(names)} tools of it; to allow no others, list them in allow of lists"
            )
        config = self._entry.pop("config", None)
        if config:
            self._notes.append("it has parameters, which Docker fills in where {{...}} stands")

    def _environment(self) -> dict[str, str]:
        found = self._entry.pop("env", None)
        pairs: list[tuple[Any, Any]] = list(found.items()) if isinstance(found, dict) else []
        if isinstance(found, list):
            pairs = [(item.get("name"), item.get("value")) for item in found if isinstance(item, dict)]
        out = {}
        for name, value in pairs:
            text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
            if _TEMPLATE.search(text):
                self._notes.append(f"env {name} is filled in by Docker; write its value there")
            else:
                out[str(name)] = text
        return out

    def _words(self, key: str, *, keep: bool = True) -> list[str]:
        found = self._entry.pop(key, None)
        if found is None:
            return []
        if not isinstance(found, list):
            self._notes.append(f"{key!r} is no list; left out")
            return []
        out = []
        for item in found:
            filled = _TEMPLATE.search(str(item)) is not None
            if filled:
                what = "write the value there" if keep else "write it into mounts"
                self._notes.append(f"{key} has a placeholder that Docker fills in; {what}")
            if keep or not filled:
                out.append(str(item))
        return out

    def _mount(self, volume: str) -> str | None:
        source, _, rest = volume.partition(":")
        target, _, options = rest.partition(":")
        if not target or not source.startswith(("/", "./", "../", "~")):
            self._notes.append("a volume of the engine's own has no counterpart; left out: mounts are folders")
            return None
        if why := sensitive.refusal(source):
            self._notes.append(f"it is not given {source}, as {why}")
            return None
        return f"{source}:{target}:{'ro' if 'ro' in options.split(',') else 'rw'}"

    def _egress(self) -> list[str] | str:
        hosts = self._words("allowHosts", keep=False)
        if self._entry.pop("disableNetwork", False) is True:
            if hosts:
                self._notes.append("it has both disableNetwork and allowHosts; it gets no network")
            return []
        out = []
        for host in hosts:
            bare = host.partition("/")[0]
            try:
                out.append(str(rules.parse(bare if ":" in bare else f"{bare}:443")))
            except ValueError as error:
                self._notes.append(f"an entry of allowHosts can't be said here: {error}")
        if hosts:
            return out
        self._notes.append("Docker gives it the whole network; name the hosts it needs in egress instead")
        return "unrestricted"
