"""The policy packs that Tidegate brings: found, parametrised by the settings, and put together with a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tidegate_policy import evaluating
from tidegate_policy.sources import PHASES, Failure, PolicyError, Sources, Unit, revision_of

BUNDLE = "bundle"
DECISION = "data.tidegate.decision"
_TESTS = "_test.rego"
_LIBRARY = "lib"


class Policy(NamedTuple):
    """What is enforced: the text of the bundle and of the packs, and what is asked of them."""

    sources: Sources
    units: tuple[Unit, ...]


def folder() -> Path:
    """Return the folder with the packs: in the installed package, or in the project's own tree."""
    here = Path(__file__).parent
    inside = here / "policies"
    return inside if inside.is_dir() else here.parents[1] / "policies"


def names() -> list[str]:
    """Return the names of all packs."""
    return sorted(path.name for path in folder().iterdir() if (path / f"{path.name}.rego").is_file())


def assembled(bundle: Sources | None, packs: tuple[str, ...], data: dict[str, Any]) -> Policy:
    """Put a bundle and packs together with the settings' data.

    Args:
        bundle: the bundle, if there is one.
        packs: the names of the packs.
        data: what is added to the document ``data``; a pack's parameters stand under its name.

    Raises:
        PolicyError: for a pack that isn't there, parameters it doesn't have, or data that the bundle has too.
    """
    if bundle is None and not packs:
        raise PolicyError("a policy needs a bundle, packs, or both")
    own = bundle.data if bundle else {}
    twice = sorted((data.keys() | set(packs)) & own.keys())
    if twice:
        raise PolicyError(f"data.{twice[0]} is in the bundle and in the settings; leave one of them out")
    modules = bundle.modules if bundle else ()
    merged, units = own | data, list[Unit]()
    if bundle is not None:
        units.append(_unit(bundle, BUNDLE, "data.tidegate"))
    for name in dict.fromkeys(packs):
        pack = _pack(name)
        defaults = _rule(pack, f"data.tidegate.packs.{name}.defaults") or {}
        merged[name] = _parameters(name, defaults, data.get(name, {}))
        units.append(_unit(pack, name, f"data.tidegate.packs.{name}")._replace(ours=True))
        modules += pack.modules
    modules = tuple(dict(modules).items())  # the library comes with every pack
    revision = bundle.revision if bundle and not packs else revision_of(modules, merged)
    if bundle and packs:
        revision = f"{bundle.revision}+{revision}"
    return Policy(Sources(modules, merged, revision), tuple(units))


def _pack(name: str) -> Sources:
    if name not in names():
        raise PolicyError(f"there is no pack {name!r}; there are {', '.join(names())}")
    found = [
        path
        for part in (_LIBRARY, name)
        for path in sorted((folder() / part).glob("*.rego"))
        if not path.name.endswith(_TESTS)
    ]
    modules = tuple((f"{path.parent.name}/{path.name}", path.read_text()) for path in found)
    return Sources(modules, {}, "")


def _rule(sources: Sources, query: str) -> Any:
    """Return the value of a rule that is a constant; ``None`` where there is none."""
    (value,) = evaluating.Policy(sources.modules, sources.data).ask((query,))
    return None if isinstance(value, Failure) else orjson.loads(value)


def _unit(sources: Sources, name: str, package: str) -> Unit:
    applies = _rule(sources, f"{package}.applies") or {}
    phases, methods = (_strings(f"{name}: applies.{key}", applies.get(key)) for key in ("phases", "methods"))
    wrong = sorted((phases or frozenset()) - set(PHASES))
    if wrong:
        raise PolicyError(f"{name}: applies.phases has {wrong[0]!r}; the phases are {', '.join(PHASES)}")
    return Unit(name, f"{package}.decision", phases, methods)


def _strings(what: str, value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise PolicyError(f"{what} is a list of strings")
    return frozenset(value)


def _parameters(name: str, defaults: dict[str, Any], given: Any) -> dict[str, Any]:
    """Return a pack's parameters: the settings' over its own.

    Raises:
        PolicyError: for one that it doesn't have, or of another type.
    """
    if not isinstance(given, dict):
        raise PolicyError(f"data.{name} is a table of the pack's parameters")
    for key, value in given.items():
        if key not in defaults:
            raise PolicyError(f"the pack {name!r} has no parameter {key!r}; it has {', '.join(sorted(defaults))}")
        wanted = _TYPES.get(type(defaults[key]))
        if wanted is not None and _TYPES.get(type(value)) != wanted:
            raise PolicyError(f"data.{name}.{key} is {wanted}")
    return defaults | given


_TYPES: dict[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a table",
}
