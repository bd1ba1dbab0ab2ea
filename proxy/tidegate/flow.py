"""What an interceptor is told beside the message: who talks to whom, about what, in which conversation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tidegate.quick import quick

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.message import Message
    from tidegate.methods import Target
    from tidegate.session import Session

ServerKind = Literal["process", "container", "remote"]
Auth = Literal["none", "token"]


@dataclass(frozen=True, slots=True)
class Server:
    """The server of a flow, as the settings describe it; nothing of it is the server's own word."""

    name: str
    kind: ServerKind = "process"
    trust: Literal["low", "high"] = "low"
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who the client is, by its token; ``anonymous`` where no tokens are configured.

    Attributes:
        name: the token's name in the settings.
        auth: how that is known.
        roles: the token's roles.
        profile: the profile that the token is for and nothing else; ``""`` where it is for all.
    """

    name: str = "anonymous"
    auth: Auth = "none"
    roles: tuple[str, ...] = ()
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """What the client says of itself: for the record, never for a decision about trust."""

    name: str = ""
    version: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Flow:
    """The context of one message.

    Attributes:
        id: shared by a request, its reply and what belongs to them; unique within a run of Tidegate.
        server: the server at one end.
        principal: who is at the other end.
        client: what that client says of itself.
        version: the MCP version in force, ``""`` while it isn't known.
        targets: the tools, prompts or resources the message is about; for a reply, its request's.
        tool: the definition of the tool being called as last listed by the server, deeply frozen.
        request: when a reply is judged, the request it answers.
        session: what is remembered of the conversation.
        profile: the profile through whose endpoint it comes or goes; ``""`` for none.
    """

    id: str
    server: Server
    principal: Principal = Principal()
    client: Client = Client()
    version: str = ""
    targets: tuple[Target, ...] = ()
    tool: Mapping[str, Any] | None = None
    request: Message | None = None
    session: Session | None = field(default=None, compare=False)
    profile: str = ""
