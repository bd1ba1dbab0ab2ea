"""Leaves out what a process that serves for days would load and never use."""

from __future__ import annotations

import sys


def import_structlog() -> None:
    """Import structlog without rich, which it would load to draw tracebacks.

    None are ever drawn here (``logs.py``), and rich takes a tenth of this process' memory. Whoever imports rich later
    gets it.
    """
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # so that importing it fails, which structlog expects
    try:
        import structlog  # noqa: F401, PLC0415 - here is where it is imported first
    finally:
        del sys.modules["rich"]
