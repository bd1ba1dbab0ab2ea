"""``tidegate policy fmt-input``: the input that a policy would see of a message."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

import tidegate
from tidegate import testing
from tidegate_policy import cli_output as output
from tidegate_policy import inputs
from tidegate_policy.config import PolicyConfig
from tidegate_policy.sources import PolicyError
from tidegate_policy.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMED = re.compile(r"[^\W_][\w.-]*")


class _Told(NamedTuple):
    """What the options say about a message's context."""

    server: tidegate.Server
    principal: tidegate.Principal
    profile: str
    tool: dict[str, Any] | None
    request: dict[str, Any] | None
    labels: list[str]
    sender: Literal["client", "server"]
    timezone: str


def fmt_input(  # noqa: PLR0913 - every option of a command is a parameter
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A JSON-RPC message, or an input; `-` is standard input.")
    ],
    *,
    server: Annotated[str, typer.Option("--server", metavar="NAME", help="The server's name.")] = "server",
    kind: Annotated[
        Literal["process", "container", "remote"], typer.Option("--kind", help="How the server runs.")
    ] = "process",
    trust: Annotated[Literal["low", "high"], typer.Option("--trust", help="How far the server is trusted.")] = "low",
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="NAME", help="A label of the server. May be repeated.")
    ] = None,
    principal: Annotated[str, typer.Option("--principal", metavar="NAME", help="Who the client is.")] = "anonymous",
    role: Annotated[
        list[str] | None, typer.Option("--role", metavar="NAME", help="A role of the principal. May be repeated.")
    ] = None,
    profile: Annotated[str, typer.Option("--profile", metavar="NAME", help="The profile it comes through.")] = "",
    tool: Annotated[
        str | None, typer.Option("--tool", metavar="FILE", help="The tool's definition, as the server lists it; JSON.")
    ] = None,
    request: Annotated[
        str | None, typer.Option("--request", metavar="FILE", help="For a reply: the request that it answers; JSON.")
    ] = None,
    session_label: Annotated[
        list[str] | None,
        typer.Option("--session-label", metavar="NAME", help="A label of the conversation. May be repeated."),
    ] = None,
    sender: Annotated[
        Literal["client", "server"] | None, typer.Option("--sender", help="Who sends it; told by the message mostly.")
    ] = None,
    timezone: Annotated[str, typer.Option("--timezone", metavar="ZONE", help="As in the settings.")] = "UTC",
) -> None:
    """Print the input that a policy would see of a JSON-RPC message, to be kept as a sample.

    A result that lists tools, prompts or resources is printed as the list of inputs of phase `list`, one per item.
    What is an input already is checked against the published schema, and printed again in order; exits with 1
    where it doesn't fit.

    Example: tidegate policy fmt-input call.json --server files --label internal > inputs/call.json
    """
    with output.mistakes():
        given = output.read_object(file)
        if "jsonrpc" not in given:
            _check(given, file)
            return
        who = tidegate.Principal(principal, "none" if principal == "anonymous" else "token", tuple(role or ()))
        told = _Told(
            tidegate.Server(_name(server), kind, trust, tuple(label or ())),
            who,
            profile,
            None if tool is None else output.read_object(tool),
            None if request is None else output.read_object(request),
            session_label or [],
            sender or ("client" if ("method" in given) else "server"),
            timezone,
        )
        made = [_ordered(each) for each in _inputs(given, told, file)]
    output.say(output.compact(made[0] if len(made) == 1 else made))


def _name(text: str) -> str:
    if not _NAMED.fullmatch(text):
        output.fail(f"--server {text!r}: a server's name has letters, digits, `.`, `-` and `_`")
    return text


def _check(given: dict[str, Any], file: str) -> None:
    """Say what is wrong with an input, or print it."""
    found = inputs.problems(given)
    for problem in found:
        output.note(f"{output.shown(file)}: {problem}")
    if found:
        raise typer.Exit(output.NOT_WELL)
    output.say(output.compact(_ordered(given)))


def _ordered(given: dict[str, Any]) -> dict[str, Any]:
    order = list(inputs.schema()["properties"])
    return {name: given[name] for name in order if name in given}


def _inputs(given: dict[str, Any], told: _Told, file: str) -> Iterator[dict[str, Any]]:
    """Yield the input of a message, or of each item of the list that it gives.

    Raises:
        PolicyError: where it is no message.
    """
    message = _parsed(given, told.sender, file)
    asked = None
    if message.is_reply:
        if told.request is None:
            raise PolicyError(f"{output.shown(file)}: is a reply: say with --request which request it answers")
        asked = _parsed(told.request, "server" if told.sender == "client" else "client", "--request")
        message = message.answering(asked.method)
    session = testing.session(id=told.principal.name)
    session.label(told.labels)
    flow = testing.flow(
        message,
        server=told.server,
        principal=told.principal,
        client=tidegate.Client("example", "1"),
        tool=told.tool,
        request=asked,
        session=session,
        profile=told.profile,
    )
    try:
        view = View(zone=PolicyConfig(packs=("-",), timezone=told.timezone).timezone)
    except ValueError:
        raise PolicyError(f"--timezone {told.timezone}: is no time zone, like Europe/Berlin or UTC") from None
    found = tidegate.listing(message)
    items = message.tree["result"].get(found[1]) if found and isinstance(message.tree["result"], dict) else None
    if found is None or not isinstance(items, list):
        yield view.of(message, flow)
        return
    for item in items:
        name = item.get("uri" if found[0] == "resource" else "name") if isinstance(item, dict) else None
        if isinstance(name, str):
            yield view.of_item(message, flow, found[0], item, name)


def _parsed(tree: dict[str, Any], sender: Literal["client", "server"], what: str) -> tidegate.Message:
    try:
        return testing.parse(json.dumps(tree), sender)
    except testing.Rejected as refused:
        raise PolicyError(f"{output.shown(what)}: is no JSON-RPC message: {refused}") from None
