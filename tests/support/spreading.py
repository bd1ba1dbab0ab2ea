"""How the tests are spread over the workers of pytest-xdist: what stays together, and what comes first.

The process that hands out the tests knows no markers, only where a test stands, so it looks at the text of its file.
"""

import re
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling


class Spreading(LoadScopeScheduling):  # type: ignore[misc]  # its types can't be seen
    """Hands out a unit of tests whenever a worker has no more than one test left, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the unit that a test belongs to: all tests of one are run by one worker, one after the other."""
        return unit(self.config.rootpath, nodeid)


def unit(root: Path, nodeid: str) -> str:
    """Return the unit of a test: as small as possible where tests take long, and else its file."""
    file = nodeid.partition("::")[0]
    code = _code(root / file)
    if "mark.docker" in code:
        return "docker"  # a Tidegate that starts removes the containers of those that were killed, so it would help
    if "clean: Clean" in code:
        return "clean"  # an environment that takes long to make, and that tests change
    if "mark.slow" not in code or "scope=" in code:
        return file
    return nodeid


def turn(item: pytest.Item) -> int:
    """Return what the tests are ordered by, so that none begins late and takes long: all workers are to end at once."""
    if item.get_closest_marker("docker") or "clean" in getattr(item, "fixturenames", ()):
        return 0
    return 1 if item.get_closest_marker("slow") else 2


@cache
def _code(path: Path) -> str:
    """Return the lines of a file, each as far as no string or comment begins."""
    return "\n".join(re.split("[\"'#]", line)[0] for line in path.read_text().splitlines())
