"""The interceptors ``secrets`` and ``pii``: what is found becomes findings, and findings become what is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import tidegate
from tidegate_scan import fingerprint, seal
from tidegate_scan.choosing import chosen, fits
from tidegate_scan.config import PiiConfig, ScanConfig, SecretsConfig
from tidegate_scan.scanner import BUDGET, NESTED, Found, Scanner
from tidegate_scan.views import DEFAULT, OverBudget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tidegate_scan.seal import Owner


class _Scan:
    """What both have in common. A subclass names its kind of finding, and chooses the rules."""

    kind = ""
    what = ""

    def __init__(self, config: ScanConfig) -> None:
        self.config = config
        self._scanner: Scanner | None = None
        self._prints = fingerprint.ephemeral()

    def _start(
        self, proxy: tidegate.Proxy, held: Iterable[str] = (), sealed: Callable[[str], bool] = lambda _: False
    ) -> None:
        config = self.config
        rules = chosen(config, [proxy.folder / path for path in config.rules], proxy.folder)
        self._prints = fingerprint.with_key_of(proxy.folder / config.key_file)
        budget = DEFAULT._replace(bytes=config.max_bytes, seconds=config.max_seconds)
        numbers = isinstance(config, PiiConfig)
        self._scanner = Scanner(rules.shipped, held, budget, sealed, rules.own, beside=rules.beside, numbers=numbers)

    def _found(self, message: tidegate.Message) -> list[Found]:
        if self._scanner is None:
            raise RuntimeError("the rules are not loaded")
        return self._scanner.tree(message.tree)

    def _findings(self, message: tidegate.Message) -> list[tuple[tidegate.Finding, str]]:
        """Return what is found, each with its value."""
        try:
            found = self._found(message)
        except OverBudget:
            return [(tidegate.Finding(self.kind, BUDGET), "")]
        keys = [each.pointer for each in found if each.in_key]
        return [(self._finding(each, _masked(each.pointer, keys)), each.value) for each in found]

    def _finding(self, found: Found, pointer: str) -> tidegate.Finding:
        return tidegate.Finding(
            self.kind,
            found.rule,
            pointer,
            found.span,
            found.confidence,
            self._prints.of(found.value),
            view=found.view,
            in_key=found.in_key,
        )

    def _action(self, finding: tidegate.Finding, message: tidegate.Message, flow: tidegate.Flow) -> str:
        """Return what is to be done about a finding."""
        if finding.rule == BUDGET:
            return "deny"
        config: Any = self.config
        if finding.confidence < config.min_confidence or any(each.covers(finding, flow) for each in config.allow):
            return "report"
        side = "request" if message.sender == "client" else "response"
        for override in config.overrides:
            chosen = getattr(override, side)
            if chosen is not None and override.covers(finding, flow):
                return str(chosen)
        return str(getattr(config, side))

    def _effects(
        self, message: tidegate.Message, flow: tidegate.Flow, findings: Sequence[tidegate.Finding]
    ) -> list[tidegate.Effect]:
        effects: list[tidegate.Effect] = []
        for finding in findings:
            if finding.kind != self.kind:
                continue
            action = self._action(finding, message, flow)
            if action == "deny":
                return [self._deny(finding)]
            if action != "report":
                effects.append(self._redacted(finding, flow, sealed=action == "seal"))
        return effects

    def _deny(self, finding: tidegate.Finding) -> tidegate.Deny:
        if finding.rule == BUDGET:
            return tidegate.Deny(f"Looking for {self.what} in the message would take too long.", "limit", BUDGET)
        mark = f", fingerprint {finding.fingerprint}" if finding.fingerprint else ""
        return tidegate.Deny(f"The message holds {self.what} ({finding.rule}{mark}).", rule=finding.rule)

    def _redacted(self, finding: tidegate.Finding, flow: tidegate.Flow, *, sealed: bool) -> tidegate.Effect:
        if finding.in_key or not finding.pointer:
            return tidegate.Deny(
                f"The message holds {self.what} in a key ({finding.rule}), where it can't be redacted.",
                "unredactable",
                finding.rule,
            )
        label = self._handle(finding, flow) if sealed else None
        label = label or f"{finding.rule}:{finding.fingerprint[: fingerprint.SHORT]}"
        return tidegate.Redact(finding.pointer, finding.span, label)

    def _handle(self, _finding: tidegate.Finding, _flow: tidegate.Flow) -> str | None:
        return None


def _masked(pointer: str, keys: Iterable[str]) -> str:
    """Return a pointer without the keys that hold something found: they would be told with it."""
    for key in sorted(keys, key=len, reverse=True):  # the inner ones first, while the outer ones still fit
        if pointer == key or pointer.startswith(f"{key}/"):
            pointer = f"{key.rpartition('/')[0]}/[masked]{pointer[len(key) :]}"
    return pointer


class Secrets(_Scan):
    """Finds secrets in any disguise, and keeps them in: denies requests, redacts answers."""

    Config = SecretsConfig
    kind = "secret"
    what = "a secret"

    def __new__(cls, config: SecretsConfig) -> Self:
        """Make one that puts values back where the settings ask for it, and else one that has no such hook."""
        return super().__new__(_Sealing if config.seal_for else cls)  # type: ignore[return-value]  # it is a subclass

    def __init__(self, config: SecretsConfig) -> None:
        super().__init__(config)
        self._settings = config
        self._vault = seal.Vault(config.seal_ttl)

    @tidegate.hook
    def startup(self, proxy: tidegate.Proxy) -> None:
        """Load one's own rules and the fingerprints' key, and learn what the settings give to servers."""
        self._start(proxy, proxy.secrets if self._settings.held else (), self._vault.has)

    @tidegate.hook
    def inspect(self, message: tidegate.Message, flow: tidegate.Flow) -> list[tidegate.Finding] | None:
        """Report secrets."""
        found = self._findings(message)
        if not found:
            return None
        owner = _owner(flow)
        back = message.sender == "client" and fits(self._settings.seal_for, flow.server.name)
        out = []
        for finding, value in found:
            if back and self._vault.handle(owner, finding.fingerprint) is not None:
                continue  # it was put back, for this server
            if message.sender == "server" and self._action(finding, message, flow) == "seal":
                self._vault.seal(owner, finding.fingerprint, value)
            out.append(finding)
        return out

    @tidegate.hook
    def decide(
        self, message: tidegate.Message, flow: tidegate.Flow, findings: Sequence[tidegate.Finding]
    ) -> list[tidegate.Effect] | None:
        """Deny or redact what was found."""
        return self._effects(message, flow, findings) if findings else None

    def _handle(self, finding: tidegate.Finding, flow: tidegate.Flow) -> str | None:
        handle = self._vault.handle(_owner(flow), finding.fingerprint)
        return f"sealed:{finding.rule}:{handle}" if handle is not None else None


class _Sealing(Secrets):
    """Puts sealed values back, too."""

    @tidegate.hook(kinds=("request", "notification"))
    def transform(self, message: tidegate.Message, flow: tidegate.Flow) -> tidegate.Message | None:
        """Put sealed values back where a server may have them."""
        if message.sender != "client" or not fits(self._settings.seal_for, flow.server.name):
            return None
        sealed = [leaf for leaf in message.strings() if not leaf.is_key and seal.MARK in leaf.value]
        for leaf in sealed:
            if any(other.pointer.startswith(f"{leaf.pointer}/{NESTED}/") for other in sealed):
                continue  # it is put back inside of the JSON text, where the value may need escapes
            text = self._vault.restored(_owner(flow), leaf.value)
            if text != leaf.value:
                message = message.replace(leaf.pointer, text, label="unsealed")
        return message


def _owner(flow: tidegate.Flow) -> Owner:
    return flow.principal.name, flow.session.id if flow.session is not None else ""


class Pii(_Scan):
    """Finds personal data in any disguise, and redacts it."""

    Config = PiiConfig
    kind = "pii"
    what = "personal data"

    @tidegate.hook
    def startup(self, proxy: tidegate.Proxy) -> None:
        """Load one's own rules and the fingerprints' key."""
        self._start(proxy)

    @tidegate.hook
    def inspect(self, message: tidegate.Message) -> list[tidegate.Finding] | None:
        """Report personal data."""
        return [finding for finding, _ in self._findings(message)] or None

    @tidegate.hook
    def decide(
        self, message: tidegate.Message, flow: tidegate.Flow, findings: Sequence[tidegate.Finding]
    ) -> list[tidegate.Effect] | None:
        """Deny or redact what was found."""
        return self._effects(message, flow, findings) if findings else None
