"""Whose resource a URI is. URIs keep what they are at the gateway, so it is known by what servers list and send."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from tidegate.gateway.templates import Template

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_SEEN = 4096
"""URIs that are remembered of one server's results at most; the one that wasn't met for longest goes."""

MOST_TEMPLATES = 256
"""Templates of one server that URIs are matched against at most; the others are known by their text only."""


class AmbiguousError(Exception):
    """A URI that several servers have. The text is one sentence, which names them and not the URI.

    Attributes:
        servers: their names.
    """

    def __init__(self, what: str, servers: list[str]) -> None:
        names = f"{', '.join(servers[:-1])} and {servers[-1]}"
        super().__init__(f"{what} is one of {names}, so it can't be told which is meant.")
        self.servers = tuple(servers)


class _Server:
    """What one server has.

    Attributes:
        uris: those it listed.
        templates: the text of its templates.
        matched: the first of them, to match URIs against.
        seen: URIs in its results, the one met last at the end.
    """

    __slots__ = ("matched", "seen", "templates", "uris")

    def __init__(self) -> None:
        self.uris: frozenset[str] = frozenset()
        self.templates: frozenset[str] = frozenset()
        self.matched: dict[str, Template] = {}
        self.seen: OrderedDict[str, None] = OrderedDict()


class Owners:
    """Which of the servers behind one endpoint a URI belongs to.

    That of the server that lists it; else of the one with a template for it; else of the one in whose results it was;
    else of the only server that has resources at all. Where several have it in the same way, it is nobody's.
    """

    def __init__(self) -> None:
        self._servers: dict[str, _Server] = {}

    def update(self, server: str, *, uris: Iterable[str] | None = None, templates: Iterable[str] | None = None) -> None:
        """Take over what a server that has resources lists; what isn't given stays. Nothing given says that it has any.

        Args:
            server: the server.
            uris: the URIs of its resources.
            templates: its URI templates.
        """
        found = self._servers.setdefault(server, _Server())
        if uris is not None:
            found.uris = frozenset(uris)
        if templates is not None:
            texts = tuple(dict.fromkeys(templates))
            found.templates, known = frozenset(texts), found.matched
            found.matched = {text: known.get(text) or Template(text) for text in texts[:MOST_TEMPLATES]}

    def remove(self, server: str) -> None:
        """Forget a server that isn't there any more, or has no resources."""
        self._servers.pop(server, None)

    def saw(self, server: str, uris: Iterable[str]) -> None:
        """Note URIs that were in a server's results, as links or as embedded resources.

        Those of a server that has no resources are nobody's: it couldn't be asked for them.
        """
        found = self._servers.get(server)
        if found is None:
            return
        for uri in uris:
            found.seen[uri] = None
            found.seen.move_to_end(uri)
            if len(found.seen) > MOST_SEEN:
                found.seen.popitem(last=False)

    def owner(self, uri: str) -> str | None:
        """Return whose resource a URI is; ``None`` where nobody has it.

        Raises:
            AmbiguousError: where several have it.
        """
        servers = self._servers.items()
        return (
            _only("The resource", [name for name, found in servers if uri in found.uris])
            or _only("The resource", [name for name, found in servers if _made(found, uri)])
            or _only("The resource", [name for name, found in servers if uri in found.seen])
            or (next(iter(self._servers)) if len(self._servers) == 1 else None)
        )

    def template_owner(self, uri_template: str) -> str | None:
        """Return whose template it is, by its text; where nobody lists it, whose resource such a URI would be.

        Raises:
            AmbiguousError: where several have it.
        """
        listed = [name for name, found in self._servers.items() if uri_template in found.templates]
        return _only("The template", listed) or self.owner(uri_template)


def _made(found: _Server, uri: str) -> bool:
    return any(template.matches(uri) for template in found.matched.values())


def _only(what: str, servers: list[str]) -> str | None:
    if len(servers) > 1:
        raise AmbiguousError(what, servers)
    return servers[0] if servers else None
