"""Leaves out what a process that serves for days would load and never use."""

from __future__ import annotations

import contextlib
import sys
import warnings
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def import_structlog() -> None:
    """Import structlog without rich, which it would load to draw tracebacks.

    None are ever drawn here (``logs.py``), and rich takes a tenth of this process' memory. Whoever imports rich later
    gets it.
    """
    if "structlog" not in sys.modules:
        with _without("rich"):
            import structlog  # noqa: F401, PLC0415 - here is where it is imported first


def import_uvicorn() -> None:
    """Import uvicorn without its supervisors, which would run it in several processes, or anew when its source changes.

    They load multiprocessing, and watchfiles where that is installed.
    """
    if "uvicorn" not in sys.modules:
        name = "uvicorn.supervisors"
        supervisors = sys.modules[name] = ModuleType(name)
        vars(supervisors).update(ChangeReload=None, Multiprocess=None)
        try:
            import uvicorn  # noqa: F401, PLC0415 - as above
        finally:
            del sys.modules[name]


def import_requests() -> None:
    """Import requests without what guesses the encoding of a text, of which docker-py has no need: it reads JSON."""
    if "requests" not in sys.modules:
        with _without("charset_normalizer", "chardet"), warnings.catch_warnings(), contextlib.suppress(ImportError):
            warnings.simplefilter("ignore")  # it misses them; before 2.32 it couldn't do without
            import requests  # noqa: F401, PLC0415 - as above


@contextlib.contextmanager
def _without(*names: str) -> Iterator[None]:
    """Have the import of some modules fail, which whoever imports them expects; those that are there stay."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # so the import fails
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
