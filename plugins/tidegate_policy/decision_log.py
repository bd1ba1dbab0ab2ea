"""Writes decisions as JSON lines in the shape of OPA's decision logs, for the tools that read those.

One line for each unit that was asked. What a message says is masked before it is written: ``erased`` and ``masked``
name what was taken out and what was replaced, as OPA's do. Which members it has stays.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

import orjson

import tidegate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MASK = "[masked]"
_MODE = 0o600
_PLAIN = re.compile(
    r"[A-Za-z_$][A-Za-z0-9_-]{0,63}|[0-9]{1,9}|~2"
)  # a member's name, an index, a step into a JSON text
_METHOD = re.compile(r"[A-Za-z]{1,32}(?:/[A-Za-z_]{1,32}){0,3}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_SENSITIVE = ("secret", "pii")
_HISTORY = ("calls", "counts", "recent")  # names of what was called before, found in earlier messages


class DecisionLog:
    """One file of decisions. It is opened anew where another program moved it away."""

    def __init__(self, path: Path) -> None:
        """Open a log; it is made if it isn't there, for its owner only.

        Raises:
            OSError: where it can't be opened.
        """
        self._path = path
        self._descriptor = self._open()
        self._labels = {"app": "tidegate", "id": secrets.token_hex(8), "version": tidegate.__version__}

    def write(self, decision: tidegate.Decision, flow: tidegate.Flow, said: Mapping[str, Any], by: str = "") -> None:
        """Write the lines of a decision, all of them or none.

        Args:
            decision: the decision.
            flow: its flow.
            said: what was asked and answered: ``revision``, ``input``, and ``decision`` with the answer of each unit.
            by: the name of the interceptor that asked, for its time; any for none.

        Raises:
            OSError: where they can't be written.
        """
        names = [finding for _, finding in decision.findings if finding.kind in _SENSITIVE or finding.fingerprint]
        masked = _Masked(said["input"], found=bool(names))
        took = sum(step.elapsed_ns for step in decision.steps if step.hook == "decide" and by in ("", step.by))
        now = time.time_ns()
        line: dict[str, Any] = {
            "labels": self._labels,
            "decision_id": decision.id,
            "bundles": {"tidegate": {"revision": said["revision"]}},
            "timestamp": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now // 10**9))}.{now % 10**9:09d}Z",
            "metrics": {"timer_rego_query_eval_ns": took},
            "requested_by": flow.principal.name,
            "type": "openpolicyagent.org/decision_logs",
            "input": masked.value,
        }
        line |= {name: found for name, found in (("erased", masked.erased), ("masked", masked.masked)) if found}
        data = b"".join(
            orjson.dumps(line | {"path": _path(unit)} | _result(answer), option=orjson.OPT_APPEND_NEWLINE)
            for unit, answer in said["decision"].items()
        )
        self._put(data)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, _MODE)

    def _put(self, data: bytes) -> None:
        try:
            moved = not os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            moved = True
        if moved:
            os.close(self._descriptor)
            self._descriptor = self._open()
        written = os.write(self._descriptor, data)
        if written < len(data):  # a full disk: take the part back, so that each line is whole
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
            raise OSError(28, "the decision log can't be written")


def _path(unit: str) -> str:
    return "tidegate/decision" if unit == "bundle" else f"tidegate/packs/{unit}/decision"


def _result(answer: Any) -> dict[str, Any]:
    """Return the members for an answer; for a failure ``error``, and neither for what is undefined, as OPA does."""
    if isinstance(answer, dict) and answer.keys() == {"kind", "where"}:
        if answer["kind"] == "undefined":
            return {}
        return {"error": {"code": answer["kind"], "message": answer["where"]}}
    if isinstance(answer, dict) and isinstance(answer.get("redact"), list):
        redact = [
            each | {"pointer": _pointer(each["pointer"])}
            if isinstance(each, dict) and isinstance(each.get("pointer"), str)
            else each
            for each in answer["redact"]
        ]
        return {"result": answer | {"redact": redact}}
    return {"result": answer}


def _pointer(pointer: str) -> str:
    """Return a pointer without names that are no plain ones: a key may be content."""
    return "/".join(token if not token or _PLAIN.fullmatch(token) else MASK for token in pointer.split("/"))


class _Masked:
    """An input with everything masked that a peer said."""

    def __init__(self, given: Mapping[str, Any], *, found: bool) -> None:
        self.erased: list[str] = []
        self.masked: list[str] = []
        self._found = found  # something sensitive is in the message, perhaps in a name
        self.value = {name: self._member(name, value) for name, value in given.items()}
        if found and "arguments" in self.value:
            del self.value["arguments"]
            self.masked = [each for each in self.masked if not each.startswith("/input/arguments")]
            self.erased.append("/input/arguments")

    def _member(self, name: str, value: Any) -> Any:
        where = f"/input/{name}"
        if name == "arguments":
            return self._leaves(value, where)
        if name in ("params", "result"):
            return value | {"strings": self._strings(value.get("strings", []), f"{where}/strings")}
        if name == "findings":
            return [each | {"pointer": self._where(each["pointer"], f"{where}/{n}")} for n, each in enumerate(value)]
        if name == "cut":
            return [self._where(each, f"{where}/{n}") for n, each in enumerate(value)]
        if name == "session":
            self.erased += [f"{where}/{each}" for each in _HISTORY if each in value]
            return {key: item for key, item in value.items() if key not in _HISTORY}
        if name == "method":
            return value if _METHOD.fullmatch(value) and not self._found else self._mask(where)
        if name in ("target", "tool", "client", "principal"):
            return {
                key: self._fact(key, item, f"{where}/{key}", ours=name == "principal") for key, item in value.items()
            }
        return value

    def _fact(self, key: str, value: Any, where: str, *, ours: bool) -> Any:
        if key in ("annotations", "claims"):
            return self._leaves(value, where)
        if ours or key in ("kind", "description_sha256") or not isinstance(value, str) or not value:
            return value
        return value if _NAME.fullmatch(value) and not self._found else self._mask(where)

    def _strings(self, items: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
        out = []
        for number, item in enumerate(items):
            at = f"{where}/{number}"
            kept = {"pointer": self._where(item["pointer"], at), "value": self._mask(f"{at}/value")}
            if "key" in item:
                plain = _PLAIN.fullmatch(item["key"]) and not self._found and not item.get("is_key")
                kept["key"] = item["key"] if plain or not item["key"] else self._mask(f"{at}/key")
            if "decoded" in item:
                self.erased.append(f"{at}/decoded")
            out.append(kept | ({"is_key": True} if item.get("is_key") else {}))
        return out

    def _where(self, pointer: str, at: str) -> str:
        if self._found:
            return self._mask(f"{at}/pointer" if not at.startswith("/input/cut") else at)
        shown = _pointer(pointer)
        if shown != pointer:
            self.masked.append(f"{at}/pointer" if not at.startswith("/input/cut") else at)
        return shown

    def _leaves(self, value: Any, where: str) -> Any:
        """Return a value of the same shape, with its strings and numbers masked, and its names where they are odd."""
        if isinstance(value, dict):
            out: dict[str, Any] = {}
            for number, (key, item) in enumerate(value.items()):
                plain = _PLAIN.fullmatch(key) is not None
                name = key if plain else f"{MASK}{number}"
                if not plain:
                    self.masked.append(f"{where}/{name}")
                out[name] = self._leaves(item, f"{where}/{name}")
            return out
        if isinstance(value, list):
            return [self._leaves(item, f"{where}/{number}") for number, item in enumerate(value)]
        if value is None or isinstance(value, bool):
            return value
        return self._mask(where)

    def _mask(self, where: str) -> str:
        self.masked.append(where)
        return MASK
