"""The way to a Tidegate that runs: its socket for commands, and what it answers."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

from tidegate.cli import output

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate.settings import Settings

_SECONDS = 60.0  # for an answer: a server may take its time to end


class Nobody(Exception):  # noqa: N818 - it says what is so
    """No Tidegate of these settings runs."""


class Reach:
    """A connection to a Tidegate that runs.

    Args:
        settings: its settings.
        file: the file they are of; ``None`` for the default settings.

    Raises:
        Nobody: where none runs.
        Failure: where it is somebody else's.
    """

    def __init__(self, settings: Settings, file: Path | None) -> None:
        from tidegate import control  # noqa: PLC0415 - heavy

        refused: Path | None = None
        for path in control.paths_of(settings, file):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(_SECONDS)
            try:
                self._socket.connect(str(path))
            except PermissionError:
                if settings.proxy.control is not None or os.path.lexists(path):  # else the folder is another user's
                    refused = path
                self._socket.close()
            except OSError:  # there is none, or nobody listens any more
                self._socket.close()
            else:
                self._lines = self._socket.makefile("rb")
                return
        if refused is not None:
            raise output.Failure(
                f"{refused} is another user's: only the user whose Tidegate it is, and root, may use it"
            )
        raise Nobody

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask, and return the answer.

        Raises:
            Failure: with the sentence that it answers, or where it doesn't.
        """
        try:
            self._socket.sendall(json.dumps(request | {"id": 1, "fds": 0}).encode() + b"\n")
            line = self._lines.readline()
        except TimeoutError:
            raise output.Failure(f"Tidegate doesn't answer within {_SECONDS:.0f} seconds", output.MISSING) from None
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise output.Failure(
                "Tidegate ended, or it is another user's and doesn't listen to this one", output.MISSING
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise output.Failure(answer["error"].rstrip("."), output.MISSING if answer.get("down") else output.MISTAKE)
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._lines.close()
        self._socket.close()
