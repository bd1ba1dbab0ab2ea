"""The settings of ``poison``: what becomes of each class of finding, by where it is."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Strip = Literal["strip", "report", "deny", "off"]
Keep = Literal["report", "deny", "off"]
Class = Literal[
    "invisible",
    "bidi",
    "tags",
    "variation",
    "terminal",
    "homoglyph",
    "imitation",
    "html",
    "exfiltration",
    "roles",
    "instruction",
    "shadowing",
    "disclosure",
    "promotion",
]
CLASSES: tuple[Class, ...] = get_args(Class)
Place = Literal["definitions", "names", "content"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Definitions(_Model):
    """By class, what becomes of it in a definition's texts: descriptions, titles, schemas, a server's instructions."""

    invisible: Strip = Field("strip", description="Characters without width.")
    bidi: Strip = Field("strip", description="Characters that turn the direction of text.")
    tags: Strip = Field("strip", description="Unicode's tag characters, which spell out ASCII unseen.")
    variation: Strip = Field("strip", description="Variation selectors behind what has no variants.")
    terminal: Strip = Field("strip", description="Control characters and sequences for terminals.")
    homoglyph: Keep = Field("report", description="Words that mix letters of scripts that look alike.")
    html: Strip = Field("strip", description="HTML comments, hidden elements, scripts.")
    exfiltration: Strip = Field("deny", description="Images and links whose address takes data along.")
    roles: Strip = Field("deny", description="Marks of another's voice, such as `<system>` and `[INST]`.")
    instruction: Strip = Field("deny", description="Instructions to the model against its user.")
    shadowing: Keep = Field(
        "deny",
        description="Mention of a tool that only another server has; an order to call one that its own doesn't.",
    )
    disclosure: Strip = Field(
        "report", description="A tool that says it gives away or reads more than it is for, or lowers protections."
    )
    promotion: Strip = Field("report", description="A tool that says it is to be preferred and that others are worse.")


class Names(_Model):
    """By class, what becomes of it in names, URIs and other fixed parts of a definition, which are never changed."""

    invisible: Keep = Field("deny", description="Characters without width.")
    bidi: Keep = Field("deny", description="Characters that turn the direction of text.")
    tags: Keep = Field("deny", description="Unicode's tag characters.")
    variation: Keep = Field("deny", description="Variation selectors behind what has no variants.")
    terminal: Keep = Field("deny", description="Control characters and sequences for terminals.")
    homoglyph: Keep = Field("deny", description="Names that mix scripts, or use letters that only look like ASCII's.")
    imitation: Keep = Field("report", description="Names that look like those of another server's tools.")
    instruction: Keep = Field("deny", description="Instructions to the model against its user.")


class Content(_Model):
    """By class, what becomes of it in results, errors, notifications and requests of servers."""

    invisible: Strip = Field("strip", description="Characters without width.")
    bidi: Strip = Field("strip", description="Characters that turn the direction of text.")
    tags: Strip = Field("strip", description="Unicode's tag characters.")
    variation: Strip = Field("strip", description="Variation selectors behind what has no variants.")
    terminal: Strip = Field("strip", description="Control characters and sequences for terminals.")
    homoglyph: Keep = Field("report", description="Words that mix letters of scripts that look alike.")
    html: Strip = Field("report", description="HTML that is hidden and holds instructions.")
    exfiltration: Strip = Field("report", description="Images and links whose address takes data along.")
    roles: Strip = Field("report", description="Marks of another's voice.")
    instruction: Strip = Field("report", description="Instructions to the model against its user.")


class Override(_Model):
    """What to do otherwise, for some classes, servers or targets. All lists that are given have to cover a finding."""

    classes: tuple[Class, ...] = Field((), description="Classes of findings.")
    servers: tuple[str, ...] = Field((), description="Globs of servers' names.")
    targets: tuple[str, ...] = Field((), description="Globs of the names of tools and prompts, or resources' URIs.")
    places: tuple[Place, ...] = Field((), description="Where: `definitions`, `names`, `content`.")
    action: Strip = Field(description="What becomes of it. Where nothing can be taken out, `strip` is `deny`.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.classes or self.servers or self.targets):
            raise ValueError("an override says what it is for: classes, servers or targets")
        return self

    def covers(self, place: Place, rule: str, server: str, target: str) -> bool:
        """Whether it is for a finding."""
        return (
            (not self.classes or rule in self.classes)
            and (not self.places or place in self.places)
            and _any(self.servers, server)
            and _any(self.targets, target)
        )


def _any(globs: tuple[str, ...], name: str) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


class PoisonConfig(_Model):
    """The settings of ``use = "poison"``. What becomes of a finding: ``strip``, ``report``, ``deny`` or ``off``."""

    definitions: Definitions = Field(Definitions(), description="In definitions' texts.")
    names: Names = Field(Names(), description="In definitions' names, URIs and fixed values.")
    content: Content = Field(Content(), description="In results, errors, notifications and servers' requests.")
    overrides: tuple[Override, ...] = Field((), description="What to do otherwise; the first one that fits counts.")
    min_confidence: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="Findings below it are only reported; 0 to 1."
    )

    def action(self, place: Place, rule: str, server: str, target: str, confidence: float) -> Strip:
        """Return what becomes of a finding; what has no setting in a place isn't looked for there."""
        chosen: Strip = getattr(getattr(self, place), rule, "off")
        if chosen == "off" and rule not in type(getattr(self, place)).model_fields:
            return "off"
        for override in self.overrides:
            if override.covers(place, rule, server, target):
                chosen = override.action
                break
        if chosen == "strip" and (place == "names" or rule in ("homoglyph", "shadowing", "imitation")):
            chosen = "deny"
        if chosen != "off" and confidence < self.min_confidence:
            return "report"
        return chosen
