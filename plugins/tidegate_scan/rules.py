"""Rules: what one finds, read from TOML files and checked.

A rule's members are described in the reference of the rules' files. The regexes are RE2's, so each takes linear time.
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tidegate_scan import pii_validators
from tidegate_scan.linear import ANYWHERE, AT_START, NOTHING, Regex, RegexError, Spans
from tidegate_scan.not_secrets import is_no_secret, is_placeholder
from tidegate_scan.validators import VALIDATORS, entropy

WINDOW = 512  # characters on each side of a literal that a match may take, unless a rule says otherwise
WINDOW_MOST = 16_384
RETRIES = 4  # how often a search goes on inside a match that was turned down
LINE_BEFORE = 256  # characters before a secret, on its line, that say whether it is one
JUDGED = 1024  # bytes of a value known by its context that say whether it is a secret
VERDICTS = 4096  # values whose verdicts are kept while a text is searched
_NONE: Spans = [NOTHING]
_ID = Regex("^[a-z0-9]+(?:-[a-z0-9]+)*$", capture=False)


class RuleError(ValueError):
    """A mistake in a rules' file; its text is one sentence that names the file, the rule and what is wrong."""


class Kind(NamedTuple):
    """What the rules of one kind share: their validators by name, and what is never a finding.

    `excluded` is given the value, its line up to its end, and whether the rule rests on context.
    """

    validators: Mapping[str, Callable[[str], bool]]
    excluded: Callable[[str, str, bool], bool]


def _excluded(secret: str, line: str, context: bool) -> bool:  # noqa: FBT001 - one of a kind's plain functions
    return is_no_secret(secret, line) if context else is_placeholder(secret)


def _kept(_secret: str, _line: str, _context: bool) -> bool:  # noqa: FBT001 - one of a kind's plain functions
    return False


SECRETS = Kind(VALIDATORS, _excluded)
PII = Kind(pii_validators.VALIDATORS, _kept)  # its validators say themselves which numbers and addresses are examples


class Window(NamedTuple):
    """Where a regex is run, in bytes [start, stop): anywhere in there, or only where it begins."""

    start: int
    stop: int
    anchored: bool = False


class _Walk:
    """Where a search through a text goes on; bounded, so that no text is read over and over. And what was judged."""

    __slots__ = ("_fence", "_tries", "at", "verdicts")

    def __init__(self, at: int) -> None:
        self.at = at
        self.verdicts: dict[tuple[bytes, int], bool] = {}
        self._fence = at
        self._tries = 0

    def past(self, begin: int, end: int) -> None:
        """Go on behind a match; one of nothing, by a regex such as a bare `$`, is stepped over."""
        self.at = max(end, begin + 1)

    def turned_down(self, begin: int, secret: int, end: int) -> None:
        """Go on inside a match at its secret, or behind it if that was done often enough."""
        if begin >= self._fence:
            self._fence = end
            self._tries = 0
        self._tries += 1
        self.past(begin, secret if secret > begin and self._tries <= RETRIES else end)


class Compiled:
    """A rule's regex, compiled when it is first asked for: of most rules, none ever is, and all take their time.

    `match` is that of `Regex`. `secret` is the number of the group that holds the secret: the one of that name, else
    the first, else 0; it is known from the first match on.
    """

    __slots__ = ("_text", "match", "secret")

    match: Callable[[Any, bytes, int, int], Spans]

    def __init__(self, text: str) -> None:
        self._text = text
        self.secret = 0
        self.match = self._first

    def now(self) -> Regex:
        """Compile it now.

        Raises:
            RegexError: RE2 refuses it.
        """
        regex = Regex(self._text)
        self.secret = regex.groups().get("secret", min(1, regex.count()))
        self.match = regex.match
        return regex

    def _first(self, anchor: Any, data: bytes, start: int, stop: int) -> Spans:
        return self.now().match(anchor, data, start, stop)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its members as in TOML (`window` in characters), with what was compiled of them.

    `group_name` is the member `group`, which settings switch on and off together. `digits` stands in place of
    literals: matches hold at least so many, and are at most twice as long as the digits and the window together.
    `text` is the regex with its flag.
    """

    id: str
    title: str
    group_name: str
    regex: str
    literals: tuple[str, ...]
    digits: int
    ignore_case: bool
    window: int
    validate: tuple[str, ...]
    entropy: float
    confidence: float
    context: bool
    source: str
    text: str
    compiled: Compiled
    validators: tuple[Callable[[str], bool], ...]
    excluded: Callable[[str, str, bool], bool]

    def spans(self, data: bytes, windows: Iterable[Window], scale: int = 1) -> Iterator[tuple[int, int]]:
        """The secrets in windows of UTF-8, in order, as byte offsets; `data` around those is only looked at.

        Matches don't overlap, except that the search goes on at the secret of a match that was turned down: in
        `secret: token=...` the second name counts too. It does so `RETRIES` times until that match's end. `scale` is
        how many bytes a character may take.
        """
        reach = 2 * scale * (self.window + self.digits)
        walk = _Walk(0)
        for start, stop, anchored in windows:
            if anchored:
                found = self.compiled.match(AT_START, data, start, stop) if start >= walk.at else _NONE
            else:
                walk.at = max(walk.at, start)
                found = self._next(data, walk, stop, reach)
            while found[0] != NOTHING:
                secret = self._secret(data, found, walk)
                if secret is not None:
                    yield secret
                found = _NONE if anchored else self._next(data, walk, stop, reach)

    def _next(self, data: bytes, walk: _Walk, stop: int, reach: int) -> Spans:
        """The next match in a window. Long windows are read piece by piece: in a long piece RE2 finds groups slowly.

        No match that counts is longer than the reach, so in every place the next such lies whole in some piece.
        """
        while walk.at < stop:
            end = min(stop, walk.at + 2 * reach)
            found = self.compiled.match(ANYWHERE, data, walk.at, end)
            if end == stop or (found[0] != NOTHING and (found[0][1] <= end - reach or found[0][0] == walk.at)):
                return found
            walk.at = end - reach if found[0] == NOTHING else found[0][0]
        return _NONE

    def _secret(self, data: bytes, found: Spans, walk: _Walk) -> tuple[int, int] | None:
        """The secret of a match, or None when it is none; the walk goes on accordingly."""
        begin, end = found[0]
        group = found[self.compiled.secret]
        secret = group if group != NOTHING else found[0]
        if self._judged(data, *secret, walk):
            walk.past(begin, end)
            return secret
        walk.turned_down(begin, secret[0], end)
        return None

    def _judged(self, data: bytes, begin: int, end: int, walk: _Walk) -> bool:
        """Whether a value is a secret; the same one behind the same text is judged once in a search."""
        if self.context:
            end = min(end, begin + JUDGED)
        line = max(0, begin - LINE_BEFORE)
        line = max(line, data.rfind(b"\n", line, begin) + 1)
        what = data[line:end], begin - line
        if what not in walk.verdicts:
            if len(walk.verdicts) >= VERDICTS:
                walk.verdicts.clear()
            walk.verdicts[what] = self._holds(*what)
        return walk.verdicts[what]

    def _holds(self, line: bytes, begin: int) -> bool:
        secret = line[begin:].decode("utf-8", "replace")
        if self.entropy and entropy(secret) < self.entropy:
            return False
        if not all(valid(secret) for valid in self.validators):
            return False
        return not self.excluded(secret, line.decode("utf-8", "replace"), self.context)


class _Member(NamedTuple):
    type: type
    default: Any = None
    required: bool = False


_MEMBERS: dict[str, _Member] = {
    "id": _Member(str, required=True),
    "title": _Member(str, required=True),
    "regex": _Member(str, required=True),
    "group": _Member(str, default=""),
    "literals": _Member(list, default=[]),
    "digits": _Member(int, default=0),
    "ignore_case": _Member(bool, default=False),
    "window": _Member(int, default=0),
    "validate": _Member(list, default=[]),
    "entropy": _Member(float, default=0.0),
    "confidence": _Member(float, required=True),
    "context": _Member(bool, default=False),
    "examples": _Member(list, required=True),
    "not_examples": _Member(list, default=[]),
    "source": _Member(str, default=""),
}
_AS_WRITTEN = ("id", "title", "regex", "digits", "ignore_case", "confidence", "entropy", "context", "source")
_NAMES = {str: "a string", list: "a list of strings", bool: "true or false", int: "a whole number", float: "a number"}


def load(
    paths: Iterable[Path], *, check_examples: bool = False, kind: Kind = SECRETS, tested: bool = False
) -> list[Rule]:
    """The rules of TOML files, in the files' order.

    With `check_examples` each example must be found and no `not_examples` may be: for rules that no test has seen. The
    regexes of rules that tests have seen, `tested`, are compiled when they are needed.

    Raises:
        RuleError: a file can't be read or isn't TOML; a member is unknown, missing or of the wrong type; a regex isn't
            RE2's, or matches nothing at all; an id stands twice; a validator is unknown; an example doesn't hold.
    """
    rules: list[Rule] = []
    seen: dict[str, Path] = {}
    for path in paths:
        for number, members in enumerate(_read(path), start=1):
            where = _where(path, number, members)
            rule = _rule(where, members, kind)
            if not tested:
                _compile(where, rule)
            if rule.id in seen:
                raise RuleError(f"{where}: its id stands in {seen[rule.id]} already.")
            seen[rule.id] = path
            if check_examples:
                _check(where, rule, members)
            rules.append(rule)
    return rules


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RuleError(f"{path}: can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise RuleError(f"{path}: isn't UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        # The reason quotes no more than one character of the file.
        raise RuleError(f"{path}: isn't TOML: {error}.") from None
    unknown = sorted(found.keys() - {"rule"})
    if unknown:
        raise RuleError(f"{path}: has an unknown key {unknown[0]!r}; a file of rules holds [[rule]] tables alone.")
    rules = found.get("rule", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise RuleError(f"{path}: rules are written as [[rule]] tables.")
    return rules


def _where(path: Path, number: int, members: dict[str, Any]) -> str:
    name = members.get("id")
    return f"{path}: rule {name}" if isinstance(name, str) and name else f"{path}: rule number {number}"


def _rule(where: str, members: dict[str, Any], kind: Kind) -> Rule:
    values = _typed(where, members)
    _ranges(where, values)
    unknown = [name for name in values["validate"] if name not in kind.validators]
    if unknown:
        raise RuleError(f"{where}: its validator {unknown[0]!r} is unknown.")
    text = f"(?i:{values['regex']})" if values["ignore_case"] else values["regex"]
    return Rule(
        **{name: values[name] for name in _AS_WRITTEN},
        group_name=values["group"],
        literals=tuple(values["literals"]),
        window=values["window"] or WINDOW,
        validate=tuple(values["validate"]),
        text=text,
        compiled=Compiled(text),
        validators=tuple(kind.validators[name] for name in values["validate"]),
        excluded=kind.excluded,
    )


def _compile(where: str, rule: Rule) -> None:
    try:
        regex = rule.compiled.now()
    except RegexError as error:
        raise RuleError(f"{where}: its regex isn't RE2's: {error}.") from None
    if regex.matches(b""):
        raise RuleError(f"{where}: its regex matches an empty text.")


def _typed(where: str, members: dict[str, Any]) -> dict[str, Any]:
    """The members with their defaults, each of its type."""
    for name in members:
        if name not in _MEMBERS:
            raise RuleError(f"{where}: has an unknown key {name!r}.")
    values: dict[str, Any] = {}
    for name, member in _MEMBERS.items():
        if name not in members:
            if member.required:
                raise RuleError(f"{where}: has no {name}.")
            values[name] = member.default
            continue
        value = members[name]
        if member.type is float and type(value) is int:
            value = float(value)
        if type(value) is not member.type or (isinstance(value, list) and not all(type(item) is str for item in value)):
            raise RuleError(f"{where}: its {name} must be {_NAMES[member.type]}.")
        values[name] = value
    return values


def _ranges(where: str, values: dict[str, Any]) -> None:
    if not _ID.matches(values["id"].encode()):
        raise RuleError(f"{where}: its id must be small letters and digits with single hyphens between.")
    if not all(values["literals"]) or not (values["literals"] or values["digits"]):
        raise RuleError(f"{where}: its literals must hold at least one text, and no empty one.")
    if values["digits"] and (values["literals"] or not 2 <= values["digits"] <= WINDOW):
        raise RuleError(f"{where}: its digits must be from 2 to {WINDOW}, and stand in place of literals.")
    if values["ignore_case"] and any(literal != literal.lower() for literal in values["literals"]):
        raise RuleError(f"{where}: its literals must be lower case, because it ignores case.")
    if not values["examples"]:
        raise RuleError(f"{where}: it needs at least one example.")
    if not 0 <= values["window"] <= WINDOW_MOST:
        raise RuleError(f"{where}: its window must be from 0 (the default, {WINDOW}) to {WINDOW_MOST}.")
    if not 0 < values["confidence"] <= 1:
        raise RuleError(f"{where}: its confidence must be above 0 and at most 1.")
    if not 0 <= values["entropy"] <= 8:
        raise RuleError(f"{where}: its entropy must be from 0 to 8 bits per character.")


def _check(where: str, rule: Rule, members: dict[str, Any]) -> None:
    from tidegate_scan.engine import Engine  # noqa: PLC0415 - the engine is made of rules; here a rule is tried in one

    engine = Engine([rule])
    for number, text in enumerate(members["examples"], start=1):
        if not engine.find(text):
            raise RuleError(f"{where}: its example number {number} isn't found.")
    for number, text in enumerate(members.get("not_examples", []), start=1):
        if engine.find(text):
            raise RuleError(f"{where}: its not_examples number {number} is found.")
