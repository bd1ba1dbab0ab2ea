"""The settings of ``use = "policy"``."""

from __future__ import annotations

import os
import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _zone(name: str) -> str:
    if name != "UTC" and name not in zoneinfo.available_timezones():
        raise ValueError(f"{name!r} is no time zone, like 'Europe/Berlin' or 'UTC'")
    return name


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class OpaConfig(_Model):
    """An OPA server, or several that have the same policies."""

    urls: tuple[str, ...] = Field(
        ("http://127.0.0.1:8181",),
        description="Addresses, tried in turn: `http://…`, `https://…`, or `unix:/path/of/a/socket`.",
    )
    push: bool = Field(
        default=True, description="Whether Tidegate gives the bundle and the packs to it; else it has them already."
    )
    token: str | None = Field(None, description="A bearer token, as `env:NAME`.")
    ca: Path | None = Field(None, description="Certificates to trust, a PEM file; the system's by default.")
    certificate: Path | None = Field(None, description="Tidegate's own certificate for mTLS, a PEM file.")
    key: Path | None = Field(None, description="The certificate's key, a PEM file.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.urls:
            raise ValueError("urls is empty")
        for url in self.urls:
            if not url.startswith(("http://", "https://", "unix:/")):
                raise ValueError(f"{url!r} is no address: http://…, https://… or unix:/…")
        if self.token is not None and not self.token.startswith("env:"):
            raise ValueError("token is env:NAME, the name of an environment variable; never the token")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self

    def bearer(self) -> str | None:
        """Return the token.

        Raises:
            ValueError: where its variable isn't set.
        """
        if self.token is None:
            return None
        name = self.token.removeprefix("env:")
        found = os.environ.get(name)
        if found is None:
            raise ValueError(f"opa.token: the environment variable {name} is not set")
        return found


class VerifyConfig(_Model):
    """The signature that a bundle must have, as `opa sign` makes it."""

    key: Path = Field(description="The public key, a PEM file; for HS256 and its like a file with the secret.")
    algorithm: Literal["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "HS256", "HS384", "HS512"] = Field(
        "RS256", description="The one algorithm that counts."
    )
    scope: str = Field("", description="The scope that the signature must state.")
    key_id: str = Field("", description="The name of the key that the signature must state; any by default.")


class CarriedConfig(_Model):
    """What of labelled replies is recognised in later requests."""

    labels: tuple[str, ...] = Field(
        ("private",), description="Replies with one of these labels are remembered, by keyed hashes of their words."
    )
    words: int = Field(5, ge=2, le=32, description="How many words in a row are one mark.")
    most: int = Field(65_536, ge=256, description="Marks kept per conversation; the oldest go first.")


class ViewConfig(_Model):
    """How much of a message a policy sees; what is cut is named in `input.cut`."""

    string: int = Field(4096, ge=64, description="Characters of one string.")
    strings: int = Field(512, ge=8, description="Strings of one message, and findings about it.")
    total: int = Field(65_536, ge=1024, description="Characters of all strings together.")
    calls: int = Field(256, ge=0, le=256, description="Recent calls of the conversation.")


class PolicyConfig(_Model):
    """Rego that sees every message, and says what becomes of it."""

    bundle: Path | None = Field(
        None, description="Your policy: a folder, a `.rego` file, or a `.tar.gz` in OPA's bundle format."
    )
    packs: tuple[str, ...] = Field((), description="Packs that Tidegate brings, by name.")
    data: dict[str, Any] = Field(
        {}, description="Added to the document `data`; the parameters of a pack stand under its name."
    )
    engine: Literal["embedded", "opa"] = Field(
        "embedded", description="`embedded`: in Tidegate itself. `opa`: an OPA server."
    )
    opa: OpaConfig = Field(OpaConfig(), description='The OPA server, for `engine = "opa"`.')
    timeout: Positive = Field(0.25, le=60, description="Seconds one evaluation may take; later is a deny.")
    shadow: Path | None = Field(
        None, description="A second policy beside this one, as in `bundle`: what it would decide otherwise is recorded."
    )
    verify: VerifyConfig | None = Field(None, description="How bundles must be signed; not at all by default.")
    watch: float = Field(
        2.0, ge=0, le=3600, allow_inf_nan=False, description="Seconds between looks for changed files; 0 for never."
    )
    arguments: Literal["listed", "required", "off"] = Field(
        "listed",
        description="Arguments are checked against the tool's inputSchema, where the tool was listed. `required`: a "
        "tool that wasn't is denied. `off`: nothing is checked.",
    )
    timezone: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="The time zone of `input.time`.")
    view: ViewConfig = Field(ViewConfig(), description="How much of a message is shown.")
    carried: CarriedConfig | None = Field(
        None, description="Recognise what labelled replies said; on by itself with `exfiltration` by content."
    )
    decision_log: Path | None = Field(
        None, description="A file for decisions in the form of OPA's decision logs, values masked; none by default."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.bundle is None and not self.packs and (self.engine == "embedded" or self.opa.push):
            raise ValueError("a policy needs a bundle, packs, or both")
        if "opa" in self.model_fields_set and self.engine != "opa":
            raise ValueError('opa has no meaning without engine = "opa"')
        if "tidegate" in self.data:
            raise ValueError("data.tidegate is where the rules are; choose another name")
        return self
