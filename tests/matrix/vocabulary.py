"""What each version of MCP has, so that who gets anything else can say so.

Methods, and the members of messages, are those of the schemas that the `mcp` SDK carries: one for all versions up to
2025-11-25, one for 2026-07-28; those of tasks are in `task_schema`. What came in between (kinds of content, codes of
errors, modes) is below. A member that a later version of the same era has added is not foreign: the schemas of all
versions let receivers ignore it.
"""

from typing import Any

from mcp_types import methods as oracle
from pydantic import BaseModel, TypeAdapter, ValidationError

from matrix import task_schema
from matrix.names import LATEST, META, MODERN, RELATED_TASK, VERSIONS

_Surface = dict[str, dict[tuple[str, str], Any]]


def _with(tasks: _Surface, client: Any, server: Any) -> _Surface:
    return {"client": {**client, **tasks["client"]}, "server": {**server, **tasks["server"]}}


_REQUESTS = _with(task_schema.REQUESTS, oracle.CLIENT_REQUESTS, oracle.SERVER_REQUESTS)
_NOTIFICATIONS = _with(task_schema.NOTIFICATIONS, oracle.CLIENT_NOTIFICATIONS, oracle.SERVER_NOTIFICATIONS)
_RESULTS = _with(task_schema.RESULTS, oracle.CLIENT_RESULTS, oracle.SERVER_RESULTS)

_CONTENT = {
    "text": "2024-11-05",
    "image": "2024-11-05",
    "resource": "2024-11-05",
    "audio": "2025-03-26",
    "resource_link": "2025-06-18",
    "tool_use": "2025-11-25",
    "tool_result": "2025-11-25",
}
_JSON_RPC = frozenset((-32700, -32600, -32601, -32602, -32603))
_CODES = {  # the codes that MCP gives a meaning, and the versions that have them
    -32002: VERSIONS[:4],
    -32042: (LATEST,),
    -32020: (MODERN,),
    -32021: (MODERN,),
    -32022: (MODERN,),
}
_FREE = range(-32019, -31999)  # implementations' own


class ForeignError(AssertionError):
    """A message has what its receiver's version of the protocol hasn't."""


def modern(version: str) -> bool:
    return version >= MODERN


def check(tree: Any, sender: str, version: str, method: str | None = None) -> None:
    """See that a message is one of a version.

    Args:
        tree: the message.
        sender: `client` or `server`.
        version: the receiver's version.
        method: of a reply, the method of the request that it answers.

    Raises:
        ForeignError: where it isn't.
    """
    said = f"{sender} -> {version}: {method or tree.get('method')}"
    if tree.get("jsonrpc") != "2.0" or not set(tree) <= {"jsonrpc", "id", "method", "params", "result", "error"}:
        raise ForeignError(f"{said}: no message of JSON-RPC: {sorted(tree)}")
    if "error" in tree:
        _check_error(tree["error"], version, said)
        return
    surface = _RESULTS if "result" in tree else _REQUESTS if "id" in tree else _NOTIFICATIONS
    named: str = (method or "") if "result" in tree else tree["method"]
    if (named, version) not in surface[sender]:
        raise ForeignError(f"{said}: this version has no such message")
    body = tree["result"] if "result" in tree else {key: value for key, value in tree.items() if key != "jsonrpc"}
    begun = task_schema.begun(named, version, body) if "result" in tree else None
    _check_shape(begun or surface[sender][named, version], body if "result" in tree else tree, said)
    part = tree.get("result", tree.get("params") or {})
    _check_meta(part.get("_meta") or {}, version, said)
    _check_kinds(named, part, version, said)


def _check_error(error: Any, version: str, said: str) -> None:
    code = error.get("code")
    if type(code) is not int or type(error.get("message")) is not str or not set(error) <= {"code", "message", "data"}:
        raise ForeignError(f"{said}: no error of JSON-RPC")
    reserved = -32768 <= code <= -32000
    known = code in _JSON_RPC or version in _CODES.get(code, ()) or (code in _FREE and code not in _CODES)
    if reserved and not known:
        raise ForeignError(f"{said}: this version has no error {code}")


def _check_shape(target: Any, data: Any, said: str) -> None:
    try:
        model = TypeAdapter(target).validate_python(data, by_name=False)
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False)[0]
        raise ForeignError(f"{said}: {first['msg']} at {first['loc']}") from None
    assert isinstance(model, BaseModel)
    dropped = list(_dropped(data, model.model_dump(by_alias=True, mode="json", exclude_unset=True), ""))
    if dropped:
        raise ForeignError(f"{said}: foreign members {dropped}")


def _dropped(given: Any, known: Any, at: str) -> Any:
    """Yield the pointers of the members that a schema doesn't know."""
    if isinstance(given, dict) and isinstance(known, dict):
        for key, value in given.items():
            if key not in known:
                yield f"{at}/{key}"
            else:
                yield from _dropped(value, known[key], f"{at}/{key}")
    elif isinstance(given, list) and isinstance(known, list):
        for place, (one, other) in enumerate(zip(given, known, strict=True)):
            yield from _dropped(one, other, f"{at}/{place}")


def _check_meta(meta: dict[str, Any], version: str, said: str) -> None:
    for key in meta:
        ours = key.startswith(META) and (key == RELATED_TASK) is modern(version)
        if ours:
            raise ForeignError(f"{said}: foreign _meta {key}")


def _check_kinds(method: str, part: dict[str, Any], version: str, said: str) -> None:
    blocks = list(_blocks(method, part, version, said))
    for block in blocks:
        kind = block.get("type")
        if version < _CONTENT.get(kind, "9999"):
            raise ForeignError(f"{said}: this version has no content of the kind {kind}")
    if method == "elicitation/create" and part.get("mode", "form") == "url" and version < "2025-11-25":
        raise ForeignError(f"{said}: this version has no elicitation by URL")
    for each in (part.get("inputRequests") or {}).values():
        _check_kinds(each["method"], each.get("params") or {}, version, said)


def _blocks(method: str, part: dict[str, Any], version: str, said: str) -> Any:
    """Yield the pieces of content of a body."""
    if method in ("tools/call", "tasks/result") and isinstance(part.get("content"), list):
        yield from part["content"]
    for holder in part.get("messages", []) if method in ("prompts/get", "sampling/createMessage") else []:
        yield from _pieces(holder["content"], method, version, said)
    if method == "sampling/createMessage" and "content" in part:
        yield from _pieces(part["content"], method, version, said)


def _pieces(content: Any, method: str, version: str, said: str) -> list[Any]:
    if not isinstance(content, list):
        return [content]
    if method != "sampling/createMessage" or version < "2025-11-25":
        raise ForeignError(f"{said}: this version has one piece of content in a message")
    return content
