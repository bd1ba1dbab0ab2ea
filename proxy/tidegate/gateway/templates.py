"""URI templates (RFC 6570, levels 1 to 4), read backwards: whether a URI may be what a template expands to.

Servers write the templates, so a match takes linear time whatever they write: RE2 does it. What is between the
expressions must stand there as it is. An expression stands for at least the values that RFC 6570 lets it expand to,
and for what clients and servers take for values in practice: characters that should have been percent-encoded.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import re2  # type: ignore[import-untyped]  # it has no types, and there are no stubs

LONGEST = 2048
"""Characters of the longest template that is matched against."""

LONGEST_URI = 8192
"""Characters of the longest URI that is matched."""

MOST_VARIABLES = 64
"""Variables of one template that is matched against, at most."""

_MEMORY = 1 << 20  # the most that one template's automaton may grow to
_PART = re.compile(r"\{([^{}]*)\}|([^{}]+)")
_VARIABLE = re.compile(
    r"((?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})(?:\.?(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2}))*)(\*|:[1-9][0-9]{0,3})?"
)
_OPERATORS = "+#./;?&"
_SEGMENT = "[^/?#]"  # a character of a value that isn't one of several
_LISTED = "[^&#]"  # one of a query's


class Template:
    """One URI template.

    Attributes:
        head: what stands before its first expression.
    """

    __slots__ = ("__dict__", "head", "text")  # __dict__ is for the pattern, made when it is first wanted

    def __init__(self, text: str) -> None:
        self.text = text
        self.head = text.partition("{")[0]

    def matches(self, uri: str) -> bool:
        """Whether a URI may be what the template expands to.

        Nothing is for a template that says no scheme before its first expression, and so would be for all URIs; nor
        for one that isn't well-formed, has an operator that RFC 6570 reserves, or is too long. No URI matches that is.
        """
        if not uri.startswith(self.head) or ":" not in self.head or len(uri) > LONGEST_URI:
            return False
        return self._pattern is not None and self._pattern.fullmatch(uri) is not None

    @functools.cached_property
    def _pattern(self) -> Any:
        """The template as RE2 has it; ``None`` where it isn't matched against."""
        source = _regex(self.text) if len(self.text) <= LONGEST else None
        if source is None:
            return None
        options = re2.Options()
        options.max_mem = _MEMORY
        options.never_capture = True
        options.dot_nl = True
        options.log_errors = False  # it would write patterns to stderr
        try:
            return re2.compile(source, options)
        except re2.error:  # it would take too much memory
            return None


def _regex(template: str) -> str | None:
    """Return the regular expression of what a template expands to; ``None`` where it isn't one that can be matched."""
    out, end, variables = [], 0, 0
    for found in _PART.finditer(template):
        if found.start() != end:
            return None
        end = found.end()
        if found[1] is None:
            out.append(str(re2.escape(found[2])))
            continue
        operator = found[1][:1] if found[1][:1] in _OPERATORS else ""
        specs = [_VARIABLE.fullmatch(part) for part in found[1][len(operator) :].split(",")]
        variables += len(specs)
        if variables > MOST_VARIABLES:
            return None
        names = []
        exploded = False
        for spec in specs:
            if spec is None:
                return None
            names.append(str(re2.escape(spec[1])))
            exploded = exploded or spec[2] == "*"
        out.append(_expression(operator, names, exploded=exploded))
    return "".join(out) if end == len(template) else None


def _expression(operator: str, names: list[str], *, exploded: bool) -> str:
    """Return what an expression may expand to; those with an operator that begins it may be left out as a whole."""
    if operator == "":
        return "[^?#]+" if exploded else f"{_SEGMENT}+"  # FastMCP's {path*} is for slashes too
    if operator == "+":
        return ".+"
    if operator == "#":
        return "(?:#.*)?"
    if operator == ".":
        return rf"(?:\.{_SEGMENT}*)?"
    many = "*" if exploded else f"{{0,{len(names)}}}"
    if operator == "/":
        return f"(?:/{_SEGMENT}*){many}"
    if operator == ";":
        name = "[^/?#;=]+" if exploded else f"(?:{'|'.join(names)})"
        return f"(?:;{name}(?:=[^/?#;]*)?){many}"
    name = "[^&#=]+" if exploded else f"(?:{'|'.join(names)})"
    pair = f"{name}={_LISTED}*"
    return f"(?:&{pair}){many}" if operator == "&" else rf"(?:\?{pair}(?:&{pair}){many})?"
