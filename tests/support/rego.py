"""Small policies made up at random, and inputs of the contract's shape full of what nobody would send in good faith."""

import random
import re
from collections.abc import Iterable, Iterator
from typing import Any

from hypothesis import strategies as st

from support import rego_negations

# Where strings, numbers, and anything at all are found in an input.
_STRINGS = (
    "input.arguments.path",
    "input.arguments[_]",
    "input.arguments[_][_]",
    "input.params.strings[_].value",
    "input.params.strings[_].decoded[_]",
    "input.params.strings[_].key",
    "input.params.strings[_].pointer",
    "input.result.strings[_].value",
    "input.target.name",
    "input.tool.name",
    "input.server.name",
    "input.server.labels[_]",
    "input.session.labels[_]",
    "input.principal.roles[_]",
    "input.principal.claims[_]",
    "input.method",
    "input.phase",
    "input.cut[_]",
    "input.tool.annotations.title",
    "input.nothing",
)
_NUMBERS = (
    "input.message.size",
    "input.time.hour",
    "input.session.counts[_]",
    "input.session.recent.hour[_]",
    "input.arguments.n",
    "input.arguments[_]",
    "input.findings[_].confidence",
    "input.session.calls[_].seconds_ago",
    "input.result.size",
    "count(input.session.calls)",
    "count(input.params.strings)",
)
_ANY = (
    "input.arguments",
    "input.arguments[_]",
    "input.arguments[_][_]",
    "input.arguments.path",
    "input.tool.annotations",
    "input.tool",
    "input.session.counts",
    "input.session.calls",
    "input.principal.claims",
    "input.server.labels",
    "input.params.strings[_]",
    "input.nothing.more",
)
# What is asked of them; X is the variable, L a literal of the right kind.
_OF_STRINGS = (
    "startswith(X, L)",
    "endswith(X, L)",
    "contains(X, L)",
    "not contains(X, L)",
    "lower(X) == L",
    "X == L",
    "X != L",
    "X < L",
    "X in data.words",
    "not X in data.words",
    'X in {"a", L}',
    'regex.match("^[a-z0-9_./-]+$", X)',
    'regex.match("(^|/)[.]{2}(/|$)", X)',
    'regex.match("(?i)select|drop", X)',
    'not regex.match("^[[:ascii:]]*$", X)',
    "regex.match(`^(?:https?|file)://[^/]*@`, X)",
    'not contains(X, "\\u0000"); glob.match("/data/**", ["/"], X)',
    'not contains(X, "\\u0000"); glob.match("*.{txt,md}", [], X)',
    'count(split(X, "/")) > 2',
    'split(X, "/")[_] == ".."',
    'trim_space(X) != X; contains(X, "a")',
    'trim_prefix(X, "/") != X',
    'trim(X, "./") == L',
    "substring(X, 0, 1) == L",
    'indexof(X, "a") >= 0',
    'replace(X, "..", "") != X',
    'concat("/", split(X, "/")) == X',
    'sprintf("%s", [X]) == X',
    "strings.reverse(X) == X",
    "strings.any_prefix_match(X, data.words)",
    'json.is_valid(X); contains(X, "[")',
    "every word in data.words { not contains(X, word) }",
    "some word in data.words; contains(X, word)",
    'count([part | some part in split(X, "."); part == L]) > 0',
    'net.cidr_is_valid(X); net.cidr_contains("10.0.0.0/8", X)',
    'object.get({"a": 1, "/": 2}, X, 0) > 0',
    'regex.replace(X, "[^a-z]", "") == L',
    "f(X) == L",
    "g(X)",
)
_OF_NUMBERS = (
    "X > L",
    "X < L",
    "X >= data.limit",
    "X == L",
    "X != L",
    "X + 1 > L",
    "X - L < 3",
    "X * 2 > L",
    "floor(X) % 2 == 1",
    "abs(X) > 3",
    "round(X) == L",
    "X in [1, 2, L]",
    "X in numbers.range(0, 5)",
    "h(X) > L",
)
_OF_ANY = (
    'type_name(X) == "object"',
    "is_array(X)",
    "is_null(X)",
    "is_boolean(X)",
    "not is_string(X)",
    "X",
    "not X",
    "not X.path",
    "X.path == L",
    "X == {}",
    "X == input.arguments",
    "X != null",
    'is_object(X); object.get(X, "path", "none") == "none"',
    "is_object(X); count(object.keys(X)) > 1",
    'is_object(X); some key, _ in X; startswith(key, "p")',
    "is_object(X); some _, value in X; is_number(value)",
    "is_object(X); every _, value in X { is_string(value) }",
    "is_array(X); every value in X { value != L }",
    "is_array(X); count(X) > 1",
    "is_array(X); X[0] == X[count(X) - 1]",
    "is_array(X); L in X",
    "is_array(X); count({value | some value in X}) < count(X)",
    "walk(X, [path, value]); value == L",
    "walk(X, [path, value]); count(path) > 1; is_string(value)",
    'is_object(X); object.union(X, {"path": 1}).path == 1',
    'is_object(X); object.remove(X, ["path"]) == X',
    'is_array(X); array.concat(X, ["a"]) != X',
    "is_array(X); sort(X)[0] == L",
    "X > L",
    'json.marshal(X) == "null"',
)
_WORDS = ("", "a", "/", "..", "/etc", "path", "GET", "ß", "\u017f", "é", "😀", "..%2f", "127.0.0.1", "private", "x")
_HELPERS = """maybe := input.params.strings[1].value

equal_to(left, right) if left == right

as_is(value) := value

f(text) := lower(trim_space(text))

default g(_) := false

g(text) if startswith(text, "/")

g(text) if {
	some word in data.words
	text == word
}

h(number) := number + 1 if number >= 0

else := 0
"""

DATA: dict[str, Any] = {"words": ["..", "/etc", "secret", "ß", "😀", ""], "limit": 3}


def package(numbers: Iterable[int], *, guarded: bool) -> str:
    """Return a module with many policies: for each number, a few rules put together at random, and ``decision_N``.

    Args:
        numbers: the seeds.
        guarded: whether it is always asked of what type something is, before a builtin is given it.
    """
    return "\n".join(["package made\n\nimport rego.v1\n", _HELPERS, *(_policy(each, guarded) for each in numbers)])


def _policy(seed: int, guarded: bool) -> str:  # noqa: FBT001 - named where it is called from outside
    chance = random.Random(seed)
    rules = [_rule(chance, f"{seed}_{number}", guarded) for number in range(chance.randint(2, 5))]
    members = ['"deny": deny', '"labels": labels']
    chance.shuffle(members)
    decision = f"decision := {{{', '.join(members)}}}\n"
    always = 'deny contains {"rule": "none", "reason": "none"} if false\n\nlabels contains "none" if false\n'
    text = "\n".join([decision, always, *rules])
    return re.sub(r"(?m)^(decision|deny|labels)\b|(?<=: )(deny|labels)\b", rf"\g<0>_{seed}", text)


def _rule(chance: random.Random, name: str, guarded: bool) -> str:  # noqa: FBT001 - as above
    body: list[str] = []
    for at in range(chance.randint(1, 3)):
        kind = chance.choice(("string", "string", "number", "any"))
        body += _condition(chance, f"x{at}", kind, guarded=guarded or chance.random() < 0.5)
    if chance.random() < 0.6:
        body += rego_negations.statements(chance, _quoted)
    if chance.random() < 0.2:
        body.append(f"not other_{name}")
    if chance.random() < 0.3:
        head = f'labels contains sprintf("%v-{name}", [label])'
        body += [f"label := {chance.choice(_STRINGS)}", "is_string(label)"]
    else:
        head = f'deny contains {{"rule": "rule/{name}", "reason": "made up"}}'
    lines = "".join(f"\t{line}\n" for line in body)
    other = f'\nother_{name} if input.arguments.path == "/"\n' if f"other_{name}" in lines else ""
    return f"{head} if {{\n{lines}}}\n{other}"


def _condition(chance: random.Random, name: str, kind: str, *, guarded: bool) -> Iterator[str]:
    places, asked, guard = {
        "string": (_STRINGS, _OF_STRINGS, "is_string"),
        "number": (_NUMBERS, _OF_NUMBERS, "is_number"),
        "any": (_ANY, _OF_ANY, ""),
    }[kind]
    yield f"{name} := {chance.choice(places)}"
    if guarded and guard:
        yield f"{guard}({name})"
    number = str(chance.randint(-1, 12))
    literal = number if kind == "number" or (kind == "any" and chance.random() < 0.3) else _quoted(chance)
    said = chance.choice(asked).replace("X", name).replace("L", literal)
    for each in said.split("; "):
        yield (
            each.replace("word", f"word_{name}")
            .replace(f"data.word_{name}s", "data.words")
            .replace("value", f"value_{name}")
            .replace("[path,", f"[path_{name},")
            .replace("count(path)", f"count(path_{name})")
        )


def _quoted(chance: random.Random) -> str:
    return '"' + chance.choice(_WORDS) + '"'


_hostile = st.one_of(
    st.sampled_from(_WORDS),
    st.sampled_from(
        ("/data/../etc/passwd", "a.txt", "10.1.2.3", "10.0.0.0/33", "\u0000", "\u202e/etc", "İ", "ΑΣ", "1e3")
    ),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=12),
    st.text(alphabet="./%2eaA\\:@{}[]*?\n\t ", max_size=12),
)
_number = st.one_of(st.integers(-3, 12), st.integers(-(2**53), 2**53), st.sampled_from((0.5, 1.5, -0.25, 2.0, 1e3)))
_value = st.recursive(
    st.one_of(_hostile, _number, st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_hostile, inner, max_size=3)),
    max_leaves=6,
)
_labels = st.lists(st.sampled_from(("private", "external", "", "a")), max_size=2)
_counts = st.dictionaries(st.sampled_from(("s/read", "s/write", "a/é")), st.integers(0, 12), max_size=2)
_leaf = st.fixed_dictionaries(
    {"pointer": _hostile, "key": _hostile, "value": _hostile, "decoded": st.lists(_hostile, max_size=2)},
    optional={"is_key": st.just(True)},  # noqa: FBT003 - the strategy of one value
)
_call = st.fixed_dictionaries(
    {"server": _hostile, "tool": _hostile, "seconds_ago": st.integers(0, 90), "labels": _labels}
)
_arguments = st.one_of(
    st.dictionaries(st.one_of(st.sampled_from(("path", "n", "url")), _hostile), _value, max_size=4),
    st.fixed_dictionaries({"path": _hostile, "n": _number}),
)
_annotations = st.dictionaries(st.sampled_from(("title", "readOnlyHint")), _value, max_size=2)

INPUTS = st.fixed_dictionaries(
    {
        "v": st.just(1),
        "phase": st.sampled_from(("request", "reply", "notification", "list")),
        "direction": st.sampled_from(("client_to_server", "server_to_client")),
        "method": st.sampled_from(("tools/call", "resources/read", "initialize", "x")),
        "message": st.fixed_dictionaries({"size": st.integers(0, 100_000), "digest": st.just("0" * 64)}),
        "principal": st.fixed_dictionaries(
            {
                "name": _hostile,
                "roles": _labels,
                "claims": st.dictionaries(_hostile, _value, max_size=2),
                "auth": st.just("token"),
            }
        ),
        "profile": _hostile,
        "client": st.fixed_dictionaries({"name": _hostile, "version": _hostile}),
        "server": st.fixed_dictionaries(
            {"name": _hostile, "kind": st.just("process"), "trust": st.sampled_from(("low", "high")), "labels": _labels}
        ),
        "target": st.fixed_dictionaries({"kind": st.sampled_from(("tool", "")), "name": _hostile}),
        "tool": st.fixed_dictionaries(
            {"name": _hostile, "annotations": _annotations, "description_sha256": st.just(""), "pinned": st.booleans()}
        ),
        "arguments": _arguments,
        "params": st.fixed_dictionaries({"strings": st.lists(_leaf, max_size=4)}),
        "result": st.fixed_dictionaries(
            {
                "is_error": st.booleans(),
                "size": st.integers(0, 9),
                "strings": st.lists(st.fixed_dictionaries({"pointer": _hostile, "value": _hostile}), max_size=2),
            }
        ),
        "findings": st.lists(
            st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(("secret", "carried")),
                    "rule": _hostile,
                    "pointer": _hostile,
                    "confidence": st.sampled_from((0.0, 0.5, 1.0)),
                }
            ),
            max_size=2,
        ),
        "session": st.fixed_dictionaries(
            {
                "id": st.just("id"),
                "age_s": st.integers(0, 100),
                "labels": _labels,
                "calls": st.lists(_call, max_size=2),
                "counts": _counts,
                "recent": st.fixed_dictionaries({"minute": _counts, "hour": _counts, "day": _counts}),
            }
        ),
        "cut": st.lists(_hostile, max_size=1),
        "time": st.fixed_dictionaries(
            {
                "unix_ns": st.integers(0, 2**62),
                "weekday": st.sampled_from(("monday", "sunday")),
                "hour": st.integers(0, 23),
                "minute": st.integers(0, 59),
            }
        ),
    }
)
