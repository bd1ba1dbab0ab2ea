"""A reference MCP server: every feature of the specification, both eras, on the `mcp` SDK's low-level server.

`python -m conformance.reference_server` serves streamable HTTP at an ephemeral port of 127.0.0.1 and prints one
line of JSON, `{"url": "http://127.0.0.1:PORT/mcp"}`, once it listens. With `--stdio` it serves its own standard
input and output. It ends on SIGTERM, or at the end of its input.
"""

import argparse
import asyncio
import json
import signal
import socket
import sys
import warnings
from typing import Any, get_args

import mcp_types as types
import uvicorn
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, PromptsListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter

from conformance import reference_catalogue as catalogue
from conformance.reference_catalogue import JSON

NAME = "tidegate-reference"
PAUSE = 0.05  # seconds between two notifications of one call, as the suite's tools are described
RECONNECT = 0.2  # seconds a client gets to come back after its stream was closed
LEGACY_NOT_FOUND = -32002  # the code of an unknown resource before 2026-07-28

Context = ServerRequestContext[Any, Any]
Asked = types.CallToolResult | types.InputRequiredResult
_inputs: TypeAdapter[types.InputRequests] = TypeAdapter(types.InputRequests)
_bus = InMemorySubscriptionBus()


class Replays(EventStore):
    """Keeps every event of every stream, for clients that come back with Last-Event-ID."""

    def __init__(self) -> None:
        self._events: list[tuple[StreamId, types.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: StreamId, message: types.JSONRPCMessage | None) -> EventId:
        """Keep an event; its id is its place in the order of all events."""
        self._events.append((stream_id, message))
        return str(len(self._events) - 1)

    async def replay_events_after(self, last_event_id: EventId, send_callback: EventCallback) -> StreamId | None:
        """Send again what came after an event on the same stream; None for an id that never was."""
        if not last_event_id.isascii() or not last_event_id.isdigit() or int(last_event_id) >= len(self._events):
            return None
        after = int(last_event_id) + 1
        stream = self._events[after - 1][0]
        for place, (its_stream, message) in enumerate(self._events[after:], after):
            if its_stream == stream and message is not None:
                await send_callback(EventMessage(message, str(place)))
        return stream


def _is_modern(ctx: Context) -> bool:
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def _said(value: str, *, error: bool = False) -> types.CallToolResult:
    return types.CallToolResult.model_validate({"content": [catalogue.text(value)], "isError": error})


def _rounds(
    params: types.InputResponseRequestParams, *, keeps_state: bool, rounds: list[dict[str, JSON]]
) -> types.InputRequiredResult | JSON:
    """Take one request of a multi-round exchange: what to ask next, or every answer once all rounds are closed.

    State is the answers so far. Sealing it against tampering is the server's middleware's work.
    """
    answers: JSON = json.loads(params.request_state) if params.request_state and keeps_state else {}
    for key, answer in (params.input_responses or {}).items():
        answers[key] = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    for asked in rounds:
        if not asked.keys() <= answers.keys():
            state = json.dumps(answers) if keeps_state else None
            return types.InputRequiredResult(input_requests=_inputs.validate_python(asked), request_state=state)
    return {key: answers[key] for asked in rounds for key in asked}


async def _ask_now(ctx: Context, request: JSON) -> types.CallToolResult:
    """Ask the client by a request of the server's own, on the stream of the call (up to 2025-11-25)."""
    asked = _inputs.validate_python({"it": request})["it"]
    try:
        if isinstance(asked, types.CreateMessageRequest):
            reply = await ctx.session.create_message(
                asked.params.messages, max_tokens=asked.params.max_tokens, related_request_id=ctx.request_id
            )
            return _said(f"LLM response: {reply.model_dump_json(by_alias=True, exclude_none=True)}")
        assert isinstance(asked, types.ElicitRequest)
        assert isinstance(asked.params, types.ElicitRequestFormParams)
        answer = await ctx.session.elicit_form(asked.params.message, asked.params.requested_schema, ctx.request_id)
    except MCPError as refused:
        return _said(f"The client did not answer: {refused.error.message}", error=True)
    return _said(f"User response: action={answer.action}, content={json.dumps(answer.content or {})}")


def _asking(name: str, arguments: JSON) -> JSON:
    """The request that an asking tool makes, with the words of its arguments put in."""
    request: JSON = json.loads(json.dumps(catalogue.ASKING[name]))
    if name == "test_sampling":
        request["params"]["messages"][0]["content"]["text"] = str(arguments.get("prompt", ""))
    elif name == "test_elicitation":
        request["params"]["message"] = str(arguments.get("message", ""))
    return request


async def _speak(ctx: Context, *lines: str) -> None:
    for number, line in enumerate(lines):
        if number:
            await asyncio.sleep(PAUSE)
        await ctx.session.send_log_message("info", line, related_request_id=ctx.request_id)


async def _log(ctx: Context, _: JSON) -> Asked:
    await _speak(ctx, "Tool execution started", "Tool processing data", "Tool execution completed")
    return _said("Logged three lines.")


async def _progress(ctx: Context, _: JSON) -> Asked:
    for step in (0, 50, 100):
        await ctx.session.report_progress(step, 100, f"Step {step} of 100")
        await asyncio.sleep(PAUSE)
    return _said("Reported three steps.")


async def _reconnection(ctx: Context, _: JSON) -> Asked:
    await _speak(ctx, "Before the stream closes")
    if ctx.close_sse_stream is not None:
        await ctx.close_sse_stream()
        await asyncio.sleep(RECONNECT)
    await _speak(ctx, "After the stream closed")
    return _said("The stream was closed and came back.")


async def _missing_capability(ctx: Context, _: JSON) -> Asked:
    declared = ctx.session.client_capabilities
    if declared is None or declared.sampling is None:
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This tool needs the client to declare sampling.",
            {"requiredCapabilities": {"sampling": {}}},
        )
    return _said("The client declared sampling.")


async def _capabilities(ctx: Context, _: JSON) -> Asked:
    declared = ctx.session.client_capabilities
    requests: dict[str, JSON] = {}
    if declared is not None and declared.sampling is not None:
        requests["greeting"] = catalogue.ask_model("Say hello")
    if declared is not None and declared.elicitation is not None:
        requests["user_name"] = catalogue.ASK_NAME
    return types.InputRequiredResult(input_requests=_inputs.validate_python(requests), request_state="{}")


async def _header(_: Context, arguments: JSON) -> Asked:
    return _said(f"region={arguments.get('region')}")


async def _fails(_: Context, __: JSON) -> Asked:
    return _said("This tool intentionally returns an error for testing", error=True)


async def _tools_change(ctx: Context, _: JSON) -> Asked:
    if _is_modern(ctx):
        await _bus.publish(ToolsListChanged())
    else:
        await ctx.session.send_tool_list_changed()
    return _said("The tools changed.")


async def _prompts_change(ctx: Context, _: JSON) -> Asked:
    if _is_modern(ctx):
        await _bus.publish(PromptsListChanged())
    else:
        await ctx.session.send_prompt_list_changed()
    return _said("The prompts changed.")


_DOES = {
    "test_error_handling": _fails,
    "test_tool_with_logging": _log,
    "test_logging_tool": _log,
    "test_tool_with_progress": _progress,
    "test_reconnection": _reconnection,
    "test_missing_capability": _missing_capability,
    "test_x_mcp_header": _header,
    "test_trigger_tool_change": _tools_change,
    "test_trigger_prompt_change": _prompts_change,
    "test_input_required_result_capabilities": _capabilities,
}


async def call_tool(ctx: Context, params: types.CallToolRequestParams) -> Asked:
    """Answer tools/call by the tables: fixed content, questions first, or a function."""
    name, arguments = params.name, params.arguments or {}
    if fixed := catalogue.FIXED.get(name):
        return types.CallToolResult.model_validate({"content": fixed})
    if does := _DOES.get(name):
        return await does(ctx, arguments)
    if name in catalogue.ASKING and not _is_modern(ctx):
        return await _ask_now(ctx, _asking(name, arguments))
    if name in catalogue.ASKING:
        keeps_state, rounds = False, [{"asked": _asking(name, arguments)}]
    elif name in catalogue.ROUNDS:
        keeps_state, rounds = catalogue.ROUNDS[name]
    else:
        raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {name}")
    taken = _rounds(params, keeps_state=keeps_state, rounds=rounds)
    if isinstance(taken, types.InputRequiredResult):
        return taken
    return _said(f"state-ok: {json.dumps(taken)}" if keeps_state else f"Answered: {json.dumps(taken)}")


async def get_prompt(
    _: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult:
    """Answer prompts/get."""
    given = params.arguments or {}
    closing = catalogue.text("Please process the embedded resource above.")
    match params.name:
        case "test_simple_prompt":
            blocks = [catalogue.text("This is a simple prompt for testing.")]
        case "test_prompt_with_arguments":
            said = f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'"
            blocks = [catalogue.text(said)]
        case "test_prompt_with_embedded_resource":
            held = "Embedded resource content for testing."
            blocks = [catalogue.resource(given.get("resourceUri", ""), "text/plain", held), closing]
        case "test_prompt_with_image":
            blocks = [catalogue.IMAGE, catalogue.text("Please analyze the image above.")]
        case "test_input_required_result_prompt":
            keeps_state, rounds = catalogue.ROUNDS[params.name]
            taken = _rounds(params, keeps_state=keeps_state, rounds=rounds)
            if isinstance(taken, types.InputRequiredResult):
                return taken
            blocks = [catalogue.text(f"Answered: {json.dumps(taken)}")]
        case _:
            raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {params.name}")
    return types.GetPromptResult.model_validate({"messages": [{"role": "user", "content": block} for block in blocks]})


async def read_resource(ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    """Answer resources/read, for what is listed and for the template."""
    uri = params.uri
    contents = catalogue.CONTENTS.get(uri)
    if uri.startswith(catalogue.TEMPLATE_START) and uri.endswith(catalogue.TEMPLATE_END):
        number = uri.removeprefix(catalogue.TEMPLATE_START).removesuffix(catalogue.TEMPLATE_END)
        data = {"id": number, "templateTest": True, "data": f"Data for ID: {number}"}
        contents = {"mimeType": "application/json", "text": json.dumps(data)}
    if contents is None:
        code = types.INVALID_PARAMS if _is_modern(ctx) else LEGACY_NOT_FOUND
        raise MCPError(code, "Resource not found", {"uri": uri})
    return types.ReadResourceResult.model_validate({"contents": [{"uri": uri, **contents}]})


async def _list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult.model_validate({"tools": catalogue.TOOLS})


async def _list_prompts(_: Context, __: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
    return types.ListPromptsResult.model_validate({"prompts": catalogue.PROMPTS})


async def _list_resources(_: Context, __: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
    return types.ListResourcesResult.model_validate({"resources": catalogue.RESOURCES})


async def _list_templates(_: Context, __: types.PaginatedRequestParams | None) -> types.ListResourceTemplatesResult:
    return types.ListResourceTemplatesResult.model_validate({"resourceTemplates": catalogue.TEMPLATES})


async def _complete(_: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    words = [word for word in ("paris", "park", "party") if word.startswith(params.argument.value)]
    return types.CompleteResult.model_validate({"completion": {"values": words, "total": len(words), "hasMore": False}})


async def _done(_: Context, __: types.RequestParams) -> types.EmptyResult:
    return types.EmptyResult()


def _input_schema(name: str) -> JSON | None:
    return next((tool["inputSchema"] for tool in catalogue.TOOLS if tool["name"] == name), None)


def build() -> Server[Any]:
    """The reference server, ready to be served over any transport."""
    with warnings.catch_warnings():
        # Logging is deprecated in 2026-07-28 and still part of the versions before, so a reference has it.
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        server: Server[Any] = Server(
            NAME,
            version="1.0.0",
            instructions="A server for tests.",
            cache_hints={method: CacheHint(ttl_ms=1000, scope="public") for method in get_args(CacheableMethod)},
            get_tool_input_schema=_input_schema,
            on_list_tools=_list_tools,
            on_call_tool=call_tool,
            on_list_prompts=_list_prompts,
            on_get_prompt=get_prompt,
            on_list_resources=_list_resources,
            on_list_resource_templates=_list_templates,
            on_read_resource=read_resource,
            on_subscribe_resource=_done,
            on_unsubscribe_resource=_done,
            on_subscriptions_listen=ListenHandler(_bus),
            on_completion=_complete,
            on_set_logging_level=_done,
        )
    server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=NAME))
    return server


async def serve_http(server: Server[Any]) -> None:
    """Serve streamable HTTP until SIGTERM; the address goes to standard output as one line of JSON."""
    listening = socket.create_server(("127.0.0.1", 0))
    app = server.streamable_http_app(event_store=Replays(), retry_interval=100)
    # h11, because httptools keeps white space at the end of a header value, which RFC 9110 section 5.5 excludes.
    config = uvicorn.Config(app, http="h11", log_level="warning", timeout_graceful_shutdown=1)
    print(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"}), flush=True)  # noqa: T201  # its contract
    await uvicorn.Server(config).serve(sockets=[listening])


async def serve_stdio(server: Server[Any]) -> None:
    """Serve standard input and output until the input ends."""
    options = server.create_initialization_options(NotificationOptions(prompts_changed=True, tools_changed=True))
    async with stdio_server() as (read, write):
        await server.run(read, write, options)


def main() -> None:
    """Run the server as its command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stdio", action="store_true", help="serve standard input and output instead of HTTP")
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    if parser.parse_args().stdio:
        asyncio.run(serve_stdio(build()))
    else:
        asyncio.run(serve_http(build()))


if __name__ == "__main__":
    # uvicorn raises the signal again once it is down; a stop that was asked for is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
