"""Cases: every kind of secret, plain and in each disguise, in whole messages, with the place it must be found at."""

from __future__ import annotations

import base64
import json
from random import Random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from plugins.scan.corpus.carriers import carried, chosen
from plugins.scan.corpus.disguises import DISGUISES, PLAIN, Disguise, disguised
from plugins.scan.corpus.envelopes import (
    BLOB_ENVELOPES,
    ENVELOPES,
    HOLE,
    JSON_TEXTS,
    MEMBER_ENVELOPES,
    OBJECT_ENVELOPES,
    Envelope,
)
from plugins.scan.corpus.kinds import KINDS, Half, Kind
from plugins.scan.corpus.making import Made
from tidegate import values

if TYPE_CHECKING:
    from collections.abc import Iterator

Span = tuple[int, int]


class Place(NamedTuple):
    """Where a secret may be found: one leaf, and where in it.

    Attributes:
        pointer: the leaf's, with ``~2`` into JSON texts.
        span: of the secret, disguised if it is.
        whole: of the larger part that may as well be removed; else as ``span``.
    """

    pointer: str
    span: Span
    whole: Span


class Case(NamedTuple):
    """One message with one secret.

    Attributes:
        kind: the kind's id.
        half: the kind's half.
        disguise: the disguise's id; ``plain`` for none, ``blob`` for one in the base64 of a resource.
        envelope: the kind of message.
        sender: who sends it.
        message: the whole JSON-RPC message.
        places: where the secret may be found. The first is the leaf it was put into; the others are the JSON texts
            around that and the leaves within it.
        secret: its value, not disguised.
    """

    kind: str
    half: Half
    disguise: str
    envelope: str
    sender: Literal["client", "server"]
    message: dict[str, Any]
    places: tuple[Place, ...]
    secret: str

    @property
    def pointer(self) -> str:
        """The leaf that the secret was put into."""
        return self.places[0].pointer

    @property
    def span(self) -> Span:
        """Where in that leaf it stands."""
        return self.places[0].span


def _filled(tree: Any, new: Any, pointer: str = "") -> tuple[Any, str | None]:
    """Return a tree with its hole filled, and the pointer of the hole."""
    if tree == HOLE:
        return new, pointer
    found = None
    if isinstance(tree, dict):
        out: dict[str, Any] = {}
        for key, item in tree.items():
            name = new if key == HOLE else key
            below = f"{pointer}/{values.escape(name)}"
            out[name], inner = _filled(item, new, below)
            found = below if key == HOLE else found or inner
        return out, found
    if isinstance(tree, list):
        items = [_filled(item, new, f"{pointer}/{index}") for index, item in enumerate(tree)]
        return [item for item, _ in items], next((where for _, where in items if where is not None), None)
    return tree, None


def _dumped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _outer(text: str, leaf: str, place: Place, pointer: str) -> Place:
    """Return the place that one has in the JSON text around its leaf."""
    start = text.index(f'"{_dumped(leaf)}"') + 1
    at = [start + len(_dumped(leaf[:offset])) for offset in (*place.span, *place.whole)]
    return Place(pointer, (at[0], at[1]), (at[2], at[3]))


def _inner(text: str, place: Place) -> Iterator[Place]:
    """Yield the places that one has in the leaves of the JSON text that its leaf is."""
    if values.nested(text) is None:
        return
    secret, whole = (json.loads(f'"{text[low:high]}"') for low, high in (place.span, place.whole))
    for leaf in values.strings(values.nested(text), f"{place.pointer}/{values.NESTED}"):
        start, wider = leaf.value.find(secret), leaf.value.find(whole)
        if start >= 0 and values.nested(leaf.value) is None:
            span = (start, start + len(secret))
            yield Place(leaf.pointer, span, (wider, wider + len(whole)) if wider >= 0 else span)


def _in_json(random: Random, content: Any, levels: int) -> list[tuple[Any, str]]:
    """Return a content in so many JSON texts, the innermost first, each with the pointer within it."""
    layers = []
    for _ in range(levels):
        tree, pointer = _filled(random.choice(JSON_TEXTS), content)
        assert pointer is not None
        content = json.dumps(tree, ensure_ascii=False, indent=random.choice((None, 1, 2)))
        layers.append((content, pointer))
    return layers


def enveloped(random: Random, body: dict[str, Any]) -> dict[str, Any]:
    """Return a body as a whole JSON-RPC message."""
    has_id = not body.get("method", "").startswith("notifications/")
    return {"jsonrpc": "2.0", **({"id": random.randrange(1, 10**6)} if has_id else {}), **body}


def _placed(random: Random, envelope: Envelope, made: Made, levels: int) -> tuple[dict[str, Any], tuple[Place, ...]]:
    """Return a message with a text in it, in so many JSON texts, and the places of the secret."""
    step = f"/{made.member}" if made.member else ""
    content: Any = {"region": "eu-1", made.member: made.text} if made.member else made.text
    layers = _in_json(random, content, levels)
    body, pointer = _filled(envelope[2], layers[-1][0] if layers else content)
    assert pointer is not None
    pointers = [pointer]  # of the leaf in the message, then of the ones in the JSON texts, outermost first
    for _, within in reversed(layers):
        pointers.append(f"{pointers[-1]}/{values.NESTED}{within}")
    first = Place(pointers.pop() + step, (made.start, made.end), made.whole)
    places, leaf = [first], made.text
    for (text, _), where in zip(layers, reversed(pointers), strict=True):
        places.append(_outer(text, leaf, places[-1], where))
        leaf = text
    key = envelope[0].endswith("-key")  # a key is never opened as JSON
    return enveloped(random, body), (*places, *(() if key else _inner(made.text, first)))


def in_message(random: Random, content: str | dict[str, Any]) -> tuple[Literal["client", "server"], dict[str, Any]]:
    """Return who sends it and a message with a text, or an object, that holds no secret."""
    _, sender, body = envelope = random.choice(ENVELOPES if isinstance(content, str) else OBJECT_ENVELOPES)
    if isinstance(content, str) and not envelope[0].endswith("-key"):
        for layer, _ in _in_json(random, content, random.choice((0, 0, 0, 1))):
            content = layer
    message, _ = _filled(body, content)
    return sender, enveloped(random, message)


def case(kind: Kind, disguise: Disguise, random: Random) -> Case:
    """Return one message with a secret of a kind, in a disguise."""
    plain = kind.make(random)
    made = disguised(disguise, random, plain, bare=kind.bare)
    envelope = random.choice(MEMBER_ENVELOPES if made.member else ENVELOPES)
    name, sender, _ = envelope
    key = name.endswith("-key")
    if not (made.member or key or (disguise.blob and random.random() < 0.3)):
        made = carried(chosen(random, made), random, made)
    whole = key or (made.member and name != "member-argument")  # no JSON text goes there: a key, or an object
    levels = 0 if whole else random.choice((0, 0, 0, 0, 1, 1, 2))
    message, places = _placed(random, envelope, made, levels)
    return Case(kind.id, kind.half, disguise.id, name, sender, message, places, plain.secret)


def blob_case(kind: Kind, random: Random) -> Case:
    """Return a message with a resource whose base64 holds a secret; all of it is what must be removed."""
    plain = kind.make(random)
    made = plain if plain.member else carried(chosen(random, plain), random, plain)
    document = json.dumps({made.member: made.text}) if made.member else made.text
    blob = base64.b64encode(document.encode()).decode()
    whole = (0, len(blob))
    envelope = random.choice(BLOB_ENVELOPES)
    message, places = _placed(random, envelope, Made(blob, *whole, whole), 0)
    return Case(kind.id, kind.half, "blob", envelope[0], "server", message, places, plain.secret)


def cases(seed: int, *, plain: int = 6, disguises: int = 1) -> Iterator[Case]:
    """Yield the whole corpus of secrets, the same for the same seed.

    Args:
        seed: what all of it is drawn from.
        plain: how many plain cases there are of each kind.
        disguises: how many there are of each kind in each disguise.
    """
    for kind in KINDS:
        random = Random(f"{seed}:{kind.id}")
        for _ in range(plain):
            yield case(kind, PLAIN, random)
        for _ in range(disguises):
            yield blob_case(kind, random)
            for disguise in DISGUISES:
                yield case(kind, disguise, random)
