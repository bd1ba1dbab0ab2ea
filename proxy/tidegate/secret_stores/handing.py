"""How a local process is given its secrets: as variables of its environment alone, or as files in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.secret_stores.memory import MemoryFiles

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tidegate.secret_stores.base import Secret
    from tidegate.server_settings import ServerSettings


class ProcessSecrets:
    """The secrets of one process.

    Args:
        values: by the names of variables.
        files: whether they are files, and the variables ``NAME_FILE`` say where.
    """

    def __init__(self, values: Mapping[str, Secret], *, files: bool) -> None:
        self._values = values
        self._files = MemoryFiles(values) if files else None

    def make(self) -> dict[str, str]:
        """Return the variables that the process gets, after making its files.

        Raises:
            PipeError: where there is no place in memory for them.
        """
        if self._files is None:
            return {name: value.reveal() for name, value in self._values.items()}
        self._files.make()
        return {f"{name}_FILE": str(self._files.folder / name) for name in self._values}

    @property
    def folder(self) -> Path | None:
        """The folder of its files, once they are made."""
        return self._files.folder if self._files is not None else None

    def remove(self) -> None:
        """Remove the files."""
        if self._files is not None:
            self._files.remove()


def for_process(server: ServerSettings, values: Mapping[str, Secret]) -> ProcessSecrets | None:
    """Return how a process is given its secrets, or ``None`` where it has none."""
    return ProcessSecrets(values, files=server.delivery == "file") if values else None
