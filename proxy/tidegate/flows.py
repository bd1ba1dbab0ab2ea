"""Makes the flows of one relay: what interceptors are told beside the message, from what the relay has learnt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tidegate import methods, values
from tidegate.flow import Client, Flow, Principal, Server
from tidegate.notices import Changes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.containers.client import LauncherClient
    from tidegate.correlate import Open
    from tidegate.egress_notes import EgressNotes
    from tidegate.message import Message
    from tidegate.pipeline import Pipeline
    from tidegate.session import Store
    from tidegate.settings import Settings

MAX_TOOLS = 4096  # tool definitions remembered per relay


@dataclass(slots=True)
class Runtime:
    """What a reload swaps: the settings, and the pipeline made from them."""

    settings: Settings
    pipeline: Pipeline


@dataclass(slots=True)
class Core:
    """What all relays of one Tidegate share. ``now`` is replaced whole, so a message sees one set of settings."""

    now: Runtime
    store: Store
    boxes: LauncherClient | None = None  # who starts containers; None where none can be
    egress: EgressNotes | None = None  # who has what sidecars tell recorded
    changes: Changes = field(default_factory=Changes)  # of lists, by interceptors


class Definitions:
    """The tools of one server as it listed them last; each is frozen when somebody first asks for it."""

    __slots__ = ("_frozen", "_listed")

    def __init__(self) -> None:
        self._listed: dict[str, dict[str, Any]] = {}
        self._frozen: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._listed)

    def get(self, name: str) -> Mapping[str, Any] | None:
        """Return a tool's definition, deeply frozen; ``None`` where it isn't known."""
        found: Mapping[str, Any] | None = self._frozen.get(name)
        if found is None and name in self._listed:
            found = self._frozen[name] = values.freeze(self._listed[name])
        return found

    def lacks(self, name: str) -> bool:
        """Whether a tool isn't known that another list could say; never where there is room for no more."""
        return name not in self._listed and len(self._listed) < MAX_TOOLS

    def learn(self, items: list[Any]) -> None:
        """Take over what a list says; of new names, no more than there is room for."""
        for item in items:
            name = item.get("name") if isinstance(item, dict) else None
            if isinstance(name, str) and (name in self._listed or len(self._listed) < MAX_TOOLS):
                self._listed[name] = item
                self._frozen.pop(name, None)

    def clear(self) -> None:
        """Forget all of them."""
        self._listed.clear()
        self._frozen.clear()


class Flows:
    """The flows between one client and one server.

    Attributes:
        client: what the client said of itself in ``initialize``.
        version: the version that ``initialize`` agreed on; ``""`` where there was none.
        tools: the definitions of the server's tools as last listed.
        noticed: of which lists ``initialize`` said that the client is told of changes.
        profile: the profile through whose endpoint the client comes; ``""`` for none.
    """

    def __init__(self, core: Core, server: Server, principal: Principal, *, stateless: bool, profile: str = "") -> None:
        self.core = core
        self.server = server
        self.principal = principal
        self.profile = profile
        self.session_id = ""
        self.client = Client()
        self.version = ""
        self.tools = Definitions()
        self.noticed: frozenset[str] = frozenset()
        self._stateless = stateless

    def of(self, message: Message | None = None, flow_id: str | None = None, version: str = "") -> Flow:
        """Return the flow of a message that isn't a reply, or of an event where there is none.

        Args:
            message: the message.
            flow_id: the flow it belongs to; a new one by default.
            version: the version its HTTP header names, for a message that doesn't say it itself.
        """
        targets = methods.targets(message) if message is not None else ()
        return Flow(
            flow_id or self.core.now.pipeline.new_id(),
            self.server,
            self.principal,
            self.client_of(message),
            self.version_of(message) or version,
            targets,
            self.tools.get(targets[0].name) if targets and targets[0].kind == "tool" else None,
            None,
            self.core.store.open(self._conversation()),
            self.profile,
        )

    def answering(self, entry: Open | None, version: str = "") -> Flow:
        """Return the flow of a reply: that of its request, with the request."""
        if entry is None:
            return self.of(version=version)
        asked: Flow = entry.owner if entry.owner is not None else self.of(entry.request, entry.flow_id)
        return Flow(
            asked.id,
            asked.server,
            asked.principal,
            asked.client,
            asked.version,
            asked.targets,
            asked.tool,
            entry.request,
            asked.session,
            asked.profile,
        )

    def _conversation(self) -> str:
        if self.core.now.settings.session.by == "mcp-session":
            return f"{self.principal.name}/{self.server.name}/{self.session_id}"
        return self.principal.name

    def client_of(self, message: Message | None) -> Client:
        """Return what the client says of itself, in this message or before."""
        if message is None or message.sender != "client" or not (message.meta or message.method == "initialize"):
            return self.client
        said = methods.client_in(message)
        return Client(*said) if said else self.client

    def version_of(self, message: Message | None) -> str:
        """Return the version of a message, from itself or from ``initialize``; ``""`` where nobody said it."""
        if message is None or not (message.meta or message.method == "initialize"):
            return self.version
        return methods.version_in(message) or self.version

    def learn(self, reply: Message) -> None:
        """Remember what a judged result says for later flows: the version, and the tools' definitions."""
        if reply.method == "initialize" and not self._stateless:
            self.version = methods.version_in(reply) or ""
            self.noticed = methods.noticed_in(reply)
        elif reply.method == "tools/list":
            result = reply.tree["result"]
            listed = result.get("tools") if isinstance(result, dict) else None
            if isinstance(listed, list):
                self.tools.learn(listed)
