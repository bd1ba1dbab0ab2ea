"""The messages of tasks: those of 2025-11-25, and those of the extension by which 2026-07-28 has them.

The first are the SDK's. It has no extensions, so the second are written here. Source: extension tasks of 2026-07-28.
"""

from typing import Any

from mcp_types import _v2025_11_25 as core
from pydantic import BaseModel, Field

from matrix.names import LATEST, MODERN


class Asked(BaseModel):
    """A request about a task."""

    jsonrpc: str
    id: int | str
    method: str

    class Params(BaseModel):
        meta: dict[str, Any] = Field(alias="_meta")
        taskId: str  # noqa: N815 - the protocol's

    params: Params


class Updated(Asked):
    """What a task wanted to know."""

    class Params(Asked.Params):
        inputResponses: dict[str, Any]  # noqa: N815 - the protocol's

    params: Params


class Done(BaseModel):
    """It was taken."""

    meta: dict[str, Any] | None = Field(None, alias="_meta")
    resultType: str  # noqa: N815 - the protocol's


class Task(Done):
    """A task as it is."""

    taskId: str  # noqa: N815 - the protocol's
    status: str
    createdAt: str  # noqa: N815 - the protocol's
    lastUpdatedAt: str  # noqa: N815 - the protocol's
    ttlMs: int | None  # noqa: N815 - the protocol's


class Detailed(Task):
    """A task, with what it has come to."""

    inputRequests: dict[str, Any] | None = None  # noqa: N815 - the protocol's
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


_CORE: dict[str, tuple[Any, Any]] = {
    "tasks/get": (core.GetTaskRequest, core.GetTaskResult),
    "tasks/result": (core.GetTaskPayloadRequest, core.GetTaskPayloadResult),
    "tasks/list": (core.ListTasksRequest, core.ListTasksResult),
    "tasks/cancel": (core.CancelTaskRequest, core.CancelTaskResult),
}
_EXTENSION: dict[str, tuple[Any, Any]] = {
    "tasks/get": (Asked, Detailed),
    "tasks/update": (Updated, Done),
    "tasks/cancel": (Asked, Done),
}
_BOTH = {(method, LATEST): types for method, types in _CORE.items()}
_CLIENT = {**_BOTH, **{(method, MODERN): types for method, types in _EXTENSION.items()}}

REQUESTS: dict[str, dict[tuple[str, str], Any]] = {
    "client": {key: types[0] for key, types in _CLIENT.items()},
    "server": {key: types[0] for key, types in _BOTH.items()},
}
RESULTS: dict[str, dict[tuple[str, str], Any]] = {
    "server": {key: types[1] for key, types in _CLIENT.items()},
    "client": {key: types[1] for key, types in _BOTH.items()},
}
NOTIFICATIONS: dict[str, dict[tuple[str, str], Any]] = {
    "client": {("notifications/tasks/status", LATEST): core.TaskStatusNotification},
    "server": {("notifications/tasks/status", LATEST): core.TaskStatusNotification},
}


def begun(method: str, version: str, result: dict[str, Any]) -> Any:
    """Return what a result must be that begins a task in place of a request's answer; ``None`` for any other."""
    if version == LATEST and method in ("tools/call", "sampling/createMessage") and "task" in result:
        return core.CreateTaskResult
    return Task if version == MODERN and method == "tools/call" and result.get("resultType") == "task" else None
