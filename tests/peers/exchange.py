"""One conversation with an MCP server, told as data, so that two of them can be compared.

A script is a list of steps, each a method and its params. Playing it gives one entry a step: what was asked, and
the result, or the error's code and message. What may rightly differ between two runs is blurred.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp import Client, MCPError
from pydantic import BaseModel, ConfigDict, TypeAdapter

JSON = dict[str, Any]
Transcript = list[JSON]
Blurs = Sequence[tuple[str, str]]


class Raw(BaseModel):
    """A result with every member that came, those that no version of the specification knows included."""

    model_config = ConfigDict(extra="allow")


@dataclass(frozen=True)
class Step:
    """One request of a script."""

    method: str
    params: JSON = field(default_factory=dict)

    def __str__(self) -> str:
        about = self.params.get("name") or self.params.get("uri") or ""
        return f"{self.method} {about}".strip()


_requests: TypeAdapter[types.ClientRequest] = TypeAdapter(types.ClientRequest)


def call(tool: str, **arguments: Any) -> Step:
    """A tools/call step."""
    return Step("tools/call", {"name": tool, "arguments": arguments})


async def play(client: Client, script: Iterable[Step]) -> Transcript:
    """Play a script with a connected client, on results as they came.

    The first entry is what the server said of itself; a step that got progress notifications has them too.
    """
    about = client.server_info
    said: JSON = {
        "version": client.protocol_version,
        "server": about.model_dump(mode="json", by_alias=True, exclude_none=True) if about else None,
        "capabilities": client.server_capabilities.model_dump(mode="json", by_alias=True, exclude_none=True),
        "instructions": client.instructions,
    }
    return [said, *[await _step(client, step) for step in script]]


async def _step(client: Client, step: Step) -> JSON:
    steps: list[tuple[float, float | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total))

    request = _requests.validate_python({"method": step.method, "params": step.params})
    entry: JSON = {"asked": str(step)}
    try:
        result = await client.session.send_request(request, Raw, progress_callback=on_progress)
        entry["result"] = result.model_dump(mode="json")
    except MCPError as error:
        entry["error"] = {"code": error.error.code, "message": error.error.message, "data": error.error.data}
    return entry | ({"progress": steps} if steps else {})


def blurred(transcript: Transcript, blurs: Blurs) -> Transcript:
    """The same transcript with every match of the patterns replaced, in keys and values."""
    text = json.dumps(transcript, sort_keys=True)
    for pattern, word in blurs:
        text = re.sub(pattern, word, text)
    told: Transcript = json.loads(text)
    return told
