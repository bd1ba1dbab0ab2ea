"""``lists``: what may be called, by globs over ``SERVER/NAME``; what may not be called isn't listed either."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

import tidegate

from .globs import KINDS, MAX_NAME, Glob, Judge, Listed

__all__ = ["Lists", "ListsConfig", "PrincipalConfig"]

OTHERS = "*"
"""The key in ``principals`` for all that aren't named there."""

GATEWAY = "gateway"
"""The server that the gateway's own tools are of, as in records; none of the settings is called so."""

_REMEMBERED, _REMEMBERED_NAME = 4096, 256  # answers, and the characters of the longest name they are about

_NAMED_BY = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}


def _checked(text: str) -> str:
    Glob.parse(text)
    return text


GlobText = Annotated[str, AfterValidator(_checked)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PrincipalConfig(_Model):
    """What one principal may call: never more than all may, often less."""

    allow: tuple[GlobText, ...] | None = Field(
        None, description="If given, the principal may call only what is on this list and passes the common ones."
    )
    deny: tuple[GlobText, ...] = Field((), description="What the principal may not call, beside what nobody may.")


class ListsConfig(_Model):
    """The settings of ``lists``. A glob is ``[tool:|prompt:|resource:]SERVER/NAME``; deny wins always."""

    allow: tuple[GlobText, ...] | None = Field(None, description="What may be called.")
    deny: tuple[GlobText, ...] = Field((), description="What may not be called, on `allow` or not.")
    default: Literal["allow", "deny"] | None = Field(
        None, description="What becomes of the rest: `deny` if `allow` is given, else `allow`."
    )
    principals: dict[str, PrincipalConfig] = Field(
        {}, description="By a principal's name, more lists for it; `*` is for all that aren't named."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.allow and self.default == "allow":
            raise ValueError("allow has no effect with default = 'allow'; leave one of them out")
        if self.allow is not None and not self.allow and self.default is None:
            raise ValueError("allow is empty; leave it out, or say default = 'deny' if nothing may be called")
        return self

    def globs(self) -> list[Glob]:
        """Return all globs of all lists."""
        lists = [self.allow, self.deny]
        for principal in self.principals.values():
            lists += [principal.allow, principal.deny]
        return [Glob.parse(text) for texts in lists for text in texts or ()]


class Lists:
    """Denies what may not be called, and takes it out of the lists that servers give."""

    Config = ListsConfig

    def __init__(self, config: ListsConfig) -> None:
        self.config = config
        self._judges: dict[tuple[str, str, str], Judge] = {}
        self._said: dict[tuple[str, str, tidegate.Target, bool], tuple[str, str] | None] = {}
        self._idle = not config.globs() and config.default != "deny" and not self._by_principal

    @property
    def _by_principal(self) -> bool:
        return bool(self.config.principals)

    @tidegate.hook
    def startup(self, proxy: tidegate.Proxy) -> None:
        """Refuse globs and principals that name what the settings don't have."""
        servers = {server.name for server in proxy.servers}
        for glob in self.config.globs():
            if glob.exact_server and glob.server not in servers and glob.server != GATEWAY:
                have = ", ".join(sorted(servers)) or "none"
                raise ValueError(
                    f"{glob.text!r} names the server {glob.server!r}, which isn't there (there are: {have})"
                )
        known = {OTHERS, *(proxy.principals or ("anonymous",))}
        for name in self.config.principals:
            if name not in known:
                have = ", ".join(sorted(known - {OTHERS}))
                raise ValueError(f"principals names {name!r}, who has no token in [auth] (there are: {have})")

    @tidegate.hook(kinds=("result",))
    def transform(self, message: tidegate.Message, flow: tidegate.Flow) -> tidegate.Message | None:
        """Take out of a list what may not be called."""
        if self._idle:
            return None
        listing = tidegate.listing(message)
        if listing is not None:
            message = self._filtered(message, flow, *listing)
        elif not any(target.kind == "resource" for target in flow.targets):
            return None
        return self._private(message) if self._by_principal else message

    @tidegate.hook(kinds=("request", "notification"))
    def decide(self, message: tidegate.Message, flow: tidegate.Flow) -> tidegate.Deny | None:
        """Deny what names a target that may not be called, or none that can be read."""
        if self._idle:
            return None
        for target in tidegate.targets(message):
            if target.kind in KINDS:
                # A completion refers to a URI template by its text.
                template = target.kind == "resource" and message.method == "completion/complete"
                refused = self._refused(flow, target, template=template)
                if refused is not None:
                    return _deny(flow, target.kind, *refused)
        for kind in tidegate.unreadable(message):
            if kind in KINDS and not self._judge(flow, kind).idle:
                return _deny(flow, kind, "ambiguous", "unreadable")
        return None

    def _refused(self, flow: tidegate.Flow, target: tidegate.Target, *, template: bool) -> tuple[str, str] | None:
        """Return deny code and rule where a target is denied; what was said before is remembered."""
        key = (flow.principal.name, flow.server.name, target, template)
        if key in self._said:
            return self._said[key]
        refused = self._judge(flow, target.kind).refuses(target.name, template=template)
        if len(target.name) <= _REMEMBERED_NAME:
            if len(self._said) >= _REMEMBERED:
                self._said.clear()
            self._said[key] = refused
        return refused

    def _judge(self, flow: tidegate.Flow, kind: str) -> Judge:
        """Return what a principal may do with a kind of target of a server, made once."""
        named = flow.principal.name if flow.principal.name in self.config.principals else OTHERS
        key = (named, flow.server.name, kind)
        judge = self._judges.get(key)
        if judge is None:
            judge = self._judges[key] = self._made(*key)
        return judge

    def _made(self, principal: str, server: str, kind: str) -> Judge:
        config = self.config
        own = config.principals.get(principal, PrincipalConfig())

        def listed(texts: tuple[str, ...]) -> Listed:
            return Listed(map(Glob.parse, texts), server, kind)

        allow = []
        if config.allow or config.default == "deny":
            allow.append(listed(config.allow or ()))
        if own.allow is not None:
            allow.append(listed(own.allow))
        return Judge(listed(config.deny + own.deny), tuple(allow))

    def _filtered(self, message: tidegate.Message, flow: tidegate.Flow, kind: str, member: str) -> tidegate.Message:
        judge = self._judge(flow, kind)
        items = message.body.get(member) if isinstance(message.body, dict) else None
        if judge.idle or items is None:
            return message
        if not isinstance(items, list):  # nobody can say what a client would read in it
            return message.replace(f"/result/{member}", [], label="what is no list was removed")
        template = member == "resourceTemplates"

        def stays(item: Any) -> bool:
            name = item.get(_NAMED_BY[member]) if isinstance(item, dict) else None
            return isinstance(name, str) and judge.refuses(name, template=template) is None

        kept = [item for item in items if stays(item)]
        removed = len(items) - len(kept)
        if not removed:
            return message
        return message.replace(f"/result/{member}", kept, label=f"{removed} of {len(items)} removed")

    @staticmethod
    def _private(message: tidegate.Message) -> tidegate.Message:
        """Keep a result that is one principal's out of caches that others share (MCP 2026-07-28, caching)."""
        try:
            scope = message.get("/result/cacheScope")
        except tidegate.PointerError:
            return message
        if scope == "private":
            return message
        return message.replace("/result/cacheScope", "private", label="private, because lists differ per principal")


def _deny(flow: tidegate.Flow, kind: str, code: str, rule: str) -> tidegate.Deny:
    """Return the deny, whose reason holds nothing of the message but what kind of target it names."""
    reasons = {
        "denied": f"This {kind} of the server {flow.server.name!r} is not allowed.",
        "limit": f"The name of the {kind} is longer than {MAX_NAME} characters.",
        "ambiguous": f"The message names no {kind} that can be read.",
    }
    return tidegate.Deny(reasons[code], code, rule)
