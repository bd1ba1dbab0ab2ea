"""Takes out of the lists that servers give what the policy would deny, so that a principal sees what it may call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tidegate
from tidegate_policy import decision

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from tidegate_policy.loading import Loaded
    from tidegate_policy.sources import Answer, Unit

_NAMED_BY = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}


class NoDecisionError(Exception):
    """The policy didn't answer about an item of a list; the list is denied."""


def filtered(
    message: tidegate.Message, flow: tidegate.Flow, loaded: Loaded
) -> tidegate.Message | Awaitable[tidegate.Message | None] | None:
    """Return a list without what the policy would deny; ``None`` for what is no list, or stays as it is."""
    found = tidegate.listing(message)
    body = message.tree.get("result")
    if found is None or type(body) is not dict or not body.get(found[1]):
        return None
    kind, member = found
    units = loaded.units("list", _CALLED_BY[kind])
    if not units:
        return None
    items = body[member]
    if type(items) is not list:  # nobody can say what a client would read in it
        return message.replace(f"/result/{member}", [], label="what is no list was removed")
    known = [item for item in items if _name(item, member) is not None]
    given = [loaded.view.of_item(message, flow, kind, item, _name(item, member) or "") for item in known]
    answers = loaded.engine.ask_each(units, given) if given else []
    if isinstance(answers, list):
        return _without(message, member, known, units, answers)
    return _without_later(message, member, known, units, answers)


_CALLED_BY = {"tool": "tools/call", "prompt": "prompts/get", "resource": "resources/read"}


async def _without_later(
    message: tidegate.Message,
    member: str,
    known: list[Any],
    units: Sequence[Unit],
    answers: Awaitable[list[list[Answer]]],
) -> tidegate.Message | None:
    return _without(message, member, known, units, await answers)


def _without(
    message: tidegate.Message, member: str, known: list[Any], units: Sequence[Unit], answers: list[list[Answer]]
) -> tidegate.Message | None:
    """Return the list with the items that weren't denied; one that has no name is nobody's to call.

    Raises:
        NoDecisionError: where there is no answer about one.
    """
    kept = []
    for item, row in zip(known, answers, strict=True):
        said = decision.said(units, row)
        if said.failures:
            raise NoDecisionError
        if not any(isinstance(effect, tidegate.Deny) for effect in said.effects):
            kept.append(item)
    total = len(message.tree["result"][member])
    if len(kept) < total:
        message = message.replace(f"/result/{member}", kept, label=f"{total - len(kept)} of {total} removed")
    scope = message.tree["result"].get("cacheScope")
    if scope is not None and scope != "private":  # it is one principal's now (MCP 2026-07-28, caching)
        message = message.replace("/result/cacheScope", "private", label="private, because lists differ per principal")
    return message


def _name(item: Any, member: str) -> str | None:
    name = item.get(_NAMED_BY[member]) if isinstance(item, dict) else None
    return name if isinstance(name, str) else None
