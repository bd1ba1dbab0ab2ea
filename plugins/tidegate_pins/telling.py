"""What people are told: why something is denied, and what to do. The server's text isn't in it, but for plain names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tidegate_pins.definitions import TELLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate_pins.told import Call

_PLAIN = re.compile(r"[A-Za-z0-9_.:/-]{1,80}")


def changed(classes: Iterable[str]) -> str:
    """Return in words what changed."""
    said = [TELLS.get(name, name) for name in classes]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def why(kind: str, server: str, name: str, call: Call) -> str:
    """Return why a call is denied, in words for who made it.

    Args:
        kind: what is called.
        server: whose.
        name: its name; it is said only where it is plain.
        call: what became of the call.
    """
    place = f"{server}/{call.item or name}"
    plain = _PLAIN.fullmatch(call.item or name) is not None
    shown = f"The {kind} {place}" if plain else f"This {kind} of the server {server}"
    how = f"`tidegate pins diff {place}`" if plain else f"`tidegate pins diff {server}`"
    match call.why:
        case "changed":
            return f"{shown} has changed since it was approved: {changed(call.classes)}. {how} shows how."
        case "waiting" if "limit" in call.classes:
            return f"{shown} can't be approved: its definition is too large to be kept."
        case "waiting":
            said = "is a copy of another under a new name" if "name" in call.classes else "is new"
            return f"{shown} {said} and waits for approval. {how} shows it."
        case "gone":
            return f"{shown} was approved and is no longer listed. {how} shows what it was."
        case "spelling":
            return f"This {kind} of the server {server} is spelt like one that waits for approval."
        case "limit":
            return f"The name of the {kind} is none that can be pinned: it is too long, or holds a secret."
    return f"{shown} was never listed by the server, so nothing of it is approved. List the {kind}s first."


def list_denied(server: str, kind: str, classes: Iterable[str]) -> str:
    """Return why a whole list is denied."""
    return (
        f"The server {server} gives a list of {kind}s that is not as it was approved: {changed(classes)}. "
        f"`tidegate pins diff {server}` shows how."
    )


def greeting_denied(server: str) -> str:
    """Return why a handshake is denied."""
    return (
        f"The instructions of the server {server} are not as they were approved. "
        f"`tidegate pins diff {server}/instructions` shows how."
    )
