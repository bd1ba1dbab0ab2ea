"""How what a builtin costs and returns grows with its arguments."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tidegate_policy.polynomials import ONE, Poly, constant
from tidegate_policy.sizes import UNKNOWN, Value, flat, known, part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tidegate_policy.sizes import Frame

_FLAT = """
    abs base64.is_valid bits.and bits.negate bits.or bits.rsh bits.xor ceil contains count endswith floor indexof
    is_array is_boolean is_null is_number is_object is_set is_string json.is_valid net.cidr_contains net.cidr_is_valid
    print round semver.compare semver.is_valid startswith  time.add_date time.clock time.date time.diff
    time.format time.parse_duration_ns time.parse_ns time.parse_rfc3339_ns time.weekday trace type_name
    """
_PARTS = """
    array.concat array.reverse array.slice max min object.filter object.remove object.union sort sum
    """
_SETS = "intersection object.keys union"
_FIRST = """
    base64.decode base64url.decode hex.decode strings.reverse substring to_number trim trim_left trim_prefix trim_right
    trim_space trim_suffix uuid.parse
    """  # a text no longer than the first argument
_WIDER: dict[str, float] = {  # a text so many times as long as the first argument
    "base64.encode": 2,
    "base64url.encode": 2,
    "base64url.encode_no_pad": 2,
    "format_int": 64,
    "hex.encode": 2,
    "lower": 1.5,
    "upper": 3,
    "urlquery.encode": 3,
}
_WRITTEN = "json.marshal json.marshal_with_options urlquery.encode_object"
_PIECES = "indexof_n json.unmarshal"
_TIMES = """
    graph.reachable json.filter json.remove object.union_n product strings.any_prefix_match
    strings.any_suffix_match trim trim_left trim_right
    """  # they may look at each of one argument for each of another, or again for each of their own
_PATTERNS = {"glob.match": 0, "regex.is_valid": 0, "regex.match": 0}
_CUT = {"regex.find_all_string_submatch_n": 0, "regex.find_n": 0, "regex.split": 0}
_FIXED = {**_PATTERNS, **_CUT, "regex.replace": 1, "sprintf": 0, "strings.replace_n": 0}
"""Which argument decides how the others are used: it must not come from the input."""
_SEARCHES = frozenset((*_PATTERNS, *_CUT, "regex.replace", "indexof", "indexof_n"))
_AGAIN = frozenset((*_CUT, "regex.replace"))
"""They search again behind each match, and a pattern may look ahead to the end each time."""
_TEXTS = frozenset(
    (*_FIRST.split(), *_WIDER, *_SEARCHES, "contains", "endswith", "indexof", "indexof_n", "replace", "split")
)
_TEXTS |= {"startswith"}
"""They take texts and numbers only, apart from the arguments of sprintf."""
_CACHED, _COMPILED = 128, constant(5000)  # compiled patterns that are kept, and what compiling one costs
_AHEAD = constant(1 / 64)  # of a step, for one character looked at again


class UnboundedError(ValueError):
    """There is no bound: why not."""


def applied(frame: Frame, name: str, args: Sequence[Value]) -> Value:
    """Charge what a builtin costs, and return what it may return.

    Args:
        frame: where it is called.
        name: the builtin's.
        args: its arguments.

    Raises:
        UnboundedError: where that isn't bounded by the size of its arguments.
    """
    at = _FIXED.get(name)
    if at is not None and (at >= len(args) or not args[at].fixed):
        raise UnboundedError(f"what decides how {name} works comes from the input")
    if name == "object.get" and len(args) == 3:
        frame.work(args[1])
        return frame.either((part(args[0], args[1].known), args[2]))
    if name in _TEXTS:
        args = [frame.text(each) for each in args]
    rule = _RULES.get(name)
    if rule is None or not args:
        raise UnboundedError(f"what {name} costs is not bounded by the size of its arguments")
    if name in _TIMES.split():
        frame.work(_squared(frame, args))
    else:
        frame.work(*args)
        _search(frame, name, args)
    try:
        made = _folded(name, args) or rule(frame, args)
    except IndexError:
        raise UnboundedError(f"{name} is called with too few arguments") from None
    if rule is not _flat:
        frame.work(made)
    return made


def _search(frame: Frame, name: str, args: Sequence[Value]) -> None:
    """Charge what a pattern costs above the look at the text, which is where it isn't the pattern."""
    if name not in _SEARCHES:
        return
    at = _FIXED.get(name, 1)
    if args[at].known is UNKNOWN and args[at].nodes.at(1, 1, 1) > _CACHED:
        frame.charge(_COMPILED)
    for text in args[: 3 if name == "glob.match" else 2]:
        if text is not args[at]:
            frame.charge(text.chars, frame.covers(text))
            if name in _AGAIN and not _narrow(args[at].known):
                frame.charge(text.chars * text.string * _AHEAD, frame.covers(text))


def _narrow(pattern: Any) -> bool:
    """Say whether a pattern looks no further than a little behind what it finds."""
    return isinstance(pattern, str) and not re.search(r"[*+]|,\}", pattern)


def _folded(name: str, args: Sequence[Value]) -> Value | None:
    """Return what a few builtins return where all their arguments are known."""
    values = [each.known for each in args]
    if name == "concat" and len(values) == 2 and isinstance(values[0], str) and isinstance(values[1], list):
        return known(values[0].join(map(str, values[1])))
    if name == "array.concat" and all(isinstance(value, list) for value in values):
        return known([each for value in values for each in value])
    if name == "lower" and isinstance(values[0], str):
        return known(values[0].lower())
    return None


def _squared(frame: Frame, args: Sequence[Value]) -> Value:
    """Return the product of some sizes, or of one with itself; fixed ones multiply what is a part of a tip."""
    tip, times = frame.shared(args)
    varying = [each for each in args if not each.fixed]
    whole = varying[0].size if len(varying) == 1 else ONE
    if len(varying) != 1 or len(args) == 1:
        whole = whole * _product([each.size for each in args])
        return Value(0, whole, constant(0))
    whole = (whole + times) * _product([each.size for each in args if each.fixed])
    return Value(tip, whole, constant(0))


def _product(sizes: Sequence[Poly]) -> Poly:
    product = ONE
    for each in sizes:
        product = product * (each + ONE)
    return product


def _text(frame: Frame, args: Sequence[Value], chars: Poly, longest: Poly | None = None) -> Value:
    """Return a text of some characters, made of some values."""
    tip, times = frame.shared(args)
    return Value(tip, times, chars, all(each.fixed for each in args), longest=longest)


def _chars(frame: Frame, args: Sequence[Value], index: int) -> Poly:
    """Return the characters of an argument, over all turns of the chain that the result is a part of."""
    tip, times = frame.shared(args)
    return args[index].chars * (ONE if args[index].tip == tip else times)


def _concat(frame: Frame, args: Sequence[Value]) -> Value:
    tip, times = frame.shared(args)
    many = args[-1].nodes * (ONE if args[-1].tip == tip else times)
    return _text(frame, args, _chars(frame, args, len(args) - 1) + many * args[0].chars)


def _replace(frame: Frame, args: Sequence[Value]) -> Value:
    _, times = frame.shared(args)
    old, new = (each.known for each in args[1:3])
    if isinstance(old, str) and isinstance(new, str) and old:
        ratio = constant(_ratio(old, new))
        return _text(frame, args, _chars(frame, args, 0) * ratio, args[0].string * ratio)
    return _text(frame, args, (_chars(frame, args, 0) + times) * (args[2].chars + ONE))


def _replace_n(frame: Frame, args: Sequence[Value]) -> Value:
    pairs = args[0].known
    if not isinstance(pairs, dict) or not all(pairs) or not all(isinstance(new, str) for new in pairs.values()):
        raise UnboundedError("what strings.replace_n replaces does not stand in the policy")
    ratio = 1.0
    for old, new in pairs.items():  # one after the other, so that one may add what the next one finds
        ratio *= _ratio(old, new)
    return _text(frame, args, _chars(frame, args, 1) * constant(ratio), args[1].string * constant(ratio))


def _ratio(old: str, new: str) -> float:
    return max(1.0, len(new.encode()) / len(old.encode()))


def _rewrite(frame: Frame, args: Sequence[Value]) -> Value:
    _, times = frame.shared(args)
    chars, new = _chars(frame, args, 0), args[2].known
    if not isinstance(new, str):
        return _text(frame, args, (chars + times) * (args[2].chars + ONE))
    groups = re.findall(r"\$\{?\w+", new)
    literal = len(re.sub(r"\$\{\w+\}|\$\w+", "", new).encode())
    nested = re.search(r"\([^)]*\(", args[1].known) if isinstance(args[1].known, str) else True
    copies = len(groups) if nested or len(groups) > len(set(groups)) else 1  # groups beside one another share the match
    wider, more = constant(max(1, copies) + literal), constant(literal)
    return _text(frame, args, chars * wider + times * more, args[0].string * wider + more)


def _split(frame: Frame, args: Sequence[Value]) -> Value:
    tip, times = frame.shared(args)
    chars, separator = _chars(frame, args, 0), args[1].known
    length = len(separator.encode()) if isinstance(separator, str) and separator else 1
    nodes, fixed = chars * constant(1 / length) + times + times, all(each.fixed for each in args)
    return Value(tip, nodes, chars, fixed, longest=args[0].string)


def _cut(frame: Frame, args: Sequence[Value]) -> Value:
    tip, times = frame.shared(args)
    chars, many = _chars(frame, args, 1) + times + times, args[2].known if len(args) > 2 else -1
    nodes = times * constant(many + 1) if isinstance(many, int) and many >= 0 else chars
    return Value(tip, nodes, chars, all(each.fixed for each in args), longest=args[1].string)


def _cut_groups(frame: Frame, args: Sequence[Value]) -> Value:
    whole = _cut(frame, args)
    groups = constant(args[0].known.count("(") + 2 if isinstance(args[0].known, str) else 1000)
    return replace(whole, nodes=whole.nodes * groups, chars=whole.chars * groups)


def _pieces(frame: Frame, args: Sequence[Value]) -> Value:
    whole = frame.gather(args)
    return replace(whole, nodes=whole.size, chars=whole.size * constant(40), longest=None)


def _written(frame: Frame, args: Sequence[Value]) -> Value:
    whole = frame.gather(args)
    return _text(frame, args, whole.chars * constant(6) + whole.nodes * constant(8))


def _wider(times: float) -> Callable[[Frame, Sequence[Value]], Value]:
    def made(frame: Frame, args: Sequence[Value]) -> Value:
        wider = constant(times)
        return _text(frame, args, _chars(frame, args, 0) * wider, args[0].string * wider)

    return made


def _flat(_frame: Frame, args: Sequence[Value]) -> Value:
    return flat(*args)


def _gathered(frame: Frame, args: Sequence[Value]) -> Value:
    return frame.gather(args)


def _set(frame: Frame, args: Sequence[Value]) -> Value:
    return replace(frame.gather(args), sets=True)


_RULES: dict[str, Callable[[Frame, Sequence[Value]], Value]] = {
    **dict.fromkeys((*_FLAT.split(), *_PATTERNS), _flat),
    **dict.fromkeys((*_PARTS.split(), *_TIMES.split()), _gathered),
    **dict.fromkeys(("strings.any_prefix_match", "strings.any_suffix_match"), _flat),
    **dict.fromkeys(_SETS.split(), _set),
    **dict.fromkeys(_FIRST.split(), _wider(1)),
    **{name: _wider(times) for name, times in _WIDER.items()},
    **dict.fromkeys((*_WRITTEN.split(), "sprintf"), _written),
    **dict.fromkeys(_PIECES.split(), _pieces),
    **dict.fromkeys(_CUT, _cut),
    "concat": _concat,
    "regex.find_all_string_submatch_n": _cut_groups,
    "regex.replace": _rewrite,
    "replace": _replace,
    "split": _split,
    "strings.replace_n": _replace_n,
}

BOUNDED = frozenset((*_RULES, "object.get"))
"""The builtins whose time and result are bounded by the size of their arguments."""
