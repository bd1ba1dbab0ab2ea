"""The settings of ``secrets`` and ``pii``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate import Finding, Flow

Action = Literal["deny", "redact", "report"]
Answer = Literal["deny", "redact", "seal", "report"]
Confidence = Annotated[float, Field(ge=0, le=1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Override(_Model):
    """What to do otherwise, for some rules, servers or tools. All lists that are given have to cover a finding."""

    rules: tuple[str, ...] = Field((), description="Globs of rules' ids.")
    servers: tuple[str, ...] = Field((), description="Globs of servers' names.")
    targets: tuple[str, ...] = Field((), description="Globs of the names of tools and prompts, or resources' URIs.")
    request: Action | None = Field(None, description="What becomes of a client's message.")
    response: Answer | None = Field(None, description="What becomes of a server's message.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.request is None and self.response is None:
            raise ValueError("an override needs request or response")
        return self

    def covers(self, finding: Finding, flow: Flow) -> bool:
        """Whether it is for a finding."""
        return _about(self, finding, flow)


class Allowed(_Model):
    """What is let through although a rule finds it. All that is given has to fit."""

    fingerprint: str | None = Field(None, pattern="^[0-9a-f]{16}$", description="The value's fingerprint.")
    rules: tuple[str, ...] = Field((), description="Globs of rules' ids.")
    servers: tuple[str, ...] = Field((), description="Globs of servers' names.")
    targets: tuple[str, ...] = Field((), description="Globs of the names of tools and prompts, or resources' URIs.")
    pointers: tuple[str, ...] = Field((), description="Globs of JSON Pointers, such as `/params/arguments/sample`.")
    reason: str = Field("", description="Why, for people.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.fingerprint or self.rules or self.servers or self.targets or self.pointers):
            raise ValueError(
                "an entry of allow says what it allows: a fingerprint, rules, servers, targets or pointers"
            )
        return self

    def covers(self, finding: Finding, flow: Flow) -> bool:
        """Whether it is for a finding."""
        if self.fingerprint is not None and self.fingerprint != finding.fingerprint:
            return False
        return _about(self, finding, flow) and _any(self.pointers, (finding.pointer,))


def _about(entry: Override | Allowed, finding: Finding, flow: Flow) -> bool:
    return (
        _any(entry.rules, (finding.rule,))
        and _any(entry.servers, (flow.server.name,))
        and _any(entry.targets, [target.name for target in flow.targets])
    )


def _any(globs: Iterable[str], names: Iterable[str]) -> bool:
    """Whether one of the names fits one of the globs; all do where there are none."""
    globs = tuple(globs)
    return not globs or any(fnmatchcase(name, glob) for glob in globs for name in names)


class ScanConfig(_Model):
    """What both interceptors have."""

    rules: tuple[Path, ...] = Field((), description="TOML files of rules of one's own; paths start at the folder.")
    disable: tuple[str, ...] = Field((), description="Globs of the ids of rules that are off.")
    min_confidence: Confidence = Field(0.0, description="Findings below it are only reported; 0 to 1.")
    overrides: tuple[Override, ...] = Field((), description="What to do otherwise; the first one that fits counts.")
    allow: tuple[Allowed, ...] = Field((), description="What is let through.")
    key_file: Path = Field(
        Path("tidegate-scan.key"), description="The key of the fingerprints; made where it is missing."
    )
    max_bytes: int = Field(
        16 * 1024 * 1024,
        ge=1024,
        description="Bytes that undoing the disguises of one message may make; over it, deny.",
    )
    max_seconds: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = Field(
        1.0, description="Seconds that looking at one message may take; no other goes on meanwhile. Over it, deny."
    )


class SecretsConfig(ScanConfig):
    """The settings of ``use = "secrets"``."""

    request: Action = Field("deny", description="What becomes of a client's message with a secret.")
    response: Answer = Field("redact", description="What becomes of a server's message with a secret.")
    engines: tuple[Literal["detect-secrets", "kingfisher"], ...] = Field(
        (), description="Engines of others that look too, each an extra: `pip install 'tidegate[detect-secrets]'`."
    )
    engine_cache: Path | None = Field(
        None, description="A folder for what kingfisher compiles, so that later starts take no seconds; off."
    )
    held: bool = Field(default=True, description="Whether what the settings give to servers is found too, exactly.")
    seal_for: tuple[str, ...] = Field(
        (), description="Globs of servers that get sealed values back where a request carries their handles."
    )
    seal_ttl: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        3600.0, description="Seconds after which a handle is of no use any more."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        sealing = self.response == "seal" or any(entry.response == "seal" for entry in self.overrides)
        if self.seal_for and not sealing:
            raise ValueError("seal_for has no effect without response = 'seal'")
        return self


class PiiConfig(ScanConfig):
    """The settings of ``use = "pii"``."""

    request: Action = Field("redact", description="What becomes of a client's message with personal data.")
    response: Action = Field("redact", description="What becomes of a server's message with personal data.")
    detect: tuple[str, ...] = Field(
        ("email", "phone", "iban", "payment-card", "us-ssn", "national-id"),
        description="What is looked for; `ip` and `date-of-birth` are known too.",
    )
