"""The tasks of the matrix's servers: a client of 2025-11-25 asks for them, and one of 2026-07-28 says it takes them."""

from typing import TYPE_CHECKING, Any

from matrix.names import LATEST, MODERN, RELATED_TASK, TASKS

if TYPE_CHECKING:
    from matrix.servers import Speaker, Stream

_NOW = "2026-07-28T00:00:00Z"
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


class Job:
    """A task: what it was asked for, how it is, and what has come of it."""

    def __init__(self, identity: str, token: str, version: str) -> None:
        self.identity = identity
        self.token = token
        self.status = "working"
        self.asked = False
        self.done: dict[str, Any] | None = None
        self._version = version

    @property
    def told(self) -> dict[str, Any]:
        """How it is, as a version says it."""
        lasting = {"ttl": 60_000} if self._version == LATEST else {"ttlMs": 60_000}
        return {"taskId": self.identity, "status": self.status, "createdAt": _NOW, "lastUpdatedAt": _NOW, **lasting}

    @property
    def question(self) -> dict[str, Any]:
        """What it wants to know of the person."""
        return {"message": self.token, "requestedSchema": SCHEMA}

    def finish(self, answer: dict[str, Any]) -> None:
        said = f"{answer['action']} {answer['content']['name']}"
        self.status, self.done = "completed", {"content": [{"type": "text", "text": said}]}


def begin(speaker: "Speaker", params: dict[str, Any], token: str) -> dict[str, Any] | None:
    """Begin a task, where the client wants one; return the result that says so."""
    version = speaker.place.version
    extensions = speaker.capabilities.get("extensions", {})
    if "task" not in params and not (version == MODERN and TASKS in extensions):
        return None
    job = Job(f"{speaker.place.name}-{token}", token, version)
    speaker.place.jobs[job.identity] = job
    return {"task": job.told} if version == LATEST else {"resultType": "task", **job.told}


async def answered(speaker: "Speaker", method: str, params: dict[str, Any], stream: "Stream") -> dict[str, Any]:
    """Answer a request about tasks."""
    from matrix.servers import RpcError

    if method == "tasks/list":
        return {"tasks": [job.told for job in speaker.place.jobs.values()]}
    job = speaker.place.jobs.get(params["taskId"])
    if job is None:
        speaker.place.foreign(f"another server's task {params['taskId']}")
        raise RpcError(-32602, "Task not found")
    if method == "tasks/cancel":
        job.status = "cancelled"
        return job.told if speaker.place.version == LATEST else {}
    if method == "tasks/result":
        return await _finished(speaker, job, stream)
    if method == "tasks/update":
        job.finish(params["inputResponses"]["person"])
        return {}
    return job.told if speaker.place.version == LATEST else _looked_at(job)


async def _finished(speaker: "Speaker", job: Job, stream: "Stream") -> dict[str, Any]:
    """Ask what the task wants to know, on the stream of the request for its result; return that."""
    related = {"_meta": {RELATED_TASK: {"taskId": job.identity}}}
    answers = await speaker.ask({"person": ("elicitation/create", {**job.question, **related})}, {}, stream)
    job.finish(answers["person"])
    await speaker.place.tell("notifications/tasks/status", job.told)
    return {**(job.done or {}), **related}


def _looked_at(job: Job) -> dict[str, Any]:
    """Return how a task is; it wants to know something when it is looked at again."""
    if job.status == "completed":
        return {**job.told, "result": job.done}
    if job.asked and job.status == "working":
        job.status = "input_required"
    job.asked = True
    more = {"inputRequests": {"person": {"method": "elicitation/create", "params": job.question}}}
    return {**job.told, **(more if job.status == "input_required" else {})}
