"""Writes the package of a new interceptor: code, a test, settings, ready for ``pip install``."""

from __future__ import annotations

import re
import shutil
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
        OSError: where they can't be written, on a full disk for example; then what was written is taken away.
    """
    words = _words(name)
    texts = {}
    for template in sorted(TEMPLATES.rglob("*.tmpl")):
        place = template.relative_to(TEMPLATES).with_suffix("").as_posix().replace("module", words["module"])
        texts[folder / place] = string.Template(template.read_text()).substitute(words)
    for path in texts:
        if path.exists():
            raise FileExistsError(f"{path} is already there, and nothing is overwritten; choose another folder")
    new = not folder.exists()
    made = []
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x") as file:
                made.append(path)
                file.write(text)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise OSError(error.errno, error.strerror, error.filename or str(folder)) from None
    return made


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
