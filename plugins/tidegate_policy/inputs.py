"""Makes the input that a policy sees of a message, and checks one against the published JSON Schema of version 1."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = "policy-input.schema.json"


def schema() -> dict[str, Any]:
    """Return the schema: in the installed package, or in the project's own tree."""
    here = Path(__file__).parent
    inside = here / _NAME
    file = inside if inside.is_file() else here.parents[1] / "docs" / "reference" / _NAME
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@functools.cache
def _validator() -> Any:
    return jsonschema_rs.validator_for(schema(), mask="it", offline=True)


def problems(given: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with an input, each as a place and a sentence; empty where it is one of version 1."""
    found = []
    for error in _validator().iter_errors(given):
        place = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error.instance_path)
        found.append(f"{place or '/'}: {error.message}")
    return found
