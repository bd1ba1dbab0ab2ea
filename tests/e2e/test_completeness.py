"""Nothing crosses unjudged: every method and notification of every version, in both directions, over every transport.

Each message, and each reply, is sent three times over: once it passes, and a decider must have seen it; once a decider
denies it, and the other side must not get it; and for a request once more with its reply denied.
"""

import copy
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support.played_clients import Client, playing
from support.played_servers import SERVERS, Got
from support.rig import Entry, entry
from support.web import front, until
from tidegate import Deny, Message, corpus, methods
from tidegate.methods import MODERN, SUBSCRIPTION_KEY, VERSIONS, Method

pytestmark = pytest.mark.requirement("nothing-unjudged")

LEGACY = VERSIONS[:-1]
CLIENTS = ("http", "sse", "stdio")
MARK = "marked-9d1f"  # in what must not arrive
SENTINEL = "notifications/x-sentinel"
HANDSHAKE = ("initialize", "notifications/initialized")


class Gate:
    """A decider that counts all it sees, and denies what it is told to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str | None]] = []
        self.denied: Callable[[Message], bool] = lambda _message: False

    def entry(self) -> Entry:
        return entry(decide=self._decide)

    def _decide(self, message: Message, *_: Any) -> Deny | None:
        self.seen.append((message.sender, message.kind, message.method))
        return Deny("Denied by the test.") if self.denied(message) else None

    def deny(self, sender: str, method: str, *kinds: str) -> None:
        """Deny messages of a sender, method and kinds from now on."""
        self.denied = lambda message: (message.sender, message.method) == (sender, method) and message.kind in kinds

    def deny_nothing(self) -> None:
        self.denied = lambda _message: False


class Play:
    """One client and one server of one version, with Tidegate in between."""

    def __init__(self, client: Client, server: Any, gate: Gate, version: str) -> None:
        self.client = client
        self.server = server
        self.gate = gate
        self.version = version
        self._ids = itertools.count(100)

    @property
    def modern(self) -> bool:
        return methods.is_modern(self.version)

    def request(self, method: Method, sender: str) -> dict[str, Any]:
        """Return a request, with an id that nobody else has."""
        params = copy.deepcopy(corpus.params(method, self.version))
        if method.name == "tools/list":  # SDKs and servers both leave the cursor out as a rule
            params = {key: value for key, value in params.items() if key != "cursor"}
        identity = next(self._ids) if sender == "client" else f"s{next(self._ids)}"
        return {"id": identity, "method": method.name, **({"params": params} if params else {})}

    def notification(self, method: Method) -> dict[str, Any]:
        params = copy.deepcopy(corpus.params(method, self.version))
        return {"method": method.name, **({"params": params} if params else {})}

    def result(self, method: Method) -> dict[str, Any]:
        return {**corpus.result(method, self.version), "x": MARK}

    async def expect(self, sender: str, kind: str, method: str) -> None:
        """See that the decider saw a message since the last time."""
        await until(lambda: (sender, kind, method) in self.gate.seen)
        self.gate.seen.clear()

    # -- what a client sends --------------------------------------------------------------------------------

    async def client_request(self, method: Method, reply: dict[str, Any]) -> None:
        """Have the client ask and the server answer; each must be judged."""
        asked = self.request(method, "client")
        await self.client.send(asked)
        got = await self.server.next()
        assert (got.tree["method"], got.tree.get("params")) == (method.name, asked.get("params"))
        await self.expect("client", "request", method.name)
        await got.answer({"id": got.tree["id"], **reply})
        answer = await self.client.next()
        assert answer == {"jsonrpc": "2.0", "id": asked["id"], **reply}
        await self.expect("server", "result" if "result" in reply else "error", method.name)

    async def client_request_denied(self, method: Method) -> None:
        self.gate.deny("client", method.name, "request")
        asked = self.request(method, "client")
        await self.client.send(asked)
        answer = await self.client.next()
        assert answer["id"] == asked["id"]
        assert "error" in answer or answer["result"]["isError"]
        await self.expect("client", "request", method.name)
        self.gate.deny_nothing()

    async def reply_to_client_denied(self, method: Method, reply: dict[str, Any]) -> None:
        self.gate.deny("server", method.name, "result", "error")
        asked = self.request(method, "client")
        await self.client.send(asked)
        got = await self.server.next()
        await got.answer({"id": got.tree["id"], **reply})
        answer = await self.client.next()
        assert answer["id"] == asked["id"]
        assert answer["error"]["data"]["code"] == "denied"
        assert MARK not in str(answer)
        self.gate.seen.clear()
        self.gate.deny_nothing()

    async def client_notification(self, method: Method) -> None:
        told = self.notification(method)
        await self.client.send(told)
        got = await self.server.next()
        assert got.tree == {"jsonrpc": "2.0", **told}
        await self.expect("client", "notification", method.name)
        self.gate.deny("client", method.name, "notification")
        await self.client.send(told)
        await self.client.send({"method": SENTINEL})
        assert (await self.server.next()).tree["method"] == SENTINEL
        await self.expect("client", "notification", method.name)
        self.gate.deny_nothing()

    # -- what a server sends --------------------------------------------------------------------------------

    async def server_request(self, method: Method, reply: dict[str, Any], say: Callable[[Any], Any]) -> None:
        """Have the server ask and the client answer; then deny the one, then the other."""
        kind = "result" if "result" in reply else "error"
        asked = self.request(method, "server")
        await say(asked)
        assert await self.client.next() == {"jsonrpc": "2.0", **asked}
        await self.expect("server", "request", method.name)
        await self.client.send({"id": asked["id"], **reply})
        assert (await self.server.next()).tree == {"jsonrpc": "2.0", "id": asked["id"], **reply}
        await self.expect("client", kind, method.name)

        self.gate.deny("server", method.name, "request")
        asked = self.request(method, "server")
        await say(asked)
        refused = (await self.server.next()).tree
        assert (refused["id"], refused["error"]["data"]["code"]) == (asked["id"], "denied")
        await self.expect("server", "request", method.name)
        await self.nothing_came(say)

        self.gate.deny("client", method.name, kind)
        asked = self.request(method, "server")
        await say(asked)
        await self.client.next()
        await self.client.send({"id": asked["id"], **reply})
        refused = (await self.server.next()).tree
        assert (refused["id"], refused["error"]["data"]["code"]) == (asked["id"], "denied")
        assert MARK not in str(refused)
        await self.expect("client", kind, method.name)
        self.gate.deny_nothing()

    async def server_notification(self, told: dict[str, Any], say: Callable[[Any], Any]) -> None:
        method = told["method"]
        await say(told)
        assert (await self.client.next())["method"] == method
        await self.expect("server", "notification", method)
        self.gate.deny("server", method, "notification")
        await say(told)
        await self.nothing_came(say)
        self.gate.deny_nothing()

    async def nothing_came(self, say: Callable[[Any], Any]) -> None:
        """See that the next thing the client gets is what is sent now."""
        await say({"method": SENTINEL, **self._tag})
        assert (await self.client.next())["method"] == SENTINEL
        self.gate.seen.clear()

    _tag: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed

    # -- the whole of a version ---------------------------------------------------------------------------------

    async def handshake(self) -> None:
        """Begin a session, with either message of the handshake denied first."""
        initialize, initialized = (methods.METHODS[name] for name in HANDSHAKE)
        await self.client_request_denied(initialize)
        await self.reply_to_client_denied(initialize, {"result": self.result(initialize)})
        await self.client_request(initialize, {"result": self.result(initialize)})
        self.gate.deny("client", initialized.name, "notification")
        await self.client.send({"method": initialized.name})
        await self.expect("client", "notification", initialized.name)
        self.gate.deny_nothing()
        await self.client.send({"method": initialized.name})
        assert (await self.server.next()).tree == {"jsonrpc": "2.0", "method": initialized.name}
        await self.expect("client", "notification", initialized.name)

    async def all_of_the_clients(self, *, leave_out: tuple[str, ...]) -> None:
        for method in sent_by("client", self.version):
            if method.name in HANDSHAKE or method.name in leave_out:
                continue
            if not method.request:
                await self.client_notification(method)
                continue
            for reply in ({"result": self.result(method)}, {"error": {"code": -32000, "message": MARK}}):
                await self.client_request(method, reply)
                await self.reply_to_client_denied(method, reply)
            await self.client_request_denied(method)

    async def all_of_the_servers(self, say: Callable[[Any], Any], tag: dict[str, Any]) -> None:
        """Have the server say everything on one stream.

        Args:
            say: sends a message on that stream.
            tag: what the params of each must have to belong to it.
        """
        self._tag = {"params": tag} if tag else {}
        for method in sent_by("server", self.version):
            if not method.request:
                told = self.notification(method)
                told["params"] = {**told.get("params", {}), **tag}
                await self.server_notification(told, say)
                continue
            for reply in ({"result": self.result(method)}, {"error": {"code": -32000, "message": MARK}}):
                await self.server_request(method, reply, say)

    async def all_on_the_stream_of_an_answer(self) -> None:
        """Have the server say everything before it answers one request: a subscription's, in the version with them."""
        carrier = methods.METHODS["subscriptions/listen" if self.modern else "tools/call"]
        asked = self.request(carrier, "client")
        asked["params"].setdefault("_meta", {})["progressToken"] = "p-1"
        await self.client.send(asked)
        got: Got = await self.server.next()
        if got.can_say:
            meta = got.tree["params"]["_meta"]
            tag = (
                {"_meta": {SUBSCRIPTION_KEY: got.tree["id"]}, "progressToken": meta["progressToken"]}
                if self.modern
                else {}
            )
            await self.all_of_the_servers(got.say, tag)
        await got.answer({"id": got.tree["id"], "result": {}})
        assert (await self.client.next())["id"] == asked["id"]
        self.gate.seen.clear()


def sent_by(sender: str, version: str) -> Iterator[Method]:
    for method in methods.METHODS.values():
        if version in (method.client if sender == "client" else method.server):
            yield method


@asynccontextmanager
async def play(client_kind: str, server_kind: str, version: str) -> AsyncIterator[Play]:
    gate = Gate()
    async with (
        SERVERS[server_kind]() as server,
        front(gate.entry(), server=server.settings, proxy={"deny_as": "error"}) as running,
        playing(client_kind, running) as client,
    ):
        yield Play(client, server, gate, version)


PAIRS = [(client, server, version) for client in CLIENTS for server in SERVERS for version in LEGACY]


@pytest.mark.parametrize(("client_kind", "server_kind", "version"), PAIRS)
async def test_nothing_of_a_version_with_sessions_crosses_unjudged(
    client_kind: str, server_kind: str, version: str
) -> None:
    async with play(client_kind, server_kind, version) as running:
        await running.handshake()
        await running.all_of_the_clients(leave_out=())
        await running.all_of_the_servers(running.server.say, {})
        if server_kind == "http-sse":
            await running.all_on_the_stream_of_an_answer()
        assert running.server.waiting.empty()
        assert running.client.waiting.empty()


# HTTP+SSE is of the versions with sessions. Over HTTP this version has no notifications/cancelled of the client's:
# closing the stream cancels; in front of a server that is shared it would not say whose request it is about.
MODERN_PAIRS = [(client, server) for client in ("http", "stdio") for server in SERVERS]


@pytest.mark.parametrize(("client_kind", "server_kind"), MODERN_PAIRS)
async def test_nothing_of_the_version_without_sessions_crosses_unjudged(client_kind: str, server_kind: str) -> None:
    shared = client_kind == "http" and server_kind in ("process", "sse")
    async with play(client_kind, server_kind, MODERN) as running:
        await running.all_of_the_clients(leave_out=("notifications/cancelled",) if shared else ())
        await running.all_on_the_stream_of_an_answer()
        assert running.server.waiting.empty()
        assert running.client.waiting.empty()


def test_the_plays_leave_out_no_method_and_no_version() -> None:
    played = {
        (sender, method.name, version)
        for version in VERSIONS
        for sender in ("client", "server")
        for method in sent_by(sender, version)
    }
    known = {
        (sender, method.name, version)
        for method in methods.METHODS.values()
        for sender, versions in (("client", method.client), ("server", method.server))
        for version in versions
    }
    assert played == known
    assert {version for *_, version in PAIRS} | {MODERN} == set(VERSIONS)
    assert all(method.client or method.server for method in methods.METHODS.values())


@pytest.mark.parametrize(("client_kind", "server_kind"), [("http", "http-sse"), ("stdio", "process"), ("sse", "sse")])
async def test_what_no_version_knows_is_judged_like_everything_else(client_kind: str, server_kind: str) -> None:
    async with play(client_kind, server_kind, LEGACY[-1]) as running:
        await running.handshake()
        unknown = Method("vendor/never-heard-of", request=True, client=VERSIONS, server=VERSIONS)
        told = Method("notifications/vendor/never-heard-of", request=False, client=VERSIONS, server=VERSIONS)
        for reply in ({"result": {"x": MARK}}, {"error": {"code": 7, "message": MARK, "odd": None}}):
            await running.client_request(unknown, reply)
            await running.reply_to_client_denied(unknown, reply)
            await running.server_request(unknown, reply, running.server.say)
        await running.client_request_denied(unknown)
        await running.client_notification(told)
        await running.server_notification({"method": told.name, "params": {"a": [None]}}, running.server.say)
