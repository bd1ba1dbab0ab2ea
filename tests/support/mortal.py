"""A server that remembers what it was told, and dies or hangs when it is told to; and sessions in front of it."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from support.pipes import HTTP, told
from support.polite import INITIALIZE, LEGACY, META
from support.rig import Entry, encoded, running_core
from support.web import PATIENCE
from tidegate.breaker import Pauses
from tidegate.ends.http1 import HttpClient
from tidegate.flow import Principal
from tidegate.pool import Pace
from tidegate.relay import Relay
from tidegate.sessions import Entry as Session
from tidegate.sessions import Sessions
from tidegate.upstream import Context

# Arguments: a file whose text is the protocol version to agree on, or "". What it does is said by the tool called.
SERVER = """
import json, os, sys, time
version = sys.argv[1]
knows = {"pid": os.getpid(), "told": [], "calls": 0}
asked = 0
def say(**tree):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **tree}) + "\\n")
    sys.stdout.flush()
def called(name, message):
    global asked
    knows["calls"] += 1
    if name == "die":
        os._exit(3)
    if name == "hang":
        while True:
            time.sleep(60)
    if name == "mute":
        return
    if name == "change":
        say(method="notifications/tools/list_changed")
    if name == "ask":
        asked += 1
        say(id=asked, method="sampling/createMessage", params={"_meta": {"progressToken": asked}})
        heard = []
        while True:
            reply = json.loads(sys.stdin.readline())
            heard.append(reply)
            if reply.get("id") == asked and "method" not in reply:
                break
        say(id=message["id"], result={**knows, "heard": heard})
        return
    say(id=message["id"], result={**knows, "echo": message["params"].get("arguments")})
for line in sys.stdin:
    message = json.loads(line)
    method = message.get("method", "")
    if method not in ("ping", "tools/call"):
        knows["told"].append([method, message.get("params")])
    if method == "tools/call":
        called(message["params"]["name"], message)
    elif method == "initialize":
        agreed = open(version).read() if version else message["params"]["protocolVersion"]
        if agreed == "silent":
            continue
        if agreed == "none":
            say(id=message["id"], error={"code": -32602, "message": "no"})
            continue
        say(id=message["id"], result={"protocolVersion": agreed, "capabilities": {}, "by": os.getpid(),
            "serverInfo": {"name": "mortal", "version": "1"}})
    elif "id" in message and method:
        say(id=message["id"], result={"by": os.getpid()})
"""
CI, DEV = Principal("ci", "token"), Principal("dev", "token")
QUICK = Pace(ping_within=0.3, ready_within=5.0, early=0.0, pauses=Pauses(first=0.01))
_ids = itertools.count(100)


def mortal(version: str = "", **settings: Any) -> dict[str, Any]:
    """Return the settings of one; without a sandbox, in which all of them would have the same process ID."""
    return {"command": [sys.executable, "-I", "-S", "-c", SERVER, version], "sandbox": "none", **settings}


class Talk:
    """One client's session, or a principal's place without one."""

    def __init__(self, sessions: Sessions, session: Session, principal: Principal) -> None:
        self.sessions = sessions
        self.session = session
        self.principal = principal

    @property
    def relay(self) -> Relay:
        """Its relay."""
        assert isinstance(self.session.relay, Relay)
        return self.session.relay

    @property
    def live(self) -> bool:
        """Whether the session can still be found."""
        identity = self.relay.flows.session_id
        return self.sessions.find("server", identity, self.principal) is self.session

    async def say(self, tree: Any, context: Context = HTTP) -> list[Any]:
        """Send a message; return all that comes as its answer."""
        async with asyncio.timeout(PATIENCE):
            with self.session as relay:
                return await told(await relay.accept(encoded(tree), context))

    async def begin(self, identity: Any = 0, version: str = LEGACY, **capabilities: Any) -> Any:
        """Begin the session; return the server's answer."""
        params = {**INITIALIZE["params"], "protocolVersion": version, "capabilities": capabilities}
        [said] = await self.say({"id": identity, "method": "initialize", "params": params})
        await self.say({"method": "notifications/initialized"})
        return said

    async def call(self, name: str = "recall", identity: Any = None, **params: Any) -> Any:
        """Call a tool; return the message that answers."""
        mark = {"mark": next(_ids)}
        identity = mark["mark"] if identity is None else identity
        said = await self.say(
            {"id": identity, "method": "tools/call", "params": {"name": name, "arguments": mark, **params}}
        )
        replies = [message for message in said if "method" not in message]
        assert [message["id"] for message in replies] == [identity], "one answer, and that is its own"
        assert replies[0].get("result", {}).get("echo", mark) == mark
        return replies[0]

    async def recall(self) -> Any:
        """Return what the server knows."""
        return (await self.call())["result"]

    async def leave(self) -> None:
        """End the session."""
        await self.sessions.drop("server", self.relay.flows.session_id)


class House:
    """A Tidegate's sessions in front of one server.

    Attributes:
        sessions: they.
    """

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions

    def session(self, principal: Principal = CI) -> Talk:
        """Return a session that has yet to begin."""
        made = self.sessions.new("server", principal)
        self.sessions.register("server", made)
        return Talk(self.sessions, made, principal)

    async def begun(self, principal: Principal = CI, **capabilities: Any) -> Talk:
        """Return a session that has begun."""
        talk = self.session(principal)
        assert "result" in await talk.begin(**capabilities)
        return talk

    def stateless(self, principal: Principal = CI) -> Talk:
        """Return a principal's place without a session."""
        return Talk(self.sessions, self.sessions.stateless("server", principal), principal)

    @property
    def pids(self) -> set[int]:
        """The processes that run."""
        return {listed.pid for listed in self.sessions.fleet.listed() if listed.pid is not None}

    def states(self) -> list[str]:
        """The states of what runs."""
        return [listed.state for listed in self.sessions.fleet.listed()]


@asynccontextmanager
async def house(
    *entries: Entry, server: Mapping[str, Any] | None = None, pace: Pace = QUICK, **tree: Any
) -> AsyncIterator[House]:
    """Run sessions in front of one server, ``server``, until the block ends; then nothing of it runs any more."""
    async with running_core(*entries, servers={"server": dict(server or mortal())}, **tree) as core:
        client = HttpClient()
        sessions = Sessions(core, client, pace)
        try:
            yield House(sessions)
        finally:
            await sessions.close()
            await client.close()
            assert not sessions.fleet.listed()


def modern(name: str = "recall", identity: Any = 1) -> dict[str, Any]:
    """Return a call of a tool by a client without sessions."""
    return {"id": identity, "method": "tools/call", "params": {"name": name, "arguments": {}, "_meta": META}}
