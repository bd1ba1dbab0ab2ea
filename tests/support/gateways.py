"""The gateway in this process, in front of toy servers, and clients of both eras for it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from support.rig import Entry, encoded, new_id, running_core
from support.toys import LEGACY, Toy
from support.web import PATIENCE
from tidegate import endpoints, methods
from tidegate.ends.http1 import HttpClient
from tidegate.flow import Principal
from tidegate.gateway.front import Front
from tidegate.gateway.session_front import SessionFront
from tidegate.gateway.stateless_front import StatelessFront
from tidegate.sessions import Entry as Session
from tidegate.sessions import Sessions
from tidegate.streams import Outs, Reply
from tidegate.upstream import Context

CI, DEV = Principal("ci", "token"), Principal("dev", "token")
HTTP = Context(http=True)
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
MISSING = "io.tidegate/missing"


def said(reply: Any) -> str:
    """Return the text of a call's result."""
    shown: str = reply["result"]["content"][0]["text"]
    return shown


def names(reply: Any, member: str = "tools") -> list[str]:
    """Return the names, or URIs, of a list's items."""
    key = {"resources": "uri", "resourceTemplates": "uriTemplate"}.get(member, "name")
    return [item[key] for item in reply["result"][member]]


def missing(reply: Any) -> dict[str, str]:
    """Return which servers a result is without, and why."""
    return {each["server"]: each["reason"] for each in reply["result"].get("_meta", {}).get(MISSING, ())}


class Talk:
    """A client of the gateway's: of a session, or of a principal's without sessions.

    Attributes:
        sent: all bytes that the client got, in order.
    """

    def __init__(self, entry: Session, *, declared: Mapping[str, Any] | None = None, version: str = "") -> None:
        self.entry = entry
        self.version = version
        self.declared = dict(declared or {})
        self.sent: list[bytes] = []
        self.identity = ""
        self._own: Outs | None = None

    @property
    def front(self) -> Front:
        """What answers it."""
        assert isinstance(self.entry.relay, Front)
        return self.entry.relay

    @property
    def modern(self) -> bool:
        """Whether the client is one of 2026-07-28."""
        return self.version == methods.MODERN

    def meta(self) -> dict[str, Any]:
        """Return the ``_meta`` that its requests must have."""
        if not self.modern:
            return {}
        return {"_meta": {methods.VERSION_KEY: methods.MODERN, CAPABILITIES: self.declared}}

    async def send(self, tree: Any, context: Context = HTTP) -> list[Any]:
        """Send a message; return all that the client gets for it."""
        return [each async for each in self.streamed(await self.accept(tree, context))]

    async def accept(self, tree: Any, context: Context = HTTP) -> Reply:
        """Send a message; return the reply as it is."""
        data = tree if isinstance(tree, bytes) else encoded(tree)
        async with asyncio.timeout(PATIENCE):
            with self.entry as relay:
                return await relay.accept(data, context)

    async def streamed(self, reply: Reply) -> AsyncIterator[Any]:
        """Yield the messages of a reply."""
        if reply.body is not None:
            self.sent.append(reply.body)
            yield json.loads(reply.body)
        if reply.events is not None:
            async with asyncio.timeout(PATIENCE), contextlib.aclosing(reply.events) as events:
                async for out in events:
                    if out.data is not None:
                        self.sent.append(out.data)
                        yield json.loads(out.data)

    def request(self, method: str, identity: Any = None, /, **params: Any) -> dict[str, Any]:
        """Return a request of this client's."""
        meta = {**params.pop("_meta", {}), **self.meta().get("_meta", {})}
        tree: dict[str, Any] = {"id": new_id() if identity is None else identity, "method": method}
        return {**tree, "params": {**params, "_meta": meta} if meta else params}

    async def ask(self, method: str, identity: Any = None, /, **params: Any) -> Any:
        """Send a request; return the last that the client gets for it."""
        return (await self.send(self.request(method, identity, **params)))[-1]

    async def call(self, name: str, **arguments: Any) -> Any:
        """Call a tool."""
        return await self.ask("tools/call", name=name, arguments=arguments)

    async def tell(self, method: str, **params: Any) -> list[Any]:
        """Send a notification."""
        return await self.send({"method": method, "params": params})

    async def listed(self, member: str = "tools") -> list[str]:
        """Return the names, or URIs, of a whole list."""
        method = {"resourceTemplates": "resources/templates"}.get(member, member)
        reply = await self.ask(f"{method}/list")
        found = names(reply, member)
        while "nextCursor" in reply["result"]:
            reply = await self.ask(f"{method}/list", cursor=reply["result"]["nextCursor"])
            found += names(reply, member)
        return found

    async def own(self) -> Any:
        """Return the next message on the client's own stream."""
        if self._own is None:
            reply = await self.front.listen(None, HTTP)
            assert reply.events is not None
            self._own = reply.events
        async with asyncio.timeout(PATIENCE):
            async for out in self._own:
                if out.data is not None:
                    self.sent.append(out.data)
                    return json.loads(out.data)
        return None

    async def told(self, method: str) -> Any:
        """Return the next message of a method on the client's own stream."""
        while (found := await self.own()) is not None:
            if found.get("method") == method:
                return found
        raise AssertionError(f"the stream ended without {method}")

    async def close(self) -> None:
        """Stop listening."""
        if self._own is not None:
            await self._own.aclose()


class Gateway:
    """The gateway, and the means to become its client."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.core = sessions.core
        self.talks: list[Talk] = []

    async def open(
        self,
        principal: Principal = CI,
        profile: str = "",
        *,
        version: str = LEGACY,
        declared: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> tuple[Talk, Any]:
        """Begin a session; return the client, and the reply to its ``initialize``."""
        endpoint = endpoints.gateway(profile)
        entry = self.sessions.new(endpoint, principal)
        talk = Talk(entry, declared=declared, version=version)
        self.talks.append(talk)
        info = {"name": "client", "version": "1"}
        params = {"protocolVersion": version, "capabilities": talk.declared, "clientInfo": info, **more}
        reply = await talk.ask("initialize", **params)
        if "result" in reply:
            talk.identity = self.sessions.register(endpoint, entry)
            await talk.tell("notifications/initialized")
        return talk, reply

    async def session(self, principal: Principal = CI, profile: str = "", **more: Any) -> Talk:
        """Begin a session; return the client."""
        talk, reply = await self.open(principal, profile, **more)
        assert "result" in reply, reply
        assert isinstance(talk.front, SessionFront)
        return talk

    def stateless(
        self, principal: Principal = CI, profile: str = "", *, declared: Mapping[str, Any] | None = None
    ) -> Talk:
        """Return a client of 2026-07-28."""
        talk = Talk(
            self.sessions.stateless(endpoints.gateway(profile), principal), declared=declared, version=methods.MODERN
        )
        assert isinstance(talk.front, StatelessFront)
        self.talks.append(talk)
        return talk

    async def client(self, version: str, principal: Principal = CI, profile: str = "", **more: Any) -> Talk:
        """Return a client of a version."""
        if version == methods.MODERN:
            return self.stateless(principal, profile, **more)
        return await self.session(principal, profile, version=version, **more)


@asynccontextmanager
async def gateway(*entries: Entry, toys: Iterable[Toy], **tree: Any) -> AsyncIterator[Gateway]:
    """Run the gateway in front of toy servers until the block ends.

    Args:
        entries: the interceptors.
        toys: the servers, in the order of the settings.
        tree: the rest of the settings.
    """
    async with contextlib.AsyncExitStack() as stack:
        for toy in toys:
            await stack.enter_async_context(toy)
        servers = {toy.name: toy.settings for toy in toys} | tree.pop("servers", {})
        core = await stack.enter_async_context(running_core(*entries, servers=servers, **tree))
        client = HttpClient()
        stack.push_async_callback(client.close)
        made = Gateway(Sessions(core, client))
        stack.push_async_callback(made.sessions.close)
        yield made
        for talk in made.talks:
            await talk.close()
