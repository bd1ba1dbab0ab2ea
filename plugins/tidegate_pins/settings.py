"""The settings of ``pins``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate_pins.definitions import Kind

Action = Literal["report", "hide", "deny"]

_ORDER: tuple[Action, ...] = ("report", "hide", "deny")


class PinsConfig(BaseModel):
    """The settings of `pins`.

    Each class of change is reported, hidden (taken out of lists, and not to be called, until it is approved) or denied
    (the whole list is). What a change is of several classes of, the strictest says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    path: Path = Field(Path("pins.json"), description="The file of pins; relative paths start at the settings' folder.")
    first: Literal["trust", "approve"] = Field(
        "trust", description="Whether what is seen first is trusted, or waits until a person approves it."
    )
    by: Literal["server", "principal"] = Field(
        "server",
        description="Whether all principals share the pins of a server, or each has its own: for servers that offer "
        "each of them something else.",
    )
    new: Action = Field("hide", description="A tool, prompt or template that wasn't in the server's first list.")
    new_resource: Action = Field("report", description="A resource that wasn't in the server's first list.")
    typo: Action = Field("report", description="A few long words of a description, title or schema, spelt differently.")
    wording: Action = Field("hide", description="Any other change of a description, title or schema's text.")
    address: Action = Field("hide", description="A URL, host or mail address in the text that wasn't there before.")
    instruction: Action = Field(
        "hide", description="A sentence in the text that reads like an instruction to a model, or hidden characters."
    )
    schema_: Action = Field(
        "hide", alias="schema", description="`inputSchema`, `outputSchema`, a prompt's arguments, a resource's type."
    )
    annotations: Action = Field("hide", description="Annotations, such as `readOnlyHint`.")
    name: Action = Field("hide", description="A new tool or prompt with the text and schema of one that is pinned.")
    server: Action = Field("hide", description="The server's instructions. Hidden, clients get none.")
    other: Action = Field("hide", description="Any other member, such as `icons` or `_meta`.")
    removed: Action = Field(
        "report", description="An item that a whole list no longer has. Hidden, it can't be called."
    )
    unlisted: Literal["allow", "deny"] = Field(
        "deny", description="Whether tools and prompts that the server never listed may be called."
    )
    unlisted_resources: Literal["allow", "deny"] = Field(
        "allow", description="The same for resources that are in no list and fit no template."
    )

    def action(self, kind: Kind, classes: Iterable[str]) -> Action:
        """Return what becomes of a change of several classes."""
        return max((self._one(kind, name) for name in classes), key=_ORDER.index, default="report")

    def held(self, kind: Kind, classes: Iterable[str]) -> bool:
        """Whether a change of several classes waits for approval."""
        return self.action(kind, classes) != "report"

    def _one(self, kind: Kind, name: str) -> Action:
        if name == "limit":
            return "hide"
        if name == "new" and kind == "resource":
            return self.new_resource
        found: Action = getattr(self, "schema_" if name == "schema" else name)
        return found
