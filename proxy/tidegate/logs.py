"""Logging: structlog, for people on a console or as JSON for machines, to standard error, never a body.

The loggers of the libraries (uvicorn's, asyncio's, docker's) go the same way. Of an exception only its class and the
places in the code are written: its text, and a library's further lines, may quote a message.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any, Literal

import structlog

if TYPE_CHECKING:
    from types import TracebackType

    from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["console", "json"]
Level = Literal["debug", "info", "warning", "error"]

_QUIET = ("uvicorn.access", "httpx", "httpcore")  # the audit log says who called what; addresses may hold a signature
_CHATTY = ("uvicorn", "docker", "urllib3")  # what they do all day is worth a line to those who debug only
_FRAMES = 4


def setup(form: Format | None = None, level: Level = "info") -> None:
    """Send all logging of this process to standard error.

    Args:
        form: ``console`` or ``json``; by default the first on a terminal and the second elsewhere.
        level: the least that is written.
    """
    chosen = form or ("console" if sys.stderr.isatty() else "json")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True)
        if chosen == "json"
        else structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        _without_texts,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a reload or a test may set it up again
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_first_line, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(chosen)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi"):  # they bring handlers of their own
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    for name in _QUIET:
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = False
        logging.getLogger(name).disabled = True


def _rendering(chosen: Format) -> list[Processor]:
    if chosen == "json":
        return [structlog.processors.JSONRenderer()]
    drawn = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24, sort_keys=False)
    return [_without_own_name, drawn]


def _without_own_name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave out the logger's name where it is one of Tidegate's: people look at the sentence."""
    if str(event.get("logger", "")).startswith("tidegate."):
        del event["logger"]
    return event


def _first_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep a library's first line: asyncio, for one, puts the text of exceptions into the further ones."""
    event["event"] = str(event.get("event", "")).split("\n", 1)[0]
    return event


def _without_texts(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put class and places in the stead of an exception."""
    given = event.pop("exc_info", None)
    event.pop("exc_text", None)
    event.pop("stack_info", None)
    error: Any = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["where"] = places(error.__traceback__)
    return event


def places(trace: TracebackType | None) -> str:
    """Return where an exception came from, the innermost place first: ``file.py:12 < other.py:3``."""
    frames = traceback.extract_tb(trace)[-_FRAMES:]
    return " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))
