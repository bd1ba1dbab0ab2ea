"""Rego cut into its smallest pieces: as much as it takes to change a text and leave every line where it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<blank> \#[^\n]* | \s+ )
      | (?P<string> "(?:[^"\\\n]|\\.)*" | `[^`]*` )
      | (?P<template> \$["`] )
      | (?P<word> [A-Za-z_][A-Za-z0-9_]* )
      | (?P<number> [0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)? )
      | (?P<other> [:=!<>]= | . )""",
    re.VERBOSE | re.DOTALL,
)


def tokens(text: str) -> Iterator[re.Match[str]]:
    """Yield the pieces of a text, all of it; ``lastgroup`` is the kind of each.

    The kinds are ``blank`` (comments too), ``string``, ``template`` (how a template string begins), ``word``,
    ``number`` and ``other`` (a sign, or an operator of two).
    """
    return _TOKEN.finditer(text)
