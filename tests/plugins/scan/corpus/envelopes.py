"""Messages that texts travel in: every place of the protocol that holds a string, and JSON texts in strings."""

from __future__ import annotations

from typing import Any, Literal

HOLE = "\ue000"
"""Stands where the text goes, as a value or as a key."""

Envelope = tuple[str, Literal["client", "server"], dict[str, Any]]


def _call(**arguments: Any) -> dict[str, Any]:
    return {"method": "tools/call", "params": {"name": "write_file", "arguments": arguments}}


def _text(text: str = HOLE) -> dict[str, Any]:
    return {"type": "text", "text": text}


_TOOL = {"name": "search", "description": "Search the wiki.", "inputSchema": {"type": "object", "properties": {}}}
_SCHEMA = {"type": "object", "properties": {"query": {"type": "string", "description": HOLE}}}

ENVELOPES: tuple[Envelope, ...] = (
    ("call-argument", "client", _call(path="/srv/notes.md", content=HOLE)),
    ("call-nested-argument", "client", _call(items=[{"id": 1, "body": "ok"}, {"id": 2, "body": HOLE}], dry_run=False)),
    ("call-key", "client", _call(values={HOLE: True, "debug": False})),
    ("call-meta", "client", {"method": "tools/call", "params": {"name": "t", "_meta": {"example.com/n": HOLE}}}),
    ("result-text", "server", {"result": {"content": [_text("Done."), _text()], "isError": False}}),
    ("result-error-text", "server", {"result": {"content": [_text()], "isError": True}}),
    ("result-structured", "server", {"result": {"content": [], "structuredContent": {"rows": [{"note": HOLE}]}}}),
    ("result-structured-key", "server", {"result": {"content": [], "structuredContent": {"seen": {HOLE: 3}}}}),
    ("result-resource", "server", {"result": {"content": [
        {"type": "resource", "resource": {"uri": "file:///srv/app.conf", "mimeType": "text/plain", "text": HOLE}}]}}),
    ("result-link", "server", {"result": {"content": [
        {"type": "resource_link", "uri": "https://example.com/doc", "name": "doc", "description": HOLE}]}}),
    ("result-meta", "server", {"result": {"content": [], "_meta": {"example.com/trace": HOLE}}}),
    ("resource-text", "server", {"result": {"contents": [{"uri": "file:///a.txt", "text": "a"},
        {"uri": "file:///b.txt", "text": HOLE}]}}),
    ("prompt-result", "server", {"result": {"description": "Review", "messages": [
        {"role": "user", "content": _text()}, {"role": "assistant", "content": _text("Sure.")}]}}),
    ("prompt-arguments", "client", {"method": "prompts/get", "params": {"name": "fix", "arguments": {"code": HOLE}}}),
    ("completion-request", "client", {"method": "completion/complete", "params": {
        "ref": {"type": "ref/prompt", "name": "review"}, "argument": {"name": "code", "value": HOLE}}}),
    ("completion-result", "server", {"result": {"completion": {"values": ["main", HOLE], "hasMore": False}}}),
    ("error-message", "server", {"error": {"code": -32603, "message": HOLE}}),
    ("error-data", "server", {"error": {"code": -32000, "message": "failed", "data": {"output": [HOLE]}}}),
    ("logging", "server", {"method": "notifications/message", "params": {"level": "info", "data": HOLE}}),
    ("logging-object", "server", {"method": "notifications/message", "params": {
        "level": "error", "data": {"event": "retry", "detail": HOLE}}}),
    ("progress", "server", {"method": "notifications/progress", "params": {
        "progressToken": "p1", "progress": 3, "total": 9, "message": HOLE}}),
    ("cancelled", "client", {"method": "notifications/cancelled", "params": {"requestId": 7, "reason": HOLE}}),
    ("sampling", "server", {"method": "sampling/createMessage", "params": {"maxTokens": 200, "messages": [
        {"role": "user", "content": _text()}]}}),
    ("sampling-system", "server", {"method": "sampling/createMessage", "params": {"maxTokens": 9, "systemPrompt": HOLE,
        "messages": [{"role": "user", "content": _text("Summarise.")}]}}),
    ("sampling-answer", "client", {"result": {"role": "assistant", "model": "m", "content": _text()}}),
    ("elicitation", "server", {"method": "elicitation/create", "params": {"message": HOLE,
        "requestedSchema": {"type": "object", "properties": {"ok": {"type": "boolean"}}}}}),
    ("elicitation-answer", "client", {"result": {"action": "accept", "content": {"answer": HOLE}}}),
    ("tool-description", "server", {"result": {"tools": [_TOOL, {**_TOOL, "name": "fetch", "description": HOLE}]}}),
    ("tool-schema", "server", {"result": {"tools": [{**_TOOL, "inputSchema": _SCHEMA}]}}),
    ("prompt-list", "server", {"result": {"prompts": [{"name": "review", "description": HOLE}]}}),
    ("instructions", "server", {"result": {"protocolVersion": "2025-06-18", "capabilities": {},
        "serverInfo": {"name": "wiki", "version": "1.2.0"}, "instructions": HOLE}}),
    ("input-requests", "server", {"result": {"inputRequests": {"a": {"method": "elicitation/create", "params": {
        "message": HOLE, "requestedSchema": {"type": "object", "properties": {}}}}}}}),
    ("input-responses", "client", {"method": "tools/call", "params": {"name": "t", "arguments": {},
        "inputResponses": {"a": {"action": "accept", "content": {"answer": HOLE}}}}}),
)  # fmt: skip
"""Name, who sends it, and the message without its ``jsonrpc`` and ``id``."""

MEMBER_ENVELOPES: tuple[Envelope, ...] = (
    ("member-argument", "client", _call(host="db-1", options=HOLE)),
    ("member-structured", "server", {"result": {"content": [], "structuredContent": HOLE}}),
    ("member-error-data", "server", {"error": {"code": -32000, "message": "denied", "data": HOLE}}),
    ("member-meta", "client", {"method": "tools/call", "params": {"name": "t", "_meta": {"example.com/ctx": HOLE}}}),
    ("member-logging", "server", {"method": "notifications/message", "params": {"level": "debug", "data": HOLE}}),
    ("member-elicited", "client", {"result": {"action": "accept", "content": HOLE}}),
)
"""The same for an object of members; it stands at the hole."""

OBJECT_ENVELOPES: tuple[Envelope, ...] = (
    *MEMBER_ENVELOPES,
    ("result", "server", {"result": HOLE}),
    ("arguments", "client", {"method": "tools/call", "params": {"name": "submit", "arguments": HOLE}}),
)
"""The same for any object."""

BLOB_ENVELOPES: tuple[Envelope, ...] = (
    ("resource-blob", "server", {"result": {"contents": [
        {"uri": "file:///srv/app.bin", "mimeType": "application/octet-stream", "blob": HOLE}]}}),
    ("result-resource-blob", "server", {"result": {"content": [
        {"type": "resource", "resource": {"uri": "file:///k", "mimeType": "text/plain", "blob": HOLE}}]}}),
)  # fmt: skip
"""The same for base64."""

JSON_TEXTS: tuple[Any, ...] = (
    {"user": {"id": 4711, "note": HOLE}, "ok": True},
    [{"id": 1, "body": "first"}, {"id": 2, "body": HOLE}],
    {"status": 200, "headers": {"content-type": "text/plain"}, "body": HOLE},
    {"name": "example", "version": "1.0.0", "scripts": {"start": HOLE}},
    {"messages": [{"role": "user", "content": HOLE}], "model": "small"},
    {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "python3"}}, "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Load\n"]},
        {"cell_type": "code", "execution_count": 3, "metadata": {}, "outputs": [], "source": ["import os\n", HOLE]}]},
    {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": ["run()"], "outputs": [
            {"output_type": "stream", "name": "stdout", "text": [HOLE]}]}]},
)  # fmt: skip
"""JSON texts that strings hold; notebooks among them."""
