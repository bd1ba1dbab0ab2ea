"""Loading interceptors as Tidegate does, and installing distributions that are found as real ones are."""

from pathlib import Path
from typing import Any

import pytest

from tidegate import plugins, settings
from tidegate.settings import SettingsError

HERE = Path("/nonexistent")


def load(cls: Any = None, *entries: dict[str, Any], use: str = "mine") -> list[plugins.Interceptor]:
    """Load the entries of a settings file in which ``mine`` is a class; by default one entry without settings."""
    tree = {"servers": {"server": {"command": ["true"]}}, "interceptors": entries or [{"use": use}]}
    return plugins.load(settings.build(tree, folder=HERE), {} if cls is None else {"mine": cls})


def refused(cls: Any = None, *entries: dict[str, Any], use: str = "mine") -> str:
    """Return why interceptors are refused, after seeing that it is one sentence."""
    with pytest.raises(SettingsError) as caught:
        load(cls, *entries, use=use)
    assert str(caught.value).isprintable()
    return str(caught.value)


class Install:
    """Makes distributions that are found as installed ones are."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch

    def __call__(self, name: str, source: str, points: str) -> str:
        """Install a distribution with one module of the same name; return that name."""
        place = self._folder / name
        information = place / f"{name}-1.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[tidegate]\n{points}\n")
        (place / f"{name}.py").write_text(source)
        self._monkeypatch.syspath_prepend(place)
        return name
