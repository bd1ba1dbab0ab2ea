"""The gateway's own tools: what clients are told of them, and what they must be given.

Each has what its server, were it one, would list: a name, a description for models, and the schema of its arguments.
"""

from __future__ import annotations

from typing import Any

FIND_TOOL, CALL_TOOL = "find-tool", "call-tool"
FIND_SERVER, ADD_SERVER, REMOVE_SERVER, LIST_SERVERS = "find-server", "add-server", "remove-server", "list-servers"

SEARCH = (FIND_TOOL, CALL_TOOL)
"""The tools that search, in the order in which they are listed."""

DYNAMIC = (FIND_SERVER, ADD_SERVER, REMOVE_SERVER, LIST_SERVERS)
"""The tools that add servers and take them away."""

FOUND, MOST_FOUND = 5, 20
"""Tools that one search gives, unless more are asked for; and at most."""

SERVERS_FOUND = 20
"""Servers that one search of the catalog gives at most."""

_TEXT = {"type": "string"}
_READS = {"readOnlyHint": True, "openWorldHint": False}
_CHANGES = {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}


class Mistake(Exception):  # noqa: N818 - it is the client's, and not Tidegate's error
    """Arguments that make no sense, or ask for what can't be done; the text is for the model that gave them."""


def _schema(required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    return schema


DEFINITIONS: dict[str, dict[str, Any]] = {
    FIND_TOOL: {
        "name": FIND_TOOL,
        "description": "Finds tools by what they do. Most tools are not listed: search here first, with a few words "
        "such as 'send email' or a tool's name. Gives the name, description and inputSchema of those that fit best; "
        f"call one with {CALL_TOOL}.",
        "inputSchema": _schema(
            ("query",),
            query={**_TEXT, "description": "A few words on what the tool should do, or its name."},
            limit={
                "type": "integer",
                "minimum": 1,
                "maximum": MOST_FOUND,
                "default": FOUND,
                "description": "How many tools to give at most.",
            },
        ),
        "annotations": _READS,
    },
    CALL_TOOL: {
        "name": CALL_TOOL,
        "description": f"Calls a tool that {FIND_TOOL} has found, and gives its result.",
        "inputSchema": _schema(
            ("name",),
            name={**_TEXT, "description": f"The tool's name, exactly as {FIND_TOOL} gave it."},
            arguments={"type": "object", "description": "The tool's arguments, as its inputSchema wants them."},
        ),
    },
    FIND_SERVER: {
        "name": FIND_SERVER,
        "description": f"Finds servers that can be added with {ADD_SERVER} to have more tools, by what they are for.",
        "inputSchema": _schema(
            query={**_TEXT, "description": "A few words on what the server should be for; without them, all."}
        ),
        "annotations": _READS,
    },
    ADD_SERVER: {
        "name": ADD_SERVER,
        "description": f"Adds a server that {FIND_SERVER} has found: starts it and makes its tools available.",
        "inputSchema": _schema(("name",), name={**_TEXT, "description": "The server's name."}),
        "annotations": _CHANGES,
    },
    REMOVE_SERVER: {
        "name": REMOVE_SERVER,
        "description": f"Takes away a server that was added with {ADD_SERVER}, and its tools.",
        "inputSchema": _schema(("name",), name={**_TEXT, "description": "The server's name."}),
        "annotations": _CHANGES,
    },
    LIST_SERVERS: {
        "name": LIST_SERVERS,
        "description": "Lists the servers whose tools are available now.",
        "inputSchema": _schema(),
        "annotations": _READS,
    },
}
"""What clients are told of each of them."""


def checked(name: str, arguments: Any) -> dict[str, Any]:
    """Return the arguments of a call of one of these tools, held against its schema.

    Raises:
        Mistake: where they aren't what it says.
    """
    schema = DEFINITIONS[name]["inputSchema"]
    if arguments is None:
        arguments = {}
    if type(arguments) is not dict:
        raise Mistake(f"The arguments of {name} are an object.")
    for key in schema.get("required", ()):
        if key not in arguments:
            raise Mistake(f"{name} wants the argument {key}.")
    for key, value in arguments.items():
        rule = schema["properties"].get(key)
        if rule is None:
            have = ", ".join(schema["properties"]) or "none"
            raise Mistake(f"{name} has an argument that it knows nothing of; it has: {have}.")
        _check(name, key, value, rule)
    return arguments


def _check(tool: str, key: str, value: Any, rule: dict[str, Any]) -> None:
    kind = rule["type"]
    if kind == "string" and not (type(value) is str and value.strip()):
        raise Mistake(f"{tool} wants text for the argument {key}.")
    if kind == "object" and type(value) is not dict:
        raise Mistake(f"{tool} wants an object for the argument {key}.")
    if kind == "integer" and not (type(value) is int and rule["minimum"] <= value <= rule["maximum"]):
        raise Mistake(f"{tool} wants a whole number from {rule['minimum']} to {rule['maximum']} for {key}.")
