r"""Where in a rule's regex its literals stand, so that most of their occurrences can be turned down at once.

A regex such as `\b[\w.-]{0,20}(?:token|secret)\s*=\s*(\S{16,64})` matches only where its tail, the part beginning with
`(?:token|secret)`, matches exactly at an occurrence of a literal. Asking for the tail there, anchored, costs one short
run of an automaton with few states, and says where the match ends; the whole regex need be run no further.

Only the plain part of the syntax is read. What isn't understood has no tail, which costs time but never a finding.
"""

from functools import lru_cache
from typing import NamedTuple

_ZERO_WIDTH = ("\\b", "\\B", "\\A", "\\z", "^", "$")
_QUANTIFIERS = "*+?{"
_CLASS_MOST = 10  # members of a character class that is still tried one by one


class Atom(NamedTuple):
    """One item of a concatenation: its text, what it may be, and whether it may be left out.

    `ways` are the concatenations it stands for, of which a `char` has one and empty; None when they are too many.
    `width` is how many characters it may take, None when that has no limit. `repeated` is what it repeats, if it does,
    and `least` is how often at least.
    """

    text: str
    ways: "list[list[Atom]] | None"
    width: int | None
    char: str = ""
    optional: bool = False
    zero: bool = False
    flags: bool = False
    repeated: "Atom | None" = None
    least: int = 0


class UnreadError(Exception):
    """A piece of syntax that isn't read here."""


class Tail(NamedTuple):
    """The end of a regex, beginning with a literal, and how many characters may stand before it; None: no limit.

    `ways` are the concatenations that it stands for, and `leads` those that may stand before it.
    """

    text: str
    before: int | None
    ways: tuple[tuple[Atom, ...], ...] = ((),)
    leads: tuple[tuple[Atom, ...], ...] = ((),)


@lru_cache(maxsize=2048)  # some rules are in two engines
def tail(regex: str, literals: tuple[str, ...], *, ignore_case: bool) -> Tail | None:
    """The tail of a regex (RE2 syntax): each of its matches has one of the literals where the tail begins.

    None when that isn't plain to see. `ignore_case` says that the regex is used so; literals are lower case then.
    """
    try:
        ways, stop = alternatives(regex, 0)
    except UnreadError:
        return None
    if stop != len(regex):
        return None
    if len(ways) > 1:
        ways = [[Atom(f"(?:{regex})", ways, _widest(ways))]]
    wanted = tuple(_fold(literal) if ignore_case else literal for literal in literals)
    return _suffix(tuple(_flat(ways[0])), (), wanted, ignore_case=ignore_case)


def _suffix(
    atoms: tuple[Atom, ...], rest: tuple[Atom, ...], literals: tuple[str, ...], *, ignore_case: bool
) -> Tail | None:
    """The first end of these atoms that begins with a literal once the rest follows; the rest isn't part of it.

    Where a literal stands inside the ways of a group, each of the ways has an end of its own.
    """
    flags = ""
    for index, atom in enumerate(atoms):
        if atom.flags:
            if rest or ("i" in atom.text and not ignore_case):
                return None
            flags += atom.text
            continue
        before = _widest([list(atoms[:index])])
        if not atom.zero and _opens((*atoms[index:], *rest), "", literals, ignore_case=ignore_case):
            return Tail(flags + _text(atoms[index:]), before, (atoms[index:],), (atoms[:index],))
        following = atoms[index + 1 :]
        found = _ends(atom, (*following, *rest), literals, ignore_case=ignore_case)
        if found is not None:
            both = None if before is None or found.before is None else before + found.before
            ways = tuple((*way, *following) for way in found.ways)
            leads = tuple((*atoms[:index], *lead) for lead in found.leads)
            return Tail(flags + found.text + _text(following), both, ways, leads)
    return None


def _ends(atom: Atom, rest: tuple[Atom, ...], literals: tuple[str, ...], *, ignore_case: bool) -> Tail | None:
    """The ends of a group's ways, as one group; None if one of them has no end that begins with a literal."""
    if not atom.ways or atom.char or atom.zero or atom.optional:
        return None
    ends = [_suffix(tuple(_flat(way)), rest, literals, ignore_case=ignore_case) for way in atom.ways]
    found = [end for end in ends if end is not None]
    if len(found) < len(ends):
        return None
    befores = [end.before for end in found if end.before is not None]
    text = "|".join(dict.fromkeys(end.text for end in found))
    both = tuple(way for end in found for way in end.ways), tuple(lead for end in found for lead in end.leads)
    return Tail(f"(?:{text})", max(befores) if len(befores) == len(found) else None, *both)


def _text(atoms: tuple[Atom, ...]) -> str:
    return "".join(atom.text for atom in atoms)


def _flat(atoms: list[Atom]) -> list[Atom]:
    """The atoms with the groups that are nothing but brackets opened: a tail needs no groups."""
    flat: list[Atom] = []
    for atom in atoms:
        plain = atom.text.startswith("(") and atom.text.endswith(")") and not (atom.flags or atom.optional)
        if plain and atom.ways is not None and len(atom.ways) == 1 and not any(each.flags for each in atom.ways[0]):
            flat += _flat(atom.ways[0])
        else:
            flat.append(atom)
    return flat


def _widest(ways: list[list[Atom]]) -> int | None:
    widest = 0
    for way in ways:
        width = 0
        for atom in way:
            if atom.width is None:
                return None
            width += atom.width
        widest = max(widest, width)
    return widest


def _opens(atoms: tuple[Atom, ...], before: str, literals: tuple[str, ...], *, ignore_case: bool) -> bool:
    """Whether everything these atoms match begins with one of the literals."""
    if before.startswith(literals):
        return True
    if not atoms or not any(literal.startswith(before) for literal in literals):
        return False
    head, rest = atoms[0], atoms[1:]
    if head.zero:
        return _opens(rest, before, literals, ignore_case=ignore_case)
    if head.flags or head.ways is None:
        return False
    if head.optional and not _opens(rest, before, literals, ignore_case=ignore_case):
        return False
    if head.char:
        char = _fold(head.char) if ignore_case else head.char
        return _opens(rest, before + char, literals, ignore_case=ignore_case)
    return all(_opens((*way, *rest), before, literals, ignore_case=ignore_case) for way in head.ways)


def alternatives(regex: str, at: int) -> tuple[list[list[Atom]], int]:
    """The ways of a regex from a place to the closing bracket or the end, and where that is.

    Raises:
        UnreadError: a piece of its syntax isn't read here.
    """
    ways: list[list[Atom]] = [[]]
    while at < len(regex) and regex[at] != ")":
        if regex[at] == "|":
            ways.append([])
            at += 1
            continue
        atom, at = _atom(regex, at)
        ways[-1].append(atom)
    return ways, at


def _atom(regex: str, at: int) -> tuple[Atom, int]:
    """The atom at a place, with its quantifier, and where the next begins."""
    begin = at
    char = regex[at]
    if char == "(":
        found, at = _group(regex, at)
    elif char == "[":
        found, at = _class(regex, at)
    elif char == "\\":
        found, at = _escape(regex, at)
    elif char in _ZERO_WIDTH:
        found, at = Atom(char, [[]], 0, zero=True), at + 1
    elif char == ".":
        found, at = Atom(char, None, 1), at + 1
    elif char in _QUANTIFIERS:
        raise UnreadError
    else:
        found, at = _char(char, char), at + 1
    if at < len(regex) and regex[at] in _QUANTIFIERS:
        return _quantified(found, regex, begin, at)
    text = regex[begin:at]
    return found if found.text == text else found._replace(text=text), at


def _quantified(found: Atom, regex: str, begin: int, at: int) -> tuple[Atom, int]:
    quantifier = at
    sign = regex[at]
    least = 1 if sign == "+" else 0
    at += 1
    width = found.width if sign == "?" else None
    if sign == "{":
        stop = regex.find("}", at)
        most = regex[at:stop].rpartition(",")[2]
        if stop < 0 or (most and not most.isdigit()):
            raise UnreadError
        width = None if found.width is None or not most else found.width * int(most)
        fewest = regex[at:stop].partition(",")[0]
        least = int(fewest) if fewest.isdigit() else 0
        at = stop + 1
    if at < len(regex) and regex[at] == "?":
        at += 1
    text = regex[begin:at]
    if sign == "?":
        return found._replace(text=text, optional=True), at
    return Atom(text, None, width, repeated=found._replace(text=regex[begin:quantifier]), least=least), at


def _char(char: str, text: str) -> Atom:
    return Atom(text, [[]], 1, char=char)


def _group(regex: str, at: int) -> tuple[Atom, int]:
    inside = at + 1
    if regex.startswith("(?P<", at) or regex.startswith("(?<", at):
        inside = regex.index(">", at) + 1
    elif regex.startswith("(?", at):
        end = at + 2
        while end < len(regex) and (regex[end].isalpha() or regex[end] == "-"):
            end += 1
        if regex[end : end + 1] == ")":
            return Atom(regex[at : end + 1], [[]], 0, flags=True), end + 1
        if regex[end : end + 1] != ":":
            raise UnreadError
        if end != at + 2:  # flags of its own: not looked into
            ways, stop = alternatives(regex, end + 1)
            return Atom("", None, _widest(ways)), stop + 1
        inside = end + 1
    ways, stop = alternatives(regex, inside)
    if regex[stop : stop + 1] != ")":
        raise UnreadError
    return Atom("", ways, _widest(ways)), stop + 1


def _class(regex: str, at: int) -> tuple[Atom, int]:
    """A character class: tried one by one when it has but a few members."""
    end = at + 1
    negated = regex[end : end + 1] == "^"
    end += negated
    members: list[str] = []
    plain = not negated
    first = True
    while end < len(regex) and (regex[end] != "]" or first):
        first = False
        if regex.startswith("[:", end):
            raise UnreadError
        if regex[end] == "\\":
            escaped = regex[end + 1 : end + 2]
            if escaped in ("Q", ""):
                raise UnreadError
            plain = plain and not escaped.isalnum()
            end += 1
        elif regex[end] == "-" and members and regex[end + 1 : end + 2] != "]":
            plain = False
        members.append(regex[end : end + 1])
        end += 1
    if end >= len(regex):
        raise UnreadError
    if plain and len(members) <= _CLASS_MOST:
        return Atom("", [[_char(member, member)] for member in members], 1), end + 1
    return Atom("", None, 1), end + 1


def _escape(regex: str, at: int) -> tuple[Atom, int]:
    text = regex[at : at + 2]
    if text in _ZERO_WIDTH:
        return Atom(text, [[]], 0, zero=True), at + 2
    following = text[1:]
    if following in ("x", "p", "P"):
        braced = regex.startswith("{", at + 2)
        stop = regex.find("}", at) + 1 if braced else at + (4 if following == "x" else 3)
        return Atom(regex[at:stop], None, 1), stop
    if following in ("Q", "C", "") or following.isdigit():  # an octal number may have three digits
        raise UnreadError
    if following.isalnum():
        return Atom(text, None, 1), at + 2
    return _char(following, text), at + 2


def _fold(text: str) -> str:
    """Lower case as the prefilter sees it: ASCII alone."""
    return "".join(chr(ord(char) + 32) if "A" <= char <= "Z" else char for char in text)
