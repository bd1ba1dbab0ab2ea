"""Whether bubblewrap works here, for the tests marked `bubblewrap`; and settings that hold with and without it."""

from pathlib import Path
from typing import Any

from tidegate.sandbox.bubblewrap import reason

HOW = "install bubblewrap, and let users make namespaces"


def bubblewrap_reason() -> str | None:
    """Return why the tests of the sandbox can't run here, or None where bubblewrap works."""
    why = reason()
    return f"bubblewrap isn't usable: {why}" if why else None


def boxed(folder: Path, *, network: bool = False) -> dict[str, Any]:
    """Settings of a server that may write to a folder: in the sandbox, where there is one."""
    if reason() is not None:
        return {"sandbox": "none"}
    return {"mounts": [f"{folder}:{folder}:rw"], **({"egress": "unrestricted"} if network else {})}
