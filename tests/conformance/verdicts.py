"""What the official conformance suite found, and where two of its runs differ.

The suite writes one folder for each scenario, `NAME-TIMESTAMP` (for servers `server-NAME-TIMESTAMP`), with a list of
checks in `checks.json`. A check id can come more than once in a scenario; its verdict is then the worst of them.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

# From best to worst. INFO is a remark of the suite and no verdict.
_ORDER = ("SUCCESS", "SKIPPED", "WARNING", "FAILURE")
ABSENT = "ABSENT"
_FOLDER = re.compile(r"(?:server-)?(?P<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")

Key = tuple[str, str]


@dataclass(frozen=True)
class Verdict:
    """The worst status of one check in one scenario, and what the suite said of it."""

    status: str
    said: str = ""


def _checks(folder: Path) -> list[tuple[Key, Verdict]]:
    found = []
    for path in sorted(folder.rglob("checks.json")):
        named = _FOLDER.fullmatch(path.parent.relative_to(folder).as_posix())
        if named is None:
            raise ValueError(f"not a result folder of the suite: {path.parent}")
        for check in json.loads(path.read_text()):
            if check["status"] != "INFO":
                verdict = Verdict(check["status"], check.get("errorMessage") or "")
                found.append(((named["scenario"], check["id"]), verdict))
    return found


def read(folder: Path) -> dict[Key, Verdict]:
    """The verdict of every (scenario, check id) in a folder of results.

    Raises:
        ValueError: a folder's name or a status is none of the suite's.

    """
    worst: dict[Key, Verdict] = {}
    for key, verdict in _checks(folder):
        if key not in worst or _ORDER.index(verdict.status) > _ORDER.index(worst[key].status):
            worst[key] = verdict
    return worst


def tally(folder: Path) -> Counter[str]:
    """How many checks have each status, a check that came twice counted twice, as the suite's own summary does."""
    return Counter(verdict.status for _, verdict in _checks(folder))


def differences(direct: dict[Key, Verdict], proxied: dict[Key, Verdict]) -> list[str]:
    """One sentence for every check whose status differs, or that only one of the runs has."""
    missing = Verdict(ABSENT)
    told = []
    for key in sorted(direct.keys() | proxied.keys()):
        before, after = direct.get(key, missing), proxied.get(key, missing)
        if before.status != after.status:
            said = (after.said or before.said)[:300]
            told.append(f"{key[0]} / {key[1]}: direct {before.status}, through Tidegate {after.status}. {said}".strip())
    return told
