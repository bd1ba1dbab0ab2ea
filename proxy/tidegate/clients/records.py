"""What was connected: each file's bytes before and after, kept for disconnecting, for their owner alone.

A record is a folder ``clients/CLIENT-DIGEST`` of Tidegate's own state: ``record.json`` and, for the client's file and
for the settings where they were changed too, the bytes before and after. The bytes before are the backup.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tidegate import defaults
from tidegate.clients import files
from tidegate.clients.edits import FileRefused, Format

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Changed:
    """One file that connecting changed.

    Attributes:
        path: the file, as it was named.
        format: what it is written in.
        before: its bytes; ``None`` where there was no file.
        after: its bytes once it was changed.
        made: the folders that were made for it, the innermost first.
    """

    path: Path
    format: Format
    before: bytes | None
    after: bytes
    made: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Record:
    """One client's connection.

    Attributes:
        client: its name.
        mode: ``add``, ``wrap`` or ``move``.
        at: when, in seconds since 1970.
        file: the client's file.
        settings: the settings, where they were changed.
        folder: where the record is kept.
    """

    client: str
    mode: str
    at: float
    file: Changed
    settings: Changed | None
    folder: Path

    @property
    def backup(self) -> Path | None:
        """Where the client's file is kept as it was; ``None`` where there was none."""
        return self.folder / "file.before" if self.file.before is not None else None


def _base() -> Path:
    folder = defaults.state_folder() / "clients"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _folder(client: str, path: Path) -> Path:
    digest = hashlib.sha256(str(files.take(path).path).encode(errors="surrogateescape")).hexdigest()
    return _base() / f"{client}-{digest[:16]}"


def write(client: str, mode: str, file: Changed, settings: Changed | None) -> Record:
    """Keep a record, and return it.

    Raises:
        OSError: where it can't be written.
    """
    folder = _folder(client, file.path)
    shutil.rmtree(folder, ignore_errors=True)  # a record that holds no more
    folder.mkdir(mode=0o700)
    record = Record(client, mode, time.time(), file, settings, folder)
    said: dict[str, Any] = {"version": _VERSION, "client": client, "mode": mode, "at": record.at}
    for name, changed in (("file", file), ("settings", settings)):
        if changed is None:
            continue
        members = asdict(changed)
        for key in ("before", "after"):
            data = members.pop(key)
            if data is not None:
                files.put(folder / f"{name}.{key}", data)
        said[name] = {**members, "path": str(changed.path.absolute()), "existed": changed.before is not None}
    files.put(folder / "record.json", json.dumps(said, indent=2).encode())  # last: without it there is no record
    return record


def find(client: str, path: Path) -> Record | None:
    """Return the record of a client's file, if there is one.

    Raises:
        FileRefused: where it can't be read.
    """
    return _read(_folder(client, path))


def every() -> list[Record]:
    """Return all records that can be read."""
    out = []
    for folder in sorted(_base().iterdir()):
        try:
            record = _read(folder)
        except FileRefused:
            continue
        if record is not None:
            out.append(record)
    return out


def forget(record: Record) -> None:
    """Remove a record."""
    shutil.rmtree(record.folder)


def _read(folder: Path) -> Record | None:
    try:
        said = json.loads((folder / "record.json").read_bytes())
        if said["version"] != _VERSION:
            raise FileRefused(f"{folder} was written by another version of Tidegate")
        file = _changed(folder, "file", said)
        if file is None:
            raise FileRefused(f"{folder} can't be read")
        return Record(said["client"], said["mode"], said["at"], file, _changed(folder, "settings", said), folder)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise FileRefused(f"{folder} can't be read") from None


def _changed(folder: Path, name: str, said: dict[str, Any]) -> Changed | None:
    if name not in said:
        return None
    members = said[name]
    before = (folder / f"{name}.before").read_bytes() if members["existed"] else None
    after = (folder / f"{name}.after").read_bytes()
    return Changed(Path(members["path"]), members["format"], before, after, members["made"])
