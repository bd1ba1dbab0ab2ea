"""What the commands work on: a policy with its tests, read from a folder, with packs and data."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from pydantic import ValidationError

from tidegate_policy import builtins, bundles, evaluating, packs
from tidegate_policy.config import PolicyConfig
from tidegate_policy.loading import Loader, Source
from tidegate_policy.sources import Failure, PolicyError, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    import regorus

    from tidegate_policy.packs import Policy
    from tidegate_policy.sources import Answer

TESTS = "_test.rego"
_OF_THE_PROXY = {"use", "name", "required", "report_only", "deadline", "when"}  # keys of every interceptor's entry


class Project(NamedTuple):
    """A policy with its tests."""

    sources: Sources
    tests: tuple[tuple[str, str], ...]

    @property
    def whole(self) -> Sources:
        """The policy and its tests together."""
        return self.sources._replace(modules=(*self.sources.modules, *self.tests))


def project(place: Path | None) -> Project:
    """Read a policy with its tests.

    Raises:
        PolicyError: where it can't be read.
    """
    found = bundles.read(place or Path())
    return Project(found.sources, found.tests)


def of_packs() -> Project:
    """Return all packs with their tests."""
    root = packs.folder()
    modules, tests = list[tuple[str, str]](), list[tuple[str, str]]()
    for path in sorted(root.glob("*/*.rego")):
        (tests if path.name.endswith(TESTS) else modules).append((path.relative_to(root).as_posix(), path.read_text()))
    return Project(Sources(tuple(modules), {}, ""), tuple(tests))


def policy(
    place: Path | None, names: str | None, data: Mapping[str, Any] | None = None, settings: Path | None = None
) -> Policy:
    """Return a policy as it is enforced: a bundle, packs, or both.

    Args:
        place: the bundle; without one, without packs and without settings, this folder.
        names: the packs, with commas between them.
        data: what is added to the document ``data``.
        settings: a settings file, for what the others don't say.

    Raises:
        PolicyError: where it can't be used.
    """
    wanted = tuple(filter(None, (name.strip() for name in (names or "").split(","))))
    if settings is not None:
        config = configured(settings)
        changed = config.model_copy(update={"data": config.data | dict(data or {})})
        source = Source(config.bundle if place is None else place.absolute(), wanted or config.packs)
        return Loader(changed, settings.parent).policy(source)
    bundle = None if place is None and wanted else bundles.read(place or Path()).sources
    return packs.assembled(bundle, wanted, dict(data or {}))


def configured(file: Path) -> PolicyConfig:
    """Return what the first ``policy`` of a settings file is told.

    Raises:
        PolicyError: where there is none, or it can't be used.
    """
    try:
        tree = tomllib.loads(file.read_text())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(f"{file}: isn't TOML: {error}") from None
    entries = tree.get("interceptors")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("use") == "policy":
            try:
                return PolicyConfig.model_validate({key: entry[key] for key in entry.keys() - _OF_THE_PROXY})
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, ("policy", *first["loc"])))
                raise PolicyError(f"{file}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
    raise PolicyError(f"{file}: no interceptor there has use = 'policy'")


def engine(sources: Sources) -> regorus.Engine:
    """Return the embedded engine with a policy in it.

    Raises:
        PolicyError: where it can't be used.
    """
    made = evaluating.compiled(sources.modules, sources.data)
    refused = builtins.refused(sources.modules)
    if refused:
        raise PolicyError(str(refused[0]))
    return made


class Asked:
    """A policy in the embedded engine, asked as while serving.

    Raises:
        PolicyError: where it can't be used.
    """

    def __init__(self, policy: Policy) -> None:
        engine(policy.sources)
        self._policy = policy
        self._compiled = evaluating.Policy(policy.sources.modules, policy.sources.data)

    def answers(self, given: Mapping[str, Any]) -> dict[str, Answer]:
        """Return the decision of each unit that is asked about an input, by the unit's name."""
        phase, method = str(given.get("phase", "")), str(given.get("method", ""))
        units = [unit for unit in self._policy.units if unit.applies(phase, method)]
        row = self._compiled.ask([unit.query for unit in units], given)
        return {
            unit.name: value if isinstance(value, Failure) else orjson.loads(value)
            for unit, value in zip(units, row, strict=True)
        }
