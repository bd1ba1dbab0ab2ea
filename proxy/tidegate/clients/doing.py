"""Writing what was planned, and taking it back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.clients import files, records, undoing
from tidegate.clients.edits import FileRefused
from tidegate.clients.records import Changed

if TYPE_CHECKING:
    from tidegate.clients.edits import Format
    from tidegate.clients.files import Snapshot
    from tidegate.clients.planning import Plan, Rewrite
    from tidegate.clients.records import Record
    from tidegate.clients.undoing import Undone


def holds(record: Record, now: Snapshot) -> bool:
    """Whether what a record says was changed still is.

    Raises:
        FileRefused: where the file can't be read any more.
    """
    return undoing.undo(record.file, now.data).data != now.data


def carry_out(planned: Plan) -> Record:
    """Write the changes; the record of them first, so that they can be undone however far it gets.

    Raises:
        FileRefused: where a file has changed meanwhile.
        OSError: where one can't be written.
    """
    wish, snapshot = planned.wish, planned.file.snapshot
    file = _change(planned.file, wish.client.format)
    settings = _change(planned.settings, "toml") if planned.settings is not None else None
    same = Changed(snapshot.named, wish.client.format, snapshot.data, snapshot.data or b"")
    record = records.write(wish.client.name, wish.mode, file or same, settings)
    try:
        if planned.settings is not None and settings is not None:
            files.replace(planned.settings.snapshot, settings.after)
        if file is not None:
            files.replace(snapshot, file.after)
    except BaseException:
        if settings is not None:
            with suppress(OSError, FileRefused):
                files.put_back(settings.path, settings.after, settings.before)
        records.forget(record)
        raise
    return record


def _change(rewrite: Rewrite, kind: Format) -> Changed | None:
    if not rewrite.changed:
        return None
    snapshot = rewrite.snapshot
    made = [str(folder) for folder in files.missing(snapshot.path.parent)]
    return Changed(snapshot.named, kind, snapshot.data, rewrite.after.encode(), made)


@dataclass(frozen=True, slots=True)
class Back:
    """One file on its way back: what was changed, the file today, and what it is to become."""

    changed: Changed
    snapshot: Snapshot
    undone: Undone


def plan_back(record: Record) -> tuple[list[Back], list[str]]:
    """Work out what taking back a connection changes, and what stays as it is and why; nothing is written.

    Raises:
        FileRefused: where a file can't be read or changed any more; its text begins with the file's name.
        OSError: where one can't be read.
    """
    out: list[Back] = []
    notes: list[str] = []
    for changed in (record.file, record.settings):
        if changed is None:
            continue
        others = _others(record, changed) if changed is record.settings else []
        if others:
            notes.append(f"{changed.path} keeps the servers: {', '.join(others)} may use them")
            continue
        try:
            snapshot = files.take(changed.path)
            undone = undoing.undo(changed, snapshot.data)
        except FileRefused as refused:
            raise FileRefused(f"{changed.path}: {refused}") from None
        out.append(Back(changed, snapshot, undone))
        notes += [f"{changed.path}: {'.'.join(path)} was changed since, so it stays as it is" for path in undone.kept]
    return out, notes


def take_back(back: Back) -> None:
    """Write a file without the change; one that there was not goes, and the folders made for it.

    Raises:
        FileRefused: where it has changed meanwhile.
        OSError: where it can't be written.
    """
    files.replace(back.snapshot, back.undone.data)
    if back.undone.data is None:
        for folder in back.changed.made:
            with suppress(OSError):  # something else is in it now
                Path(folder).rmdir()


def forget(record: Record, *, kept: bool) -> list[str]:
    """Remove a record, unless something of it stayed; return where the file is then, as it was."""
    if not kept:
        records.forget(record)
        return []
    return [f"the file as it was is {record.backup}"] if record.backup is not None else []


def _others(record: Record, settings: Changed) -> list[str]:
    """Return the other clients whose servers were moved into the same settings."""
    return sorted(
        {
            other.client
            for other in records.every()
            if other.folder != record.folder
            and other.mode == "move"
            and (other.settings is None or other.settings.path == settings.path)
        }
    )
