"""``explain``: one message through the pipeline, every step shown."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import output
from tidegate.cli.checking import judging
from tidegate.cli.serving import drive, settings_of

if TYPE_CHECKING:
    from tidegate.flow import Flow, Principal, Server
    from tidegate.message import Message
    from tidegate.settings import Settings
    from tidegate.verdict import Decision

_STYLES = {"allow": "green", "redact": "yellow", "hold": "magenta", "deny": "bold red"}
_OUTCOMES = {"pass": "dim", "finding": "cyan", "edit": "yellow", "redact": "yellow", "hold": "magenta"}


class Side(StrEnum):
    """Who sends a message."""

    client = "client"
    server = "server"


def explain(  # noqa: PLR0913 - a command's options
    file: Annotated[
        str, typer.Argument(help="The message: a file with one JSON-RPC message, or `-` for standard input.")
    ],
    *,
    settings: Annotated[
        Path | None, typer.Option(help="The settings; by default `tidegate.toml` here.", show_default=False)
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="The server's name; may be left out where there is one.", show_default=False)
    ] = None,
    sender: Annotated[
        Side | None,
        typer.Option(
            "--from", help="Who sends it; by default the server for a reply, else the client.", show_default=False
        ),
    ] = None,
    request: Annotated[
        Path | None, typer.Option(help="For a reply: the file with the request it answers.", show_default=False)
    ] = None,
    principal: Annotated[
        str | None, typer.Option(help="Who the client is: a name from `[auth] tokens`.", show_default=False)
    ] = None,
    observe: Annotated[
        bool, typer.Option("--observe", metavar="", help="Run the observers too: they write what they always write.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for a script.")] = False,
) -> None:
    """Run one message through the pipeline and show what every step made of it. Nothing is sent.

    All deciders run, even after a deny. Exit code 0 if the message would go on, 1 if it would be stopped.
    """
    from tidegate import logs, wire  # noqa: PLC0415 - heavy

    logs.setup("console", "warning")
    chosen, _ = settings_of(settings)
    data, asked = _read(file), _read(str(request)) if request else None
    try:
        message = _parsed(data, sender, chosen)
    except wire.Rejected as refused:
        _refused(refused, as_json=as_json)
        raise typer.Exit(output.NOT_WELL) from None
    question = _question(asked, message, str(request)) if asked is not None else None
    flow, message = _flow(chosen, message, question, server, principal)
    decision = drive(_judged(chosen, message, flow, observe=observe))
    answer = _answer(decision, chosen)
    if as_json:
        output.dump(_described(decision, flow, answer))
    else:
        _print(decision, flow, answer)
    if not decision.allowed:
        raise typer.Exit(output.NOT_WELL)


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except FileNotFoundError:
        raise output.Failure(f"{file}: no such file") from None


def _parsed(data: bytes, sender: Side | None, settings: Settings) -> Message:
    """Read the message as the sender's; where none is named, a reply is the server's."""
    from tidegate import wire  # noqa: PLC0415 - heavy

    text = data.strip()  # a file ends in a new line, a message doesn't
    message = wire.parse(text, sender.value if sender else "client", settings.proxy.limits)
    if sender is None and message.is_reply:
        return wire.parse(text, "server", settings.proxy.limits)
    return message


def _question(data: bytes, reply: Message, file: str) -> Message:
    """Read the request that a reply answers.

    Raises:
        Failure: where it is none.
    """
    from tidegate import wire  # noqa: PLC0415 - heavy

    try:
        question = wire.parse(data.strip(), "server" if reply.sender == "client" else "client")
    except wire.Rejected as refused:
        raise output.Failure(f"{file}: {refused.reason}") from None
    if question.kind != "request":
        raise output.Failure(f"{file}: is no request that a reply could answer")
    return question


def _flow(
    settings: Settings, message: Message, question: Message | None, server: str | None, principal: str | None
) -> tuple[Flow, Message]:
    """Return the context of the message, and the message, told its method where it is a reply."""
    from tidegate import flow, methods, session  # noqa: PLC0415 - heavy

    if question is not None:
        if not message.is_reply:
            raise output.Failure("--request is for a reply, and the message is none")
        message = message.answering(question.method)
    person = _principal(settings, principal)
    client = methods.client_in(question or message)
    context = flow.Flow(
        "explained",
        _server(settings, server),
        person,
        flow.Client(*client) if client else flow.Client(),
        methods.version_in(question or message) or "",
        methods.targets(question or message),
        None,
        question,
        session.MemoryStore().open(person.name),
        person.profile,
    )
    return context, message


def _server(settings: Settings, name: str | None) -> Server:
    from tidegate import flow  # noqa: PLC0415 - heavy

    names = ", ".join(settings.servers)
    if name is None:
        if len(settings.servers) > 1:
            raise output.Failure(f"say which server the message is for: --server with one of {names}")
        name = names or "server"
    if name in settings.servers:
        return settings.server(name)
    if settings.servers:
        raise output.Failure(f"there is no server {name!r} in the settings; there are {names}")
    return flow.Server(name)


def _principal(settings: Settings, name: str | None) -> Principal:
    from tidegate import flow  # noqa: PLC0415 - heavy

    known = {token.name: token for token in settings.auth.tokens}
    if name is None:
        return flow.Principal()
    if known and name not in known:
        raise output.Failure(f"there is no principal {name!r} in [auth] tokens; there are {', '.join(known)}")
    token = known.get(name)
    return flow.Principal(name, "token", token.roles, token.profile or "") if token else flow.Principal(name, "token")


async def _judged(settings: Settings, message: Message, flow: Flow, *, observe: bool) -> Decision:
    from tidegate import plugins, workers  # noqa: PLC0415 - heavy
    from tidegate.pipeline import Pipeline  # noqa: PLC0415 - heavy

    interceptors = plugins.load(settings)
    if not observe:
        interceptors = judging(interceptors)
        for item in interceptors:
            item.hooks.pop("observe", None)
    pipeline = Pipeline(interceptors)
    await pipeline.start(settings)
    try:
        return await pipeline.judge(message, flow, explain=True)
    finally:
        await pipeline.stop()
        await workers.close()


def _answer(decision: Decision, settings: Settings) -> dict[str, Any] | None:
    """Return what the sender, or who waits for the reply, is told in place of a message that was stopped."""
    from tidegate import methods  # noqa: PLC0415 - heavy
    from tidegate.verdict import denial, rpc_error  # noqa: PLC0415 - heavy

    message = decision.message
    if decision.allowed or message is None or message.kind == "notification":
        return None
    if message.is_reply:
        return rpc_error(decision, message.id)
    modern = methods.is_modern(methods.version_in(message))
    return denial(decision, message, as_result=settings.proxy.deny_as == "tool_result", modern=modern)


def _described(decision: Decision, flow: Flow, answer: dict[str, Any] | None) -> dict[str, Any]:
    message = decision.message
    assert message is not None
    by, effect = decision.stopper or ("", None)
    return {
        "verdict": decision.verdict,
        "by": by,
        "code": getattr(effect, "code", "held") if effect else "",
        "rule": effect.rule if effect else "",
        "reason": effect.reason if effect else "",
        "kind": message.kind,
        "from": message.sender,
        "method": message.method,
        "server": flow.server.name,
        "targets": [target.name for target in flow.targets],
        "steps": [
            {
                "by": step.by,
                "hook": step.hook,
                "outcome": step.outcome,
                "us": round(step.elapsed_ns / 1000, 1),
                "report_only": step.report_only,
            }
            for step in decision.steps
        ],
        "findings": [
            {"by": who, "kind": item.kind, "rule": item.rule, "pointer": item.pointer, "confidence": item.confidence}
            for who, item in decision.findings
        ],
        "edits": [{"pointer": edit.pointer, "label": edit.label} for edit in message.edits],
        "report_only": [{"by": who, "would": _would(item)} for who, item in decision.reported],
        "notes": [{"by": who, "text": item.text, "labels": list(item.labels)} for who, item in decision.notes],
        "sent": json.loads(message.encoded) if decision.allowed else None,
        "answer": answer,
    }


def _would(effect: Any) -> str:
    name = type(effect).__name__.lower()
    return f"{name} {effect.pointer}" if name == "redact" else f"{name}: {effect.reason}"


def _refused(refused: Any, *, as_json: bool) -> None:
    if as_json:
        output.dump({"verdict": "deny", "by": "tidegate", "code": refused.code, "reason": refused.reason, "steps": []})
    else:
        output.say(f"DENY by tidegate ({refused.code}): {refused.reason}")
        output.say("It is refused before any interceptor sees it.")


def _print(decision: Decision, flow: Flow, answer: dict[str, Any] | None) -> None:
    from rich.text import Text  # noqa: PLC0415 - heavy

    message, console = decision.message, output.console()
    assert message is not None
    arrow = "client to server" if message.sender == "client" else "server to client"
    about = " ".join(f"{flow.server.name}/{target.name}" for target in flow.targets) or flow.server.name
    output.say(f"{message.kind} {message.method or ''} {about}, {arrow}, {flow.principal.name}")
    output.say()
    rows = [
        (
            str(number),
            step.by,
            step.hook,
            Text(
                f"{step.outcome} (report only)" if step.report_only else step.outcome,
                style=_OUTCOMES.get(step.outcome, "bold red"),
            ),
            f"{step.elapsed_ns / 1000:.0f}",
        )
        for number, step in enumerate(decision.steps, 1)
    ]
    if rows:
        console.print(output.table(("", "by", "hook", "outcome", "µs"), rows, right=("", "µs")))
        console.print("It is the first message, so the steps are slower than they will be.", style="dim")
    else:
        output.say("No interceptor is for this message.")
    output.say()
    for by, item in decision.findings:
        output.say(f"found    {item.kind} {item.rule} at {item.pointer or '/'} (by {by})")
    for edit in message.edits:
        output.say(f"edited   {edit.pointer}: {edit.label}")
    for by, reported in decision.reported:
        output.say(f"reported {by} would {_would(reported)}")
    for by, note in decision.notes:
        labels = f" (labels the conversation {', '.join(note.labels)})" if note.labels else ""
        output.say(f"noted    {note.text or 'nothing'}{labels} (by {by})")
    console.print(Text.assemble((decision.verdict.upper(), _STYLES[decision.verdict]), output.plain(_why(decision))))
    _print_sent(decision, message, answer)


def _why(decision: Decision) -> str:
    if decision.stopper is None:
        return ": it goes on."
    by, effect = decision.stopper
    rule = f", rule {effect.rule}" if effect.rule else ""
    return f" by {by} ({getattr(effect, 'code', 'held')}{rule}): {effect.reason}"


def _print_sent(decision: Decision, message: Message, answer: dict[str, Any] | None) -> None:
    if decision.allowed:
        to = "server" if message.sender == "client" else "client"
        said, shown = f"This would be sent to the {to}:", json.loads(message.encoded)
    else:
        waiting = "client" if message.is_reply == (message.sender == "server") else "server"
        said, shown = f"The {waiting} would be told:", answer
    if shown is None:
        output.say("Nobody would be told: a notification has no answer.")
        return
    output.say(f"\n{said}")
    output.say(json.dumps(shown, indent=2, ensure_ascii=False))
