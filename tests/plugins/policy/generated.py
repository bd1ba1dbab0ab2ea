"""Made-up policies and inputs of any size, to hold against bounds what their evaluation takes."""

import json
import random
import time
from typing import Any

import regorus

HEAD = "package a\n\nimport rego.v1\n\n"
QUERY = ("data", "a", "x")
DATA = {"words": [f"alpha{index}" for index in range(10)], "table": {f"k{index}": index for index in range(20)}}

_RULES = """
texts contains lower(each.v) if some each in input.a
ids[each.k] := each.id if some each in input.b
longest := max([count(each.v) | some each in input.b])
near(one) if { some part in one.items; startswith(part, "q") }
near(one) if { some other in input.b; other.k == one.k; other.id < 0 }
parts(text) := split(text, "x")
"""


def sized(items: int, chars: int, below: int) -> dict[str, Any]:
    """Return an input: some items with texts of a length, each with some parts."""
    text = "xyz" * (chars // 3)
    items_ = [
        {"v": f"{text}{index}", "id": index, "k": f"k{index}", "items": [f"{text}{part}" for part in range(below)]}
        for index in range(items)
    ]
    return {"a": items_, "b": [{**item, "items": []} for item in items_]}


class Maker:
    """Makes a policy, the same for the same seed: loops, calls, comprehensions, in odd orders and with odd names."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._names = [f"{letter}{index}" for index in range(2, 5) for letter in "abcdfghjkmnpqrstuvwyz"]
        self._random.shuffle(self._names)
        self._whole = 0  # loops over the input from its root

    def policy(self) -> str:
        """Return the text of a module with the rule ``x``."""
        rules = "\n".join(rule for rule in _RULES.strip().splitlines())
        return f"{HEAD}x contains {self._rule()}\n\n{rules}\n"

    def _rule(self) -> str:
        items: list[str] = []
        texts: list[str] = []
        statements = self._statements(items, texts, self._random.randint(2, 5))
        seen = [f"{item}.k" for item in items[-1:]] + [f"count({text})" for text in texts[-1:]]
        return f"[{', '.join(seen)}] if {{\n\t" + "\n\t".join(statements) + "\n}"

    def _statements(self, items: list[str], texts: list[str], many: int) -> list[str]:
        return [self._statement(items, texts) for _ in range(many)]

    def _statement(self, items: list[str], texts: list[str]) -> str:
        kinds = ["loop", "loop"] if self._whole < 2 or items else ["words"]
        kinds += ["words"]
        if items:
            kinds += ["below", "below", "text", "near", "filter", "lookup", "comprehension", "every"]
        if texts:
            kinds += ["parts", "contains", "member", "comprehension_text"]
        made: str = getattr(self, "_" + self._random.choice(kinds))(items, texts)
        return made

    def _name(self) -> str:
        return self._names.pop()

    def _loop(self, items: list[str], texts: list[str]) -> str:
        if self._whole >= 2:
            return self._words(items, texts)
        self._whole += 1
        name = self._name()
        items.append(name)
        form = self._random.choice(["some {0} in input.{1}", "{0} := input.{1}[_]"])
        return form.format(name, self._random.choice("ab"))

    def _words(self, items: list[str], texts: list[str]) -> str:
        texts.append(name := self._name())
        return f"some {name} in {self._random.choice(['data.words', '[`one`, `two`]', 'object.keys(data.table)'])}"

    def _below(self, items: list[str], texts: list[str]) -> str:
        texts.append(name := self._name())
        return f"some {name} in {self._random.choice(items)}.items"

    def _text(self, items: list[str], texts: list[str]) -> str:
        item = self._random.choice(items)
        texts.append(name := self._name())
        form = self._random.choice(["lower({0}.v)", "{0}.v", "concat(`/`, {0}.items)", "json.marshal({0})"])
        return f"{name} := {form.format(item)}"

    def _parts(self, items: list[str], texts: list[str]) -> str:
        text = self._random.choice(texts)
        texts.append(name := self._name())
        return f"some {name} in {self._random.choice(['parts({0})', 'split({0}, `y`)']).format(text)}"

    def _near(self, items: list[str], texts: list[str]) -> str:
        return f"not near({self._random.choice(items)})"

    def _filter(self, items: list[str], texts: list[str]) -> str:
        item = self._random.choice(items)
        return self._random.choice(["{0}.id >= 0", "{0}.v != `q`", "not contains({0}.v, `q`)"]).format(item)

    def _lookup(self, items: list[str], texts: list[str]) -> str:
        return f"ids[{self._random.choice(items)}.k] != longest + 1000000"

    def _contains(self, items: list[str], texts: list[str]) -> str:
        one, two = self._random.choice(texts), self._random.choice(texts)
        return f"not contains({one}, concat(``, [{two}, `q`]))"

    def _member(self, items: list[str], texts: list[str]) -> str:
        where = self._random.choice(["texts", "data.words", "{`one`, `two`}", "[each.v | some each in input.b]"])
        return f"not concat(``, [{self._random.choice(texts)}, `q`]) in {where}"

    def _comprehension(self, items: list[str], texts: list[str]) -> str:
        item = self._random.choice(items)
        return f"{self._name()} := [[each, {item}.id] | some each in {item}.items; not contains(each, `q`)]"

    def _comprehension_text(self, items: list[str], texts: list[str]) -> str:
        text = self._random.choice(texts)
        texts.append(name := self._name())
        return f"{name} := concat(`,`, {{each | some each in split({text}, `z`)}})"

    def _every(self, items: list[str], texts: list[str]) -> str:
        item = self._random.choice(items)
        return f"every each in {item}.items {{ not endswith(each, `q`); each != {item}.v }}"


def seconds(policy: str, given: Any, times: int = 3) -> float:
    """Return what evaluating a policy takes, in seconds of processor time; the least of several."""
    engine = regorus.Engine()
    engine.add_policy("a.rego", policy)
    engine.add_data(DATA)
    text, least = json.dumps(given), float("inf")
    for _ in range(times):
        engine.set_input_json(text)
        started = time.process_time()
        engine.eval_rule_as_json(".".join(QUERY))
        least = min(least, time.process_time() - started)
    return least
