"""A reference MCP client on the `mcp` SDK, for the `client` side of the official conformance suite.

`python -m conformance.reference_client URL` does the same in every scenario, as an agent would: it connects, lists
what the server has, uses all of it, answers whatever it is asked, and leaves. The suite watches. What it says
about the run stands in the environment: MCP_CONFORMANCE_PROTOCOL_VERSION, and in MCP_CONFORMANCE_CONTEXT
the exact calls of a scenario that wants some.
"""

import asyncio
import json
import os
import sys
import warnings
from typing import Any

import mcp_types as types
from mcp import Client, MCPError
from mcp.client.context import ClientRequestContext
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

# This scenario's server only has the handshake, whatever version the suite was asked for.
LEGACY_SCENARIOS = {"json-schema-ref-no-deref"}
# A tool that wants to be given the schema that another one was listed with.
ECHO, ECHOED = "json_schema_echo", "json_schema_2020_12_tool"

_EXAMPLES: dict[str, Any] = {"string": "x", "integer": 3, "number": 5, "boolean": True, "object": {}, "array": []}


def _fill(schema: dict[str, Any]) -> dict[str, Any]:
    """Values for a form or an argument list: each default, and something of the right type for what is required."""
    given = {}
    for name, member in schema.get("properties", {}).items():
        if "default" in member:
            given[name] = member["default"]
        elif name in schema.get("required", []):
            given[name] = _EXAMPLES.get(member.get("type"), "x")
    return given


async def _elicit(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
    if isinstance(params, types.ElicitRequestFormParams):
        return types.ElicitResult(action="accept", content=_fill(params.requested_schema))
    return types.ElicitResult(action="decline")


async def _sample(context: ClientRequestContext, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    said = types.TextContent(text="Hello.")
    return types.CreateMessageResult(role="assistant", content=said, model="reference")


async def _roots(context: ClientRequestContext) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[])


def _calls(tools: list[types.Tool]) -> list[tuple[str, dict[str, Any]]]:
    """The calls to make: the scenario's own where it names some, else one of every tool."""
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    listed = {tool.name: tool.input_schema for tool in tools}
    if wanted := context.get("toolCalls"):
        return [(call["name"], call.get("arguments") or {}) for call in wanted if call["name"] in listed]
    calls = [(name, _fill(schema)) for name, schema in listed.items() if name != ECHO]
    return [*calls, (ECHO, {"schema": listed[ECHOED]})] if ECHO in listed else calls


async def _use(client: Client) -> None:
    tools = (await client.list_tools()).tools
    for name, arguments in _calls(tools):
        await _tolerant(f"tools/call {name}", client.call_tool(name, arguments))
    offered = client.server_capabilities
    if offered.resources is not None:
        for resource in (await client.list_resources()).resources:
            await _tolerant(f"resources/read {resource.uri}", client.read_resource(resource.uri))
    if offered.prompts is not None:
        for prompt in (await client.list_prompts()).prompts:
            given = {argument.name: "x" for argument in prompt.arguments or []}
            await _tolerant(f"prompts/get {prompt.name}", client.get_prompt(prompt.name, given))


async def _tolerant(what: str, doing: Any) -> None:
    """Do one thing; an error that the server answers with is told and is no reason to stop.

    Nor is a result without `resultType`, which the suite sends on purpose and the SDK doesn't take.
    """
    try:
        await doing
    except (MCPError, ValidationError) as refused:
        print(f"{what}: {refused}", file=sys.stderr)  # noqa: T201  # a script


async def main(url: str) -> None:
    """Connect in the era the suite runs, and use everything the server has."""
    version = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "")
    legacy = version not in MODERN_PROTOCOL_VERSIONS or os.environ.get("MCP_CONFORMANCE_SCENARIO") in LEGACY_SCENARIOS
    async with Client(
        url,
        mode="legacy" if legacy else "auto",
        elicitation_callback=_elicit,
        sampling_callback=_sample,
        list_roots_callback=_roots,
    ) as client:
        await _use(client)


if __name__ == "__main__":
    with warnings.catch_warnings():
        # Sampling and roots are deprecated in 2026-07-28 and still part of it; a reference answers them.
        warnings.simplefilter("ignore")
        asyncio.run(main(sys.argv[-1]))
