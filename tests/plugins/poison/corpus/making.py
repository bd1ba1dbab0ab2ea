"""Makes cases of the corpus: definitions as servers list them, and results, each with what is wrong in it."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from plugins.poison.corpus import hidden, ordinary_seen, ordinary_unseen, wording_seen, wording_unseen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

Half = Literal["seen", "unseen"]
HALVES: tuple[Half, ...] = get_args(Half)

_WORDING: dict[Half, ModuleType] = {"seen": wording_seen, "unseen": wording_unseen}
_ORDINARY: dict[Half, ModuleType] = {"seen": ordinary_seen, "unseen": ordinary_unseen}

ORDINARY_TEMPLATES = 200
"""Definitions of each half that are made from templates, beside those written one by one."""


class Case(NamedTuple):
    """One definition of a tool.

    Attributes:
        half: whether the rules were written with it.
        rule: the class of what is wrong with it; ``""`` for an ordinary one.
        family: how it is done.
        tool: the definition.
        others: names of tools that another server listed before.
        own: names of tools that its own server lists beside it.
    """

    half: Half
    rule: str
    family: str
    tool: dict[str, Any]
    others: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


_CARRIERS = (
    ("lookup_word", "Looks up a word in the dictionary."),
    ("add_numbers", "Adds two numbers and returns the sum."),
    ("get_forecast", "Returns the forecast for a city, for up to five days."),
    ("create_ticket", "Creates a ticket. Returns its number."),
    ("resize_image", "Resizes an image to the given width."),
)


def _tool(name: str, description: str, **arguments: str) -> dict[str, Any]:
    properties = {key: {"type": "string", "description": text} for key, text in arguments.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties)[:1]}
    return {"name": name, "description": description, "inputSchema": schema}


def poisoned(half: Half) -> Iterator[Case]:
    """Yield the poisoned definitions of a half, the same ones every time."""
    random = Random(f"poisoned {half}")
    source = _WORDING[half]
    for family, text in source.INSTRUCTIONS:
        name, description = random.choice(_CARRIERS)
        way = random.randrange(3)
        if way == 0:
            tool = _tool(name, f"{description} {text}", query="What to look for.")
        elif way == 1:
            tool = _tool(name, f"{description}\n\n{text}\n\nReturns nothing else.", query="What to look for.")
        else:
            tool = _tool(name, description, query="What to look for.", context=text)
        yield Case(half, "instruction", family, tool)
    for rule, entries in (
        ("roles", source.TAGS),
        ("exfiltration", source.EXFILTRATION),
        ("html", source.HTML),
        ("disclosure", source.DISCLOSURE),
        ("promotion", source.PROMOTION),
        ("instruction", source.ENCODED),
    ):
        for family, text in entries:
            yield Case(half, rule, family, _tool(random.choice(_CARRIERS)[0], text, query="What to look for."))
    for one in hidden.seen() if half == "seen" else hidden.unseen():
        tool = _tool(one.name, one.description, query="What to look for.")
        yield Case(half, one.rule, one.family, tool, one.others)


_NEIGHBOURS = ("read_file", "search_issues", "send_message", "list_repositories", "get_forecast", "create_event")
"""What another server lists beside every ordinary definition."""

_BACKQUOTED = re.compile(r"`(\w+)`")  # an ordinary text names tools of its own server


def ordinary(half: Half) -> Iterator[Case]:
    """Yield the ordinary definitions of a half, the same ones every time."""
    random = Random(f"ordinary {half}")
    source = _ORDINARY[half]
    for number, text in enumerate(source.HARD):
        if number % 4 == 3:
            tool = _tool(f"do_thing_{number}", "Does one thing.", option=text)
        else:
            tool = _tool(f"do_thing_{number}", text, query="What to look for.")
        yield Case(half, "", "hard", tool, _NEIGHBOURS, tuple(_BACKQUOTED.findall(text)))
    for _ in range(ORDINARY_TEMPLATES):
        verb, verb2 = random.sample(source.VERBS, 2)
        thing, thing2 = random.sample(source.THINGS, 2)
        (arg, about), (arg2, about2) = random.sample(source.ARGUMENTS, 2)
        text = random.choice(source.TEMPLATES).format(
            verb=verb,
            Verb=f"{verb.capitalize()}s",
            verb2=verb2,
            thing=thing,
            thing2=thing2,
            where=random.choice(source.WHERE),
            arg=arg,
            arg2=arg2,
        )
        name = random.choice((f"{verb}_{thing}", f"{verb}-{thing}", f"{verb}{thing.title()}")).replace(" ", "_")
        yield Case(half, "", "template", _tool(name, text, **{arg: about, arg2: about2}), _NEIGHBOURS)
