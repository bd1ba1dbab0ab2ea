"""What a server asks in the middle of a request, from one era of MCP to the other.

A legacy server sends a request of its own and waits for the reply (``elicitation/create``, ``sampling/createMessage``,
``roots/list``). A modern one ends the request with a result that says what it needs, and is asked the same again with
the answers. So what a legacy server asks is *held* until a modern client comes back (:func:`input_required`,
:func:`answered`), and what a modern server needs is asked of a legacy client, one request for each
(:func:`questions`, :func:`retried`). A client is never asked for what it didn't declare (:func:`undeclared`).
Sources: MCP 2026-07-28, multi round-trip requests; 2025-11-25, elicitation, sampling, roots.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate import methods, wire
from tidegate.gateway.eras import ASKING, QUESTIONS, RELATED_TASK_KEY
from tidegate.message import Message
from tidegate.verdict import CODES
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tidegate.message import Id

ROUNDS = 16
"""How often one request may be answered with a question, unless its caller says otherwise."""

_CAPABILITY = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}
ASKED = frozenset(_CAPABILITY)
"""What a client must have declared to be asked for."""

_ACTIONS = frozenset(("accept", "decline", "cancel"))
_NOT_MODERN = frozenset(("task", "elicitationId"))
_TIED = frozenset(("progressToken", RELATED_TASK_KEY))
_NO_METHOD, _INVALID_PARAMS = -32601, -32602


class Answers(NamedTuple):
    """What a modern client's retry answers.

    Attributes:
        replies: a reply to each of a legacy server's requests that is answered, in the order in which they were asked.
        missing: the requests that are not, by their keys: to be asked again.
    """

    replies: list[Message]
    missing: dict[str, Message]


def undeclared(asked: Message, capabilities: Mapping[str, Any], version: str) -> dict[str, Any] | None:
    """Return the capabilities that a client lacks to be asked something; ``None`` where it lacks nothing.

    Args:
        asked: the server's request.
        capabilities: what the client declared.
        version: the client's version.
    """
    name = _CAPABILITY.get(asked.method or "")
    if name is None:
        return {}
    declared = capabilities.get(name)
    legacy = not methods.is_modern(version)
    if type(declared) is not dict or (legacy and not methods.may_send("server", asked.method or "", version)):
        return {name: {}}
    params = asked.tree.get("params")
    params = params if type(params) is dict else {}
    if name == "elicitation":
        mode = params.get("mode", "form")
        if mode == "url":
            able = "url" in declared and version >= methods.V2025_11
        else:  # an empty declaration is one of the form (elicitation, capabilities)
            able = mode == "form" and ("form" in declared or "url" not in declared)
        return None if able else {name: {mode: {}} if type(mode) is str else {}}
    if name == "sampling" and ("tools" in params or "toolChoice" in params) and "tools" not in declared:
        return {name: {"tools": {}}}
    return None


def refusal(asked: Message, lacking: Mapping[str, Any]) -> Message:
    """Return the error with which a client that can't be asked something would answer it.

    Args:
        asked: the server's request.
        lacking: what :func:`undeclared` says of it.
    """
    part = any(lacking.values())  # it has the capability, but not this part of it
    text = "The client has not declared the capability that this needs."
    error = {"code": _INVALID_PARAMS if part else _NO_METHOD, "message": text}
    return Message("error", "client", asked.id, asked.method, {"jsonrpc": "2.0", "id": asked.id, "error": error})


def unsure(asked: Message) -> Message:
    """Return the error for a question of which it can't be told whose request it is about."""
    said = (
        "Several requests are open at once, and what comes over one stream does not say which of them it is about. "
        'With share = "call" in the settings of this server each tools/call has a process of its own, and may ask.'
    )
    code = "unsolicited"
    error = {"code": CODES[code][0], "message": said, "data": {"code": code}}
    return Message("error", "client", asked.id, asked.method, {"jsonrpc": "2.0", "id": asked.id, "error": error})


def keyed(asked: list[Message]) -> dict[str, Message]:
    """Return a legacy server's requests by the keys under which a modern client gets them: always the same ones."""
    return {f"{_CAPABILITY.get(each.method or '', 'input')}-{at}": each for at, each in enumerate(asked, 1)}


def input_required(asked: Mapping[str, Message], state: str, *, rounds: int = 1, most: int = ROUNDS) -> dict[str, Any]:
    """Return the result that asks a modern client what a legacy server asks.

    Args:
        asked: the server's requests, judged, by their keys.
        state: the handle of the held request (``handles.py``).
        rounds: how often the client is asked in this request, this time included.
        most: how often it may be.

    Raises:
        Rejected: where there are too many rounds or questions, or one is none that can be asked this way.
    """
    _bounded(len(asked), rounds, most, None)
    requests: dict[str, Any] = {}
    for key, each in asked.items():
        if each.method not in _CAPABILITY:
            raise Rejected("invalid", "A server asked what a client of this version can't be asked.")
        requests[key] = {"method": each.method}
        params = each.tree.get("params")
        if type(params) is dict:
            requests[key]["params"] = _untied({name: params[name] for name in params if name not in _NOT_MODERN})
    return {"resultType": "input_required", "inputRequests": requests, "requestState": state}


def answered(retry: Message, asked: Mapping[str, Message]) -> Answers:
    """Return the replies to a legacy server's held requests that a modern client's retry has.

    What was not answered is to be asked again, and answers to what wasn't asked are ignored, as the specification says
    (multi round-trip requests, error handling).

    Args:
        retry: the client's request.
        asked: the held requests, by the keys under which the client got them.

    Raises:
        Rejected: where the answers are no object, or one is not of the kind that was asked for.
    """
    params = retry.tree.get("params")
    given = params.get("inputResponses", {}) if type(params) is dict else {}
    if type(given) is not dict:
        raise Rejected("invalid", 'The member "inputResponses" must be an object.', id=retry.id)
    replies: list[Message] = []
    missing: dict[str, Message] = {}
    for key, each in asked.items():
        if key not in given:
            missing[key] = each
            continue
        if not _fits(each.method, given[key]):
            raise Rejected("invalid", f"The answer {key!r} is none to what was asked.", id=retry.id)
        result = {name: value for name, value in given[key].items() if name != "resultType"}
        tree = {"jsonrpc": "2.0", "id": each.id, "result": result}
        replies.append(wire.classify(tree, "client").answering(each.method))
    return Answers(replies, missing)


def declined(retry: Message) -> bool:
    """Whether a modern client's retry says that a person refused one of the things asked.

    A legacy server that wants a URL opened first holds nothing: it is asked again, or, if this is so, isn't.
    """
    params = retry.tree.get("params")
    given = params.get("inputResponses") if type(params) is dict else None
    return type(given) is dict and any(
        type(answer) is dict and answer.get("action") in ("decline", "cancel") for answer in given.values()
    )


def is_asking(reply: Message) -> bool:
    """Whether a modern server's reply says that it needs to know something first."""
    result = reply.tree.get("result")
    return type(result) is dict and result.get("resultType") == "input_required"


def questions(
    reply: Message,
    mint: Callable[[], Id],
    *,
    capabilities: Mapping[str, Any],
    version: str,
    rounds: int = 1,
    most: int = ROUNDS,
) -> dict[str, Message]:
    """Return the requests that ask a legacy client what a modern server needs to know, by the server's keys.

    None may come back: then the server only wants to be asked again, with its state.

    Args:
        reply: the server's reply, for which :func:`is_asking` is true.
        mint: makes an id for each request.
        capabilities: what the client declared.
        version: the client's version.
        rounds: how often the client is asked in this request, this time included.
        most: how often it may be.

    Raises:
        Rejected: with the id of the reply, where it may not or can't be asked: the request, the form of the result, a
            capability that the client didn't declare, too many rounds or questions.
    """
    if reply.method not in ASKING:
        raise Rejected("invalid", "The server may not answer this request with a question.", id=reply.id)
    result = reply.tree["result"]
    needed = result.get("inputRequests", {})
    if type(needed) is not dict or type(result.get("requestState", "")) is not str:
        raise Rejected("invalid", "The server's result asks in no form that can be read.", id=reply.id)
    if not needed and "requestState" not in result:
        raise Rejected("invalid", "The server's result asks for nothing.", id=reply.id)
    _bounded(len(needed), rounds, most, reply.id)
    asked = {key: _question(item, mint, reply) for key, item in needed.items()}
    for each in asked.values():
        if undeclared(each, capabilities, version) is not None:
            raise Rejected("invalid", "The server asked what the client has not declared to answer.", id=reply.id)
    return asked


def unfit(reply: Message, capabilities: Any) -> bool:
    """Whether a modern server's reply asks what a modern client may not be asked, or in no form that can be read.

    Args:
        reply: the reply, for which :func:`is_asking` is true.
        capabilities: what the client declared in the request.
    """
    try:
        declared = capabilities if type(capabilities) is dict else {}
        questions(reply, lambda: 0, capabilities=declared, version=methods.MODERN, rounds=0)
    except Rejected:
        return True
    return False


def _question(item: Any, mint: Callable[[], Id], reply: Message) -> Message:
    """Return one request to a legacy client."""
    method = item.get("method") if type(item) is dict else None
    if type(method) is not str or method not in _CAPABILITY:
        raise Rejected("invalid", "The server asked what a client can't be asked.", id=reply.id)
    identity = mint()
    tree: dict[str, Any] = {"jsonrpc": "2.0", "id": identity, "method": method}
    if "params" in item:
        params = item["params"]
        if type(params) is dict and method == "elicitation/create" and params.get("mode") == "url":
            params = {**params, "elicitationId": secrets.token_hex(8)}  # 2025-11-25 demands it, 2026-07-28 hasn't it
        tree["params"] = _untied(params) if type(params) is dict else params
    try:
        return wire.classify(tree, "server")
    except Rejected as refused:
        refused.id = reply.id
        raise


def retried(request: Message, reply: Message, answers: Mapping[str, Message], identity: Id) -> Message:
    """Return the request that a modern server is asked again, with a legacy client's answers.

    Args:
        request: the request as the server got it: of its era, and with what it was told before.
        reply: the server's reply to it, for which :func:`is_asking` is true.
        answers: the client's replies, by the server's keys.
        identity: the id of the new request, which must be another.

    Raises:
        Rejected: where the client refused to answer, or not what was asked. A refused elicitation is no failure: the
            server is told of it.
    """
    assert identity != request.id
    result = reply.tree["result"]
    params = {name: value for name, value in request.tree.get("params", {}).items() if name not in _RETRY}
    if "inputRequests" in result:
        params["inputResponses"] = {
            key: _response(item["method"], answers.get(key), request) for key, item in result["inputRequests"].items()
        }
    if "requestState" in result:
        params["requestState"] = result["requestState"]
    tree = {**request.tree, "id": identity, "params": params}
    return Message(request.kind, request.sender, identity, request.method, tree, request.edits)


_RETRY = frozenset(("inputResponses", "requestState"))


def _response(method: str, answer: Message | None, request: Message) -> dict[str, Any]:
    """Return one answer as a modern server gets it."""
    if answer is None or answer.kind == "error":
        if answer is not None and method == "elicitation/create":
            return {"action": "cancel"}
        raise Rejected("invalid", "The client did not answer what the server asked.", id=request.id)
    result: dict[str, Any] = answer.tree["result"]
    if not _fits(method, result):
        raise Rejected("invalid", "The client's answer is none to what the server asked.", id=request.id)
    return _untied(result)


def _fits(method: str | None, result: Any) -> bool:
    """Whether a result has the members that an answer to a question must have."""
    if type(result) is not dict:
        return False
    if method == "elicitation/create":
        content = result.get("content", {})
        action = result.get("action")
        return type(action) is str and action in _ACTIONS and (content is None or type(content) is dict)
    if method == "roots/list":
        return type(result.get("roots")) is list
    words = type(result.get("role")) is str and type(result.get("model")) is str
    return words and type(result.get("content")) in (dict, list)


def _untied(params: dict[str, Any]) -> dict[str, Any]:
    """Return params or a result without what ties them to another message: progress tokens and tasks."""
    meta = params.get("_meta")
    if type(meta) is not dict or meta.keys().isdisjoint(_TIED):
        return params
    kept = {key: value for key, value in meta.items() if key not in _TIED}
    rest = {key: value for key, value in params.items() if key != "_meta"}
    return {**rest, "_meta": kept} if kept else rest


def _bounded(count: int, rounds: int, most: int, identity: Id | None) -> None:
    if rounds > most:
        raise Rejected("limit", f"A request was answered with a question more than {most} times.", id=identity)
    if count > QUESTIONS:
        raise Rejected("limit", f"More than {QUESTIONS} questions were asked at once.", id=identity)
