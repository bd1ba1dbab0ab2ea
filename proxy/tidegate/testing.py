"""The test kit for authors of interceptors: real messages, a real pipeline, and no mocks.

A test of an interceptor puts it into a :func:`harness`, lets it judge messages, and says what should come of it::

    async def test_a_codename_does_not_leave() -> None:
        async with harness(Codenames, {"words": ["bluebird"]}) as h:
            decision = await h.judge(request("tools/call", {"name": "send", "arguments": {"text": "bluebird"}}))
            assert_denied(decision, rule="codename")

It needs nothing but Tidegate, and works under any test runner that can run a coroutine.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate import corpus, methods, plugins, settings, values, wire, workers
from tidegate.flow import Client, Flow, Principal, Server
from tidegate.pipeline import Pipeline
from tidegate.session import Session
from tidegate.settings import SettingsError
from tidegate.verdict import CODES, Decision, Deny, Step
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from tidegate.message import Id, Message, Sender

__all__ = [
    "Clock",
    "Harness",
    "Rejected",
    "Sample",
    "SettingsError",
    "assert_denied",
    "assert_passes",
    "assert_redacted",
    "error_of",
    "flow",
    "harness",
    "notification",
    "parse",
    "request",
    "result_of",
    "samples",
    "session",
]


def parse(text: str | bytes, sender: Sender = "client") -> Message:
    """Return the message that a JSON text is, read by Tidegate's own strict parser.

    Args:
        text: one JSON-RPC message.
        sender: who sent it.

    Raises:
        Rejected: where it is no message.
    """
    return wire.parse(text.encode() if isinstance(text, str) else text, sender)


def _message(tree: Mapping[str, Any], sender: Sender) -> Message:
    return wire.parse(values.encode(values.thaw({"jsonrpc": "2.0", **tree})), sender)


def _sender(method: str) -> Sender:
    """Return who sends a method: the client, but for what only a server sends."""
    known = methods.METHODS.get(method)
    return "server" if known and known.server and not known.client else "client"


def request(
    method: str,
    params: Mapping[str, Any] | None = None,
    id: Id = 1,  # noqa: A002 - JSON-RPC's own word
    *,
    sender: Sender | None = None,
    **extra: Any,
) -> Message:
    """Return a request.

    Args:
        method: its method, known or not.
        params: its params; no such member if ``None``.
        id: its id.
        sender: who sent it; by default who may send this method, the client if both may.
        extra: further top-level members.
    """
    tree = {"id": id, "method": method, **({} if params is None else {"params": params}), **extra}
    return _message(tree, sender or _sender(method))


def notification(
    method: str, params: Mapping[str, Any] | None = None, *, sender: Sender | None = None, **extra: Any
) -> Message:
    """Return a notification; see :func:`request`."""
    tree = {"method": method, **({} if params is None else {"params": params}), **extra}
    return _message(tree, sender or _sender(method))


def _reply(asked: Message, tree: dict[str, Any]) -> Message:
    other: Sender = "server" if asked.sender == "client" else "client"
    return _message({"id": asked.id, **tree}, other).answering(asked.method)


def result_of(asked: Message, result: Any, **extra: Any) -> Message:
    """Return the result that answers a request.

    Args:
        asked: the request.
        result: the member ``result``, any JSON value.
        extra: further top-level members.
    """
    return _reply(asked, {"result": result, **extra})


def error_of(asked: Message, code: int = -32603, message: str = "Internal error", data: Any = None) -> Message:
    """Return the error that answers a request; without ``data`` if that is ``None``."""
    error = {"code": code, "message": message, **({} if data is None else {"data": data})}
    return _reply(asked, {"error": error})


class Clock:
    """A clock that stands still until it is told to go on, for what depends on time.

    Attributes:
        now: what it shows, in seconds.
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return what it shows."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def session(clock: Clock | None = None, id: str = "test") -> Session:  # noqa: A002 - the attribute's own name
    """Return the empty memory of a conversation, on a clock of the test's."""
    clock = clock or Clock()
    return Session(id, clock.now, clock)


_CLIENT = Client("tests", "1")


def flow(  # noqa: PLR0913 - one argument per attribute of Flow, all by name
    message: Message | None = None,
    *,
    server: str | Server = "server",
    principal: str | Principal = "anonymous",
    client: Client = _CLIENT,
    version: str = methods.MODERN,
    tool: Mapping[str, Any] | None = None,
    request: Message | None = None,
    session: Session | None = None,
    profile: str = "",
) -> Flow:
    """Return the context of a message.

    Args:
        message: the message; its targets become the flow's.
        server: the server, or its name.
        principal: who the client is, or its name.
        client: what the client says of itself.
        version: the MCP version in force.
        tool: the definition of the tool being called.
        request: for a reply, the request it answers; its targets become the flow's.
        session: what is remembered of the conversation; nothing by default.
        profile: the profile through whose endpoint the client comes.
    """
    about = request or message
    return Flow(
        f"test-{next(_numbers)}",
        Server(server) if isinstance(server, str) else server,
        Principal(principal) if isinstance(principal, str) else principal,
        client,
        version,
        methods.targets(about) if about else (),
        values.freeze(values.thaw(tool)) if tool is not None else None,
        request,
        session or _session(),
        profile,
    )


_session = session  # the argument of flow() hides the function
_numbers = itertools.count(1)


@dataclass(slots=True)
class Harness:
    """One interceptor in a running pipeline.

    Attributes:
        interceptor: the instance that the loader made.
        pipeline: the pipeline, for what the methods here don't do.
        decision: what was decided last.
    """

    interceptor: Any
    pipeline: Pipeline
    decision: Decision | None = field(default=None)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What the hooks did about the last message, in order."""
        return self.decision.steps if self.decision else ()

    async def judge(self, message: Message, flow: Flow | None = None, *, explain: bool = False) -> Decision:
        """Let the interceptor judge a message.

        Args:
            message: the message.
            flow: its context; by default that of :func:`flow`.
            explain: go on after a deny, and add the steps of ``observe``.
        """
        self.decision = await self.pipeline.judge(message, flow or _flow(message), explain=explain)
        return self.decision


_flow = flow  # the argument of judge() hides the function


def _server_settings(server: Server) -> dict[str, Any]:
    how: dict[str, dict[str, Any]] = {
        "process": {"command": ["true"]},
        "container": {"image": "example", "pull": "tag-ok"},
        "remote": {"url": "https://example.com/mcp"},
    }
    return {**how[server.kind], "trust": server.trust, "labels": server.labels}


@asynccontextmanager
async def harness(
    interceptor: type | str,
    config: Mapping[str, Any] | None = None,
    *,
    servers: Iterable[str | Server] = ("server",),
    principals: Iterable[str] = (),
    folder: Path | None = None,
    **entry: Any,
) -> AsyncIterator[Harness]:
    """Load, start and, at the end, stop an interceptor, as Tidegate itself does.

    Args:
        interceptor: its class, or the name of its entry point.
        config: its own settings.
        servers: the servers of the settings, or their names; none is started.
        principals: the names in ``[auth] tokens``.
        folder: where relative paths in its settings start from; by default one that is removed at the end.
        entry: what else its entry in the settings has: ``name``, ``required``, ``report_only``,
            ``deadline``, ``when``.

    Raises:
        SettingsError: where Tidegate wouldn't start with it.
    """
    use = interceptor if isinstance(interceptor, str) else interceptor.__name__.lower()
    extra = {} if isinstance(interceptor, str) else {use: interceptor}
    listed = [Server(server) if isinstance(server, str) else server for server in servers]
    tokens = [{"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest()} for name in principals]
    tree = {
        "auth": {"tokens": tokens},
        "servers": {server.name: _server_settings(server) for server in listed},
        "interceptors": [{**(config or {}), **entry, "use": use}],
    }
    with contextlib.ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-")))
        built = settings.build(tree, folder=place)
        made = plugins.load(built, extra)
        pipeline = Pipeline(made)
        await pipeline.start(built)
        try:
            yield Harness(made[0].instance, pipeline)
        finally:
            await pipeline.stop()
            await workers.close()


def _told(decision: Decision) -> str:
    """Say what a decision is, for a failed assertion: verdict, effects and steps, and nothing of the message."""
    lines = [f"the verdict is {decision.verdict!r}"]
    lines += [f"  {by}: {effect}" for by, effect in decision.effects]
    lines += [f"  {by}: {effect} (report_only)" for by, effect in decision.reported]
    lines += [f"  {step.by} {step.hook}: {step.outcome}" for step in decision.steps]
    return "\n".join(lines)


def assert_passes(decision: Decision) -> Message:
    """Assert that a message goes on, not redacted, and return it as it goes on."""
    assert decision.verdict == "allow", f"expected a pass, but {_told(decision)}"
    assert decision.message is not None, "expected a message, but the decision is about an event"
    return decision.message


def assert_denied(decision: Decision, *, code: str = "denied", rule: str | None = None) -> Deny:
    """Assert that a message is denied, and return the deny that stopped it.

    Args:
        decision: what was decided.
        code: the deny's code. By default an interceptor's own deny: one that failed or was late (``broken``,
            ``late``) denies too, and a test should not take the one for the other.
        rule: the deny's rule, if it matters.
    """
    assert code in CODES, f"there is no deny code {code!r}"
    stopper = decision.stopper
    assert stopper is not None, f"expected a deny, but {_told(decision)}"
    deny = stopper[1]
    assert isinstance(deny, Deny), f"expected a deny, but {_told(decision)}"
    assert deny.code == code, f"expected the code {code!r}, but {_told(decision)}"
    assert rule in (None, deny.rule), f"expected the rule {rule!r}, but {_told(decision)}"
    return deny


def assert_redacted(decision: Decision, pointer: str | None = None, *, label: str | None = None) -> Message:
    """Assert that a message goes on redacted, and return it as it goes on.

    Args:
        decision: what was decided.
        pointer: the JSON Pointer of a string that must have been redacted.
        label: the label that must stand there, as in ``[redacted:LABEL]``.
    """
    assert decision.verdict == "redact", f"expected a redaction, but {_told(decision)}"
    assert decision.message is not None, "expected a message, but the decision is about an event"
    redacted = [edit.pointer for edit in decision.message.edits]
    assert pointer is None or pointer in redacted, f"expected a redaction at {pointer}, not at {redacted}"
    marker = "[redacted:" if label is None else f"[redacted:{label}]"
    for where in redacted if pointer is None else (pointer,):
        text = decision.message.get(where)
        if isinstance(text, str) and marker in text:
            return decision.message
    raise AssertionError(f"expected the marker {marker} at {pointer or ' or '.join(redacted)}")


class Sample(NamedTuple):
    """One message of :func:`samples` with its context."""

    message: Message
    flow: Flow

    def __str__(self) -> str:
        """Return who says what in which version: a name for a test."""
        return f"{self.flow.version} {self.message.sender} {self.message.method} {self.message.kind}"


def samples(version: str | None = None) -> Iterator[Sample]:
    """Yield one message per method and notification of MCP in each direction it is sent, and each one's replies.

    So an interceptor can be shown everything that it may ever see: requests, their results and errors, and
    notifications, from clients and from servers.

    Args:
        version: the messages of this version; by default each in the latest version that has it.

    Raises:
        ValueError: for a version that doesn't exist.
    """
    if version is not None and version not in methods.VERSIONS:
        raise ValueError(f"no version {version!r}; there are {', '.join(methods.VERSIONS)}")
    for method in methods.METHODS.values():
        senders: tuple[tuple[Sender, tuple[str, ...]], ...] = (("client", method.client), ("server", method.server))
        for sender, versions in senders:
            chosen = version or (versions[-1] if versions else "")
            if chosen in versions:
                yield from _samples(method, sender, chosen)


def _samples(method: methods.Method, sender: Sender, version: str) -> Iterator[Sample]:
    params = corpus.params(method, version) or None
    if not method.request:
        said = notification(method.name, params, sender=sender)
        yield Sample(said, flow(said, version=version))
        return
    asked = request(method.name, params, sender=sender)
    yield Sample(asked, flow(asked, version=version))
    for reply in (result_of(asked, corpus.result(method, version)), error_of(asked)):
        yield Sample(reply, flow(reply, version=version, request=asked))
