"""All kinds of secrets, each a way to make one in its minimal natural form, and the half that each belongs to."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, NamedTuple

from plugins.scan.corpus import kinds_seen, kinds_unseen
from plugins.scan.corpus.keys import KEYS
from plugins.scan.corpus.making import FUNCTIONS, Made, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random
    from types import ModuleType

Half = Literal["seen", "unseen"]

FUNCTIONS.update(KEYS)


class Kind(NamedTuple):
    """One kind of secret.

    Attributes:
        id: its name here; no rule's name.
        half: whether its template may be looked at while rules are written.
        bare: whether the secret can be told without the text around it.
        make: draws one.
    """

    id: str
    half: Half
    bare: bool
    make: Callable[[Random], Made]


def half_of(identity: str) -> Half:
    """Return the half that a kind belongs to; its id alone decides."""
    return "unseen" if hashlib.sha256(identity.encode()).digest()[0] & 1 else "seen"


ASSIGNMENTS = (
    "{NAME}={value}",
    "export {NAME}={value}",
    'export {NAME}="{value}"',
    "{NAME}: {value}",
    '{name}: "{value}"',
    "{name} = '{value}'",
    '"{name}": "{value}",',
    '"{camel}": "{value}"',
    'const {camel} = "{value}";',
    "let {camel} = '{value}'",
    '{NAME} := "{value}"',
    'os.environ["{NAME}"] = "{value}"',
    'private static final String {NAME} = "{value}";',
    "docker run -e {NAME}={value} -d app",
    "--set {camel}={value}",
    "--{kebab} {value}",
    "--{kebab}={value}",
    "<{camel}>{value}</{camel}>",
    "config.{name} = '{value}'",
    '{{"{name}": "{value}"}}',
    "{name}={value}",
)
"""How a setting's name and value stand beside each other, in the languages that settings are written in."""

PHRASES = (
    "{value}",
    "{value}",
    "Authorization: Bearer {value}",
    "Here is the token: {value}",
    "the key is {value} , rotate it next week",
    "please use `{value}` for the deployment",
    "({value})",
    '["{value}"]',
    "token={value}&page=2",
    "found {value}; see the wiki",
)
"""How a value that can be told by itself is passed on."""


def _camel(name: str) -> str:
    first, *rest = name.lower().split("_")
    return first + "".join(part.capitalize() for part in rest)


def written(shape: str, name: str, value: str) -> Made:
    """Return a value in one of the shapes above; the value holds no brace."""
    names = {"NAME": name, "name": name.lower(), "camel": _camel(name), "kebab": name.lower().replace("_", "-")}
    before, after = shape.split("{value}")
    head, tail = before.format(**names), after.format(**names)
    span = (len(head), len(head) + len(value))
    return Made(head + value + tail, *span, span)


def _settings(shapes: tuple[str, ...], name: str, template: str) -> Callable[[Random], Made]:
    def make(random: Random) -> Made:
        return written(random.choice(shapes), name, fill(f"[[{template}]]", random).secret)

    return make


def _texts(templates: tuple[str, ...]) -> Callable[[Random], Made]:
    return lambda random: fill(random.choice(templates), random)


def _member(name: str, template: str) -> Callable[[Random], Made]:
    marked = template if "[[" in template else f"[[{template}]]"
    return lambda random: fill(marked, random)._replace(member=name)


def _kinds() -> Iterator[Kind]:
    halves: tuple[tuple[Half, ModuleType], ...] = (("seen", kinds_seen), ("unseen", kinds_unseen))
    for half, module in halves:
        for identity, (name, template) in module.TOKENS.items():
            yield Kind(identity, half, bare=True, make=_settings(ASSIGNMENTS + PHRASES, name, template))
        for identity, (name, template) in module.NAMED.items():
            yield Kind(identity, half, bare=False, make=_settings(ASSIGNMENTS, name, template))
        for identity, (name, template) in module.MEMBERS.items():
            yield Kind(identity, half, bare=False, make=_member(name, template))
        for identity, templates in module.TEMPLATES.items():
            yield Kind(identity, half, bare=identity in BLOCKS, make=_texts(templates))


BLOCKS = frozenset(
    [
        "pem-rsa",
        "pem-pkcs8",
        "pem-ec",
        "pem-ed25519",
        "pem-dsa",
        "pem-encrypted",
        "pem-legacy-encrypted",
        "pem-openssh",
        "pgp-private",
        "putty-ppk",
        "htpasswd-apr1",
        "htpasswd-bcrypt",
        "shadow-sha512",
    ]
)
"""The kinds among the templates whose secrets can be told by themselves."""

KINDS = tuple(sorted(_kinds(), key=lambda kind: kind.id))
"""Every kind, by id."""
