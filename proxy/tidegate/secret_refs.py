"""References to secrets, as they stand in settings: ``secret:NAME``, and in headers ``env:NAME`` too.

Sentences about them hold names and never values: what stands where a reference should be may well be the secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "secret:"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HEADER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9-]* )?(?P<kind>env|secret):(?P<name>.*)", re.DOTALL)
_ELSEWHERE = re.compile(r"(?:^|\s)secret:")


class InHeader(NamedTuple):
    """What a header's value refers to.

    Attributes:
        scheme: what stands before it, such as ``Bearer`` and a space, or "".
        kind: ``env`` or ``secret``.
        name: of the variable, or of the secret.
    """

    scheme: str
    kind: str
    name: str


def check_name(name: str) -> str:
    """Return the name of a secret.

    Raises:
        ValueError: where it can't be one.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            "a secret's name has 1 to 128 letters, digits, '-', '_' or '.', and begins and ends with a letter or digit"
        )
    return name


def name_in(value: str) -> str:
    """Return the name in ``secret:NAME``.

    Raises:
        ValueError: where it is anything else.
    """
    name = value.removeprefix(PREFIX)
    if name == value or not _NAME.fullmatch(name):
        raise ValueError(
            "a value is secret:NAME, the name of a secret and never the secret itself "
            "(which `tidegate secret set NAME` puts into a store)"
        )
    return name


def check_secrets(secrets: Mapping[str, str], env: Mapping[str, str], how: str | None) -> None:
    """See that the ``secrets`` of a server are references under names that can be given to a program.

    Args:
        secrets: references by the names of variables.
        env: the server's other variables.
        how: ``secrets_as``, where it is said.

    Raises:
        ValueError: where they aren't.
    """
    for variable, value in secrets.items():
        if not _VARIABLE.fullmatch(variable):
            raise ValueError("secrets: a name is that of an environment variable: letters, digits and '_'")
        try:
            name_in(value)
        except ValueError as error:
            raise ValueError(f"secrets.{variable}: {error}") from None
        for taken in (variable, f"{variable}_FILE"):
            if taken in env:
                raise ValueError(f"secrets.{variable}: env has {taken} too")
        if how != "env" and f"{variable}_FILE" in secrets:
            raise ValueError(f"secrets.{variable}: {variable}_FILE says where its file is, so it can't be a secret too")
    if how is not None and not secrets:
        raise ValueError("secrets_as has no meaning without secrets")


def in_header(value: str) -> InHeader | None:
    """Return what a header's value refers to: ``env:NAME`` or ``secret:NAME``, alone or after one word."""
    found = _HEADER.fullmatch(value)
    return InHeader(found["scheme"] or "", found["kind"], found["name"]) if found else None


def check_headers(headers: Mapping[str, str]) -> None:
    """See that references in headers are some.

    Raises:
        ValueError: where one isn't.
    """
    for header, value in headers.items():
        found = in_header(value)
        misplaced = found is None and _ELSEWHERE.search(value) is not None
        if misplaced or (found is not None and found.kind == "secret" and not _NAME.fullmatch(found.name)):
            raise ValueError(f"headers.{header}: secret:NAME stands alone, or after one word as in Bearer secret:NAME")


def names(secrets: Mapping[str, str], headers: Mapping[str, str]) -> Iterator[str]:
    """Yield the names of the secrets that a server's settings refer to."""
    yield from (name_in(value) for value in secrets.values())
    for value in headers.values():
        found = in_header(value)
        if found is not None and found.kind == "secret":
            yield found.name
