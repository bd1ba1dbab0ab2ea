"""Carries redactions out, in one function: the only place where Tidegate itself changes payload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate import methods, values
from tidegate.verdict import Deny, Redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.message import Message

Span = tuple[int, int]


def redact(message: Message, redactions: Iterable[Redact]) -> Message | Deny:
    """Replace what redactions name by markers ``[redacted:LABEL]``.

    Returns:
        The redacted message, a valid message of the same shape; or a :class:`Deny` with code ``unredactable``
        where a redaction would touch what isn't payload, isn't a string (or, in a server's message, a number in
        the JSON text of one), or is a string whose JSON text is redacted inside too; or where the message was changed
        in place.
    """
    if values.encode(message.tree) != message.encoded:  # somebody changed it in place since it was judged
        return _refused()
    wanted: dict[str, list[Redact]] = {}
    for redaction in redactions:
        wanted.setdefault(redaction.pointer, []).append(redaction)
    if any(outer in wanted for pointer in wanted for outer in _outer_texts(pointer)):
        return _refused()
    for pointer, group in wanted.items():
        if not methods.is_payload(message, pointer):
            return _refused()
        try:
            text = values.resolve(message.tree, pointer)
            new = _mark(text, group) if isinstance(text, str) else _in_place_of_number(message, pointer, group)
            if new is None:
                return _refused()
            message = message.replace(pointer, new, label=",".join(sorted({item.label for item in group})))
        except values.PointerError:
            return _refused()
    message.encoded  # noqa: B018 - fixes what is sent before anyone else sees the message
    return message


def _outer_texts(pointer: str) -> list[str]:
    """Return the pointers of the strings whose JSON text a pointer steps into."""
    tokens = pointer.split("/")
    return ["/".join(tokens[:index]) for index, token in enumerate(tokens) if token == values.NESTED]


def _refused() -> Deny:
    return Deny("What would have to be redacted can't be redacted safely.", code="unredactable", rule="redact")


def _mark(text: str, group: list[Redact]) -> str | None:
    """Return a text with the spans of a group of redactions replaced; ``None`` for a span outside of it."""
    spans = sorted((item.span or (0, len(text)), item.label) for item in group)
    pieces, at = [], 0
    for (start, end), label in _merged(spans):
        if not 0 <= start < end <= len(text) and (start, end) != (0, len(text)):
            return None
        pieces += [text[at:start], f"[redacted:{label}]"]
        at = end
    return "".join([*pieces, text[at:]])


def _in_place_of_number(message: Message, pointer: str, group: list[Redact]) -> str | None:
    """Return a marker for a whole number in a server's JSON text that a string holds: a model reads that as text.

    Elsewhere there may be a schema that says it has to be a number, so there it is not redacted.
    """
    is_number = type(values.resolve(message.tree, pointer)) in (int, float)
    if not is_number or message.sender != "server" or values.NESTED not in pointer.split("/"):
        return None
    return f"[redacted:{group[0].label}]"


def _merged(spans: list[tuple[Span, str]]) -> list[tuple[Span, str]]:
    """Join spans that overlap; the first one's label stands for all."""
    out: list[tuple[Span, str]] = []
    for (start, end), label in spans:
        if out and (start < out[-1][0][1] or (start, end) == out[-1][0]):  # the whole of an empty string is one place
            (first, last), kept = out[-1]
            out[-1] = ((first, max(last, end)), kept)
        else:
            out.append(((start, end), label))
    return out
