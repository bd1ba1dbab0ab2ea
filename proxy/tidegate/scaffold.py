"""Writes the package of a new interceptor: code, a test, settings, ready for ``pip install``."""

from __future__ import annotations

import re
import string
from pathlib import Path

from tidegate import plugins
from tidegate.version import __version__

TEMPLATES = Path(__file__).with_name("templates") / "interceptor"
"""The files of the package, each with ``.tmpl`` at its end; ``module`` in a path stands for the module's name."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LONGEST = 40


def distribution(name: str) -> str:
    """Return what the package of an interceptor is called: ``tidegate-NAME``."""
    return f"tidegate-{name}"


def create(name: str, folder: Path) -> list[Path]:
    """Write the package of a new interceptor.

    Args:
        name: what settings will call it, like ``my-rules``.
        folder: the package's own folder; made where it is missing.

    Returns:
        The files that were written.

    Raises:
        ValueError: for a name that doesn't fit, or that an installed interceptor has.
        FileExistsError: where a file that would be written is already there; then nothing is written.
    """
    words = _words(name)
    texts = {}
    for template in sorted(TEMPLATES.rglob("*.tmpl")):
        place = template.relative_to(TEMPLATES).with_suffix("").as_posix().replace("module", words["module"])
        texts[folder / place] = string.Template(template.read_text()).substitute(words)
    for path in texts:
        if path.exists():
            raise FileExistsError(f"{path} is already there, and nothing is overwritten; choose another folder")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x") as file:
            file.write(text)
    return list(texts)


def _words(name: str) -> dict[str, str]:
    """Return what the templates' placeholders stand for.

    Raises:
        ValueError: for a name that doesn't fit.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ValueError(
            f"{name!r} can't be an interceptor's name: it has lower-case letters and digits, in words joined by '-', "
            f"and at most {_LONGEST} of them, like my-rules"
        )
    if name.startswith("tidegate-"):
        raise ValueError(f"leave the prefix away: {name.removeprefix('tidegate-')!r} makes the package {name!r}")
    found = plugins.installed().get(name)
    if found is not None:
        raise ValueError(f"an interceptor called {name!r} is already installed, by {found.distribution}")
    return {
        "name": name,
        "distribution": distribution(name),
        "module": distribution(name).replace("-", "_"),
        "cls": "".join(word.capitalize() for word in name.split("-")),
        "version": __version__,
    }
