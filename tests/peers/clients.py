"""The real clients that talk to Tidegate, and what each of them asks.

A client is given its target, an address or a command line, and gives a transcript. What is compared is one
client's own transcripts, so each tells it as it sees it.
"""

import asyncio
import json
import shutil
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from mcp import Client, MCPError, StdioServerParameters
from mcp.client.sse import sse_client
from mcp_types import PromptReference

from peers.exchange import JSON, Step, Transcript, call
from peers.running import Era, environment, python_client
from support.node import peers

Target = str | list[str]
Transport = Literal["http", "sse", "stdio"]
PROGRAM_SECONDS = 60

MISSING = Step("resources/read", {"uri": "test://nothing-here"})

# For the reference server, whose tools are those of the official suite.
REFERENCE: list[Step] = [
    Step("tools/list"),
    call("test_simple_text"),
    call("test_multiple_content_types"),
    call("test_tool_with_progress"),
    call("test_error_handling"),
    call("test_elicitation", message="Who are you?"),
    call("test_x_mcp_header", region="eu-west-1"),
    call("no_such_tool"),
    Step("resources/list"),
    Step("resources/templates/list"),
    Step("resources/read", {"uri": "test://static-binary"}),
    Step("resources/read", {"uri": "test://template/7/data"}),
    MISSING,
    Step("prompts/list"),
    Step("prompts/get", {"name": "test_prompt_with_arguments", "arguments": {"arg1": "é", "arg2": "🐟"}}),
    Step(
        "completion/complete",
        {
            "ref": {"type": "ref/prompt", "name": "test_prompt_with_arguments"},
            "argument": {"name": "arg1", "value": "par"},
        },
    ),
]
# For server-everything, which is the one server of these that has HTTP+SSE.
EVERYTHING: list[Step] = [
    Step("tools/list"),
    call("echo", message="hello"),
    call("get-sum", a=1, b=2),
    call("trigger-long-running-operation", duration=0.2, steps=2),
    call("no_such_tool"),
    Step("prompts/list"),
    Step("prompts/get", {"name": "args-prompt", "arguments": {"city": "Paris"}}),
]


@dataclass(frozen=True)
class ClientPeer:
    """A client, how it connects, and what it does with its target and a folder of its own."""

    name: str
    transport: Transport
    run: Callable[[Target, list[Step], Path], Awaitable[Transcript]]
    node: bool = False


def _dump(result: Any) -> JSON:
    dumped: JSON = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped


async def _python_step(client: Client, step: Step, done: list[Any]) -> Any:
    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        done.append([progress, total])

    params = step.params
    match step.method:
        case "tools/list":
            return await client.list_tools()
        case "tools/call":
            return await client.call_tool(params["name"], params["arguments"], progress_callback=on_progress)
        case "resources/list":
            return await client.list_resources()
        case "resources/templates/list":
            return await client.list_resource_templates()
        case "resources/read":
            return await client.read_resource(params["uri"])
        case "prompts/list":
            return await client.list_prompts()
        case "prompts/get":
            return await client.get_prompt(params["name"], params["arguments"])
        case "completion/complete":
            return await client.complete(PromptReference(name=params["ref"]["name"]), params["argument"])
        case _:
            raise AssertionError(f"no step for {step.method}")


async def _python(era: Era, transport: Transport, target: Target, script: list[Step], _: Path) -> Transcript:
    where: Any = target
    if isinstance(target, list):
        where = StdioServerParameters(command=target[0], args=target[1:], env=environment())
    elif transport == "sse":
        where = sse_client(target)
    told: Transcript = []
    async with python_client(where, era) as client:
        told.append({"version": client.protocol_version, "capabilities": _dump(client.server_capabilities)})
        for step in script:
            progress: list[Any] = []
            entry: JSON = {"asked": str(step), "progress": progress}
            try:
                entry["result"] = _dump(await _python_step(client, step, progress))
            except MCPError as error:
                entry["error"] = _dump(error.error)
            told.append(entry)
    return told


async def _fastmcp(target: Any, script: list[Step], _: Path) -> Transcript:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of at its import is its own affair
        import fastmcp
        from fastmcp.exceptions import ToolError
    told: Transcript = []
    async with fastmcp.Client(target) as client:
        for step in script:
            if step.method not in {"tools/list", "tools/call", "resources/list", "prompts/list"}:
                continue
            entry: JSON = {"asked": str(step)}
            try:
                match step.method:
                    case "tools/call":
                        done = await client.call_tool_mcp(step.params["name"], step.params["arguments"])
                        entry["result"] = _dump(done)
                    case "tools/list":
                        entry["result"] = [_dump(tool) for tool in await client.list_tools()]
                    case "resources/list":
                        entry["result"] = [_dump(resource) for resource in await client.list_resources()]
                    case _:
                        entry["result"] = [_dump(prompt) for prompt in await client.list_prompts()]
            except (MCPError, ToolError) as error:
                entry["error"] = str(error)
            told.append(entry)
    return told


async def _program(*command: str, env: dict[str, str], cwd: Path) -> tuple[int, str, str]:
    """Run a program to its end: its exit code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PROGRAM_SECONDS):
            out, err = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def _typescript(
    sdk: str, era: Era, transport: Transport, target: Target, script: list[Step], folder: Path
) -> Transcript:
    # Node looks for packages beside the script, so the script goes beside a link to where they are installed.
    installed = peers()
    (folder / "node_modules").symlink_to(installed.modules)
    shutil.copy(Path(__file__).parent / "ts_client.mjs", folder)
    given = {
        "sdk": sdk,
        "era": era,
        "transport": transport,
        "target": target,
        "script": [asdict(step) for step in script],
    }
    code, out, err = await _program(
        str(installed.node), "ts_client.mjs", json.dumps(given), env=environment(), cwd=folder
    )
    assert code == 0, f"the TypeScript client ended with exit code {code}: {err}"
    told: Transcript = json.loads(out)
    return told


def _configured(command: list[str], folder: Path) -> list[str]:
    """A file such as a person has, because of a command line the Inspector would take the options as its own."""
    file = folder / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"it": {"command": command[0], "args": command[1:]}}}))
    return ["--config", str(file), "--server", "it"]


async def _inspector(era: str, transport: Transport, target: Target, _: list[Step], folder: Path) -> Transcript:
    asked = [
        ["--method", "tools/list"],
        ["--method", "tools/call", "--tool-name", "test_multiple_content_types"],
        ["--method", "tools/call", "--tool-name", "no_such_tool"],
    ]
    where = (
        ["--transport", transport, "--server-url", target] if isinstance(target, str) else _configured(target, folder)
    )
    # Its catalog of servers and its store of credentials are in the home folder.
    env = environment(HOME=str(folder), MCP_STORAGE_DIR=str(folder))
    command = peers().command("@modelcontextprotocol/inspector", "clients/launcher/build/index.js")
    told: Transcript = []
    for options in asked:
        every = [*options, "--protocol-era", era, "--format", "json", "--quiet"]
        code, out, err = await _program(*command, "--cli", *where, *every, env=env, cwd=folder)
        told.append({"asked": options, "code": code, "out": json.loads(out) if out else None, "err": err})
    return told


CLIENTS: list[ClientPeer] = [
    ClientPeer("python-modern", "http", partial(_python, "auto", "http")),
    ClientPeer("python-legacy", "http", partial(_python, "legacy", "http")),
    ClientPeer("python-stdio-modern", "stdio", partial(_python, "auto", "stdio")),
    ClientPeer("python-stdio-legacy", "stdio", partial(_python, "legacy", "stdio")),
    ClientPeer("python-sse", "sse", partial(_python, "legacy", "sse"), node=True),
    ClientPeer("fastmcp", "http", _fastmcp),
    ClientPeer("typescript-v1", "http", partial(_typescript, "v1", "legacy", "http"), node=True),
    ClientPeer("typescript-v1-stdio", "stdio", partial(_typescript, "v1", "legacy", "stdio"), node=True),
    ClientPeer("typescript-v1-sse", "sse", partial(_typescript, "v1", "legacy", "sse"), node=True),
    ClientPeer("typescript-v2-legacy", "http", partial(_typescript, "v2", "legacy", "http"), node=True),
    ClientPeer("typescript-v2-modern", "http", partial(_typescript, "v2", "auto", "http"), node=True),
    ClientPeer("typescript-v2-stdio", "stdio", partial(_typescript, "v2", "auto", "stdio"), node=True),
    ClientPeer("inspector", "http", partial(_inspector, "legacy", "http"), node=True),
    ClientPeer("inspector-modern", "http", partial(_inspector, "modern", "http"), node=True),
    ClientPeer("inspector-stdio", "stdio", partial(_inspector, "legacy", "stdio"), node=True),
]
