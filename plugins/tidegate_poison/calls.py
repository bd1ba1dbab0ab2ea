"""Orders to call tools that a server doesn't have itself: those of another server, which has not asked for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tidegate_poison.linear import Characters, Regex, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN = r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b|(?-i:\b[a-z]{2,}(?:[A-Z][a-z0-9]+)+\b)"
_QUOTED = r"[a-z][a-z0-9]*(?:[_\-.][a-z0-9]+)+|(?-i:[a-z]{2,}(?:[A-Z][a-z0-9]+)+)"
_NAME = rf"(?:[`'\"\x{{2018}}\x{{201c}}]({_QUOTED})[`'\"\x{{2019}}\x{{201d}}]|({_PLAIN}))"
_MUST = r"\b(?:must|have to|always|should|need to|needs to|automatically)\b"
_TIMES = r"\b(?:first|before|prior to|when(?:ever)?|after|then|also|please|be sure to|to do this)\b"
_CALL = (
    rf"\b(?:call|calling|calls|invoke|invoking|trigger|triggering|execute|executing)\s(?:the\s)?(?:tool\s)?{_NAME}"
    rf"|\b(?:use|uses|using|run|running)\s(?:the\s)?{_NAME}(?:\stool\b|\son\s|\swith\s|,)"
)
_CALLED = (
    rf"(?:{_NAME}(?:\stool)?\sis\s(?:called|used|invoked|executed)"
    rf"|\b(?:any|all|every|each)\s{_NAME}\s(?:tool\s)?(?:calls?|requests?|quer(?:y|ies)|invocations?)"
    rf"|\b(?:to|via|of|for|through|from|by)\s(?:the\s)?{_NAME}\stool\b)"
)
_INSTEAD = (
    r"\b(?:overrid(?:es?|ing)|supersed(?:es?|ing)|intercept(?:s|ing)?|hijack(?:s|ing)?|(?:precedence|priority)\sover)"
    rf"\s(?:the\s)?{_NAME}|\b(?:instead\sof|rather\sthan|in\splace\sof)\s(?:the\s)?{_NAME}\stool\b"
)
_ORDERED = Regex(
    rf"(?i)(?:{_MUST}|{_TIMES})[^.!?\n]{{0,100}}?(?:{_CALL}|{_CALLED})"
    rf"|(?i)(?:{_MUST}|\b(?:first|before|prior to)\b)[^.!?\n]{{0,100}}?\b(?:use|run)\s(?:the\s)?{_NAME}\sto\s"
    rf"|(?i)\b(?:always|must)\s(?:use|call|invoke)\s(?:the\s)?(?:{_NAME}|([a-z]+(?:-[a-z]+)*-tool))\s(?:for|instead)\b"
    rf"|(?i){_CALLED}[^.!?\n]{{0,140}}?{_MUST}|(?i){_INSTEAD}"
)
_SIGN = Regex(
    r"(?i)\b(?:call|invok|trigger|execut|us(?:e|ing)|run|tool|request|quer|overrid|supersed|intercept|hijack|over)",
    capture=False,
)


def ordered(text: str) -> Iterator[tuple[str, Span]]:
    """Yield the names of tools that a text tells the model to call, and where it does."""
    data = text.encode(errors="replace")
    characters = None if text.isascii() else Characters(data)
    for span, *groups in _ORDERED.within(data, 0, len(data)) if _SIGN.matches(data) else ():
        low, high = next(group for group in groups if group[0] >= 0)
        yield data[low:high].decode(errors="replace"), characters.span(span) if characters else span


_PARTS = re.compile(r"[_\-.]|(?<=[a-z0-9])(?=[A-Z])")


_NO_TOOL = frozenset(("id", "ids", "token", "key", "url", "uri", "path", "name", "type", "secret", "size", "date"))


def start(name: str) -> tuple[str, ...]:
    """Return the first words of a name, which tools of one server often share."""
    return tuple(_PARTS.split(name, maxsplit=2)[:2])


def is_value(name: str) -> bool:
    """Whether a name is that of a value, and no tool that could be called."""
    return _PARTS.split(name)[-1].lower() in _NO_TOOL


def keys(value: Any) -> set[str]:
    """Return the names of arguments in definitions, and what these may be: a tool may take the name of an action."""
    found: set[str] = set()
    left = [value]
    while left:
        item = left.pop()
        if type(item) is dict:
            found.update(item)
            left += item.values()
            found.update(one for one in item.get("enum") or () if type(one) is str)
        elif type(item) is list:
            left += item
    return found
