"""The interceptor ``policy``: asks Rego about every message, and does what it says."""

from __future__ import annotations

import asyncio
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import orjson
import structlog

import tidegate
from tidegate_policy import decision, listing, watching
from tidegate_policy.arguments import Arguments
from tidegate_policy.carried import Marks
from tidegate_policy.config import CarriedConfig, PolicyConfig
from tidegate_policy.decision_log import DecisionLog
from tidegate_policy.loading import Loaded, Loader, Source
from tidegate_policy.sources import Failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from tidegate_policy.decision import Said
    from tidegate_policy.sources import Answer, Unit

    Effects = Sequence[tidegate.Effect | tidegate.Note]
    Asked = tuple[Loaded, tuple[Unit, ...], list[Answer] | Awaitable[list[Answer]]]

log = structlog.get_logger("tidegate.policy")

_SAID_EVERY = 1.0  # seconds between two log lines about the same failure
_HANDSHAKES = frozenset(("initialize", "server/discover", "ping"))


class Policy:
    """Denies, redacts, holds and labels what the policy says, and takes out of lists what it would deny.

    Attributes:
        differences: what the shadow would have done otherwise, and how often; logged at the end.
    """

    Config = PolicyConfig

    def __new__(cls, config: PolicyConfig) -> Self:
        """Make one with the hooks that its settings need: each hook costs time for every message."""
        remembers = _carried(config) is not None or config.decision_log is not None
        return super().__new__(_Remembering if remembers else cls)  # type: ignore[return-value]  # it is a subclass

    def __init__(self, config: PolicyConfig) -> None:
        self.config = config
        self.differences: Counter[str] = Counter()
        self._arguments = Arguments()
        self._loaded: Loaded | None = None
        self._shadow: Loaded | None = None
        self._watchers: list[asyncio.Task[None]] = []
        self._entry = ""
        self._said: dict[tuple[str, str], float] = {}

    @tidegate.hook
    async def startup(self, proxy: tidegate.Proxy) -> None:
        """Load the policy and what shadows it, and watch their files."""
        config, loader = self.config, Loader(self.config, proxy.folder)
        self._entry = proxy.entry
        enforced, shadow = Source(config.bundle, config.packs), Source(config.shadow, config.packs)
        self._loaded = await loader.load(enforced)
        if config.shadow is not None:
            self._shadow = await loader.load(shadow)
        for source, swap in ((enforced, self._swap), (shadow, self._swap_shadow)):
            if config.watch and source.bundle is not None:
                looking = watching.watch(loader, source, swap, config.watch)
                self._watchers.append(asyncio.create_task(looking))

    async def _swap(self, loaded: Loaded) -> None:
        old, self._loaded = self._loaded, loaded
        if old is not None:
            await old.engine.close()

    async def _swap_shadow(self, loaded: Loaded) -> None:
        old, self._shadow = self._shadow, loaded
        if old is not None:
            await old.engine.close()

    @tidegate.hook(kinds=("result",))
    def transform(
        self, message: tidegate.Message, flow: tidegate.Flow
    ) -> tidegate.Message | Awaitable[tidegate.Message | None] | None:
        """Take out of a list what would be denied."""
        return listing.filtered(message, flow, self._enforced())

    @tidegate.hook
    def decide(
        self, message: tidegate.Message, flow: tidegate.Flow, findings: Sequence[tidegate.Finding]
    ) -> Effects | Awaitable[Effects]:
        """Do what the policy says."""
        refused = self._refused(message, flow)
        if isinstance(refused, tidegate.Deny):
            return (refused,)
        asked = [_asked(self._enforced(), message, flow, findings)]
        if self._shadow is not None:
            asked.append(_asked(self._shadow, message, flow, findings))
        if refused is None and all(isinstance(answers, list) for _, _, answers in asked):
            return self._decided(message, flow, findings, asked)
        return self._decided_later(message, flow, findings, asked, refused)

    async def _decided_later(
        self,
        message: tidegate.Message,
        flow: tidegate.Flow,
        findings: Sequence[tidegate.Finding],
        asked: list[Asked],
        refused: Awaitable[tidegate.Deny | None] | None,
    ) -> Effects:
        deny = await refused if refused is not None else None
        known: list[Asked] = [
            (loaded, units, answers if isinstance(answers, list) else await answers) for loaded, units, answers in asked
        ]
        return (deny,) if deny is not None else self._decided(message, flow, findings, known)

    def _decided(
        self,
        message: tidegate.Message,
        flow: tidegate.Flow,
        findings: Sequence[tidegate.Finding],
        asked: list[Any],
    ) -> Effects:
        """Return the effects of what was answered, and a note of which revision it was."""
        loaded, units, answers = asked[0]  # not the one enforced now: it may have been swapped meanwhile
        said = decision.said(units, answers)
        for unit, failure in said.failures:
            self._tell(unit, failure)
        text = loaded.note
        if len(asked) > 1:
            text += self._compared(said, decision.said(*asked[1][1:]))

        def detail() -> bytes:
            given = loaded.full.of(message, flow, findings)
            return orjson.dumps({"revision": loaded.revision, "input": given, "decision": _plain(units, answers)})

        return (*said.effects, tidegate.Note(text, said.labels, detail))

    def _refused(
        self, message: tidegate.Message, flow: tidegate.Flow
    ) -> tidegate.Deny | Awaitable[tidegate.Deny | None] | None:
        """Return the deny where a call's arguments don't fit what the tool's definition says of them."""
        if message.method != "tools/call" or message.kind != "request" or self.config.arguments == "off":
            return None
        if flow.tool is None:
            if self.config.arguments == "listed":
                return None
            return tidegate.Deny("The server has listed no such tool, so its arguments can't be checked.", "arguments")
        params = message.tree.get("params")
        arguments = params.get("arguments", {}) if type(params) is dict else None
        reason = self._arguments.refuses(flow.tool, arguments)
        return _misfit(reason) if reason is None or isinstance(reason, str) else _misfit_later(reason)

    def _compared(self, enforced: Said, shadow: Said) -> str:
        """Return what the shadow would have done otherwise, and count it."""
        ours, theirs = (sorted(map(_named, said.effects)) for said in (enforced, shadow))
        if ours == theirs:
            return ""
        told = f"shadow would {', '.join(theirs) or 'allow'} instead of {', '.join(ours) or 'allow'}"
        if told in self.differences or len(self.differences) < 1024:
            self.differences[told] += 1
        return f"; {told}"

    def _tell(self, unit: str, failure: Failure) -> None:
        """Log that there is no decision, once a second at most."""
        now = monotonic()
        if now >= self._said.get((unit, failure.kind), 0.0):
            self._said[unit, failure.kind] = now + _SAID_EVERY
            log.error("no decision", interceptor=self._entry, policy=unit, why=failure.kind, where=failure.where)

    def _enforced(self) -> Loaded:
        if self._loaded is None:
            raise RuntimeError("the policy is not loaded")
        return self._loaded

    @tidegate.hook
    async def shutdown(self) -> None:
        """Let go of the engines and the files."""
        if self.differences:
            log.info("shadow decided otherwise", interceptor=self._entry, times=dict(self.differences.most_common(20)))
        for task in self._watchers:
            task.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        for loaded in (self._loaded, self._shadow):
            if loaded is not None:
                await loaded.engine.close()
        self._loaded = self._shadow = None


class _Remembering(Policy):
    """Recognises what labelled replies said, and writes a decision log, as far as the settings ask for it."""

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__(config)
        self._carried = _carried(config)
        self._log: DecisionLog | None = None

    @tidegate.hook
    async def startup(self, proxy: tidegate.Proxy) -> None:
        """Load the policy, and open the decision log."""
        if self.config.decision_log is not None:
            self._log = DecisionLog(proxy.folder / self.config.decision_log)
        await super().startup(proxy)

    @tidegate.hook(kinds=("request", "notification", "result", "error"))
    def inspect(self, message: tidegate.Message, flow: tidegate.Flow) -> list[tidegate.Finding] | None:
        """Report what a client's message repeats of labelled replies."""
        if message.sender != "client" or flow.session is None or self._carried is None:
            return None
        marks: Marks | None = flow.session.notes.get(self._entry)
        if not marks:
            return None
        body = "params" if not message.is_reply else message.kind
        strings = [(leaf.pointer, leaf.value) for leaf in message.strings(body)]
        if len(strings) > 1:  # and across them: it may be split
            strings.append((f"/{body}", "\n".join(value for _, value in strings)))
        return [
            tidegate.Finding("carried", found.label, found.pointer, None, found.share) for found in marks.found(strings)
        ]

    @tidegate.hook
    def observe(self, decision: tidegate.Decision, flow: tidegate.Flow) -> None:
        """Remember what a labelled reply said, and write the decision log."""
        message = decision.message
        if message is None:
            return
        if self._carried is not None and decision.allowed and message.sender == "server":
            self._remember(self._carried, decision, message, flow)
        if self._log is not None:
            for by, note in decision.notes:
                if by == self._entry and note.detail is not None:
                    self._log.write(decision, flow, orjson.loads(note.detail()), self._entry)

    def _remember(
        self, config: CarriedConfig, decision: tidegate.Decision, message: tidegate.Message, flow: tidegate.Flow
    ) -> None:
        if flow.session is None or message.method in _HANDSHAKES or tidegate.listing(message) is not None:
            return
        labels = {*flow.server.labels, *_labels(decision)}
        for label in config.labels:
            if label in labels:
                marks = flow.session.notes.setdefault(self._entry, Marks(config.words, config.most))
                body = message.kind if message.is_reply else "params"
                marks.keep((leaf.value for leaf in message.strings(body) if not leaf.is_key), label)

    @tidegate.hook
    async def shutdown(self) -> None:
        """Let go of the engines and the files."""
        await super().shutdown()
        if self._log is not None:
            self._log.close()


def _carried(config: PolicyConfig) -> CarriedConfig | None:
    """Return how labelled replies are remembered, if they are: where asked for, or where a pack needs it."""
    exfiltration = config.data.get("exfiltration")
    if config.carried is None and "exfiltration" in config.packs and isinstance(exfiltration, dict):
        private = exfiltration.get("private")
        if exfiltration.get("by") == "content":
            return CarriedConfig(labels=tuple(private)) if isinstance(private, list) else CarriedConfig()
    return config.carried


def _asked(
    loaded: Loaded, message: tidegate.Message, flow: tidegate.Flow, findings: Sequence[tidegate.Finding]
) -> Asked:
    units = loaded.units("reply" if message.is_reply else message.kind, message.method)
    if not units:
        return loaded, units, []
    return loaded, units, loaded.engine.ask(units, loaded.view.of(message, flow, findings))


def _misfit(reason: str | None) -> tidegate.Deny | None:
    return None if reason is None else tidegate.Deny(reason, "arguments", "inputSchema")


async def _misfit_later(reason: Awaitable[str | None]) -> tidegate.Deny | None:
    return _misfit(await reason)


def _named(effect: tidegate.Effect) -> str:
    """Return what an effect is for the log and the record: without its pointer, which has keys of the message in it."""
    name = type(effect).__name__.lower()
    return f"{name} {effect.label if isinstance(effect, tidegate.Redact) else effect.rule}"


def _plain(units: Sequence[Unit], answers: Sequence[Any]) -> dict[str, Any]:
    """Return the answers as JSON, by unit."""
    return {
        unit.name: answer._asdict() if isinstance(answer, Failure) else answer
        for unit, answer in zip(units, answers, strict=True)
    }


def _labels(decision: tidegate.Decision) -> Iterable[str]:
    for _, finding in decision.findings:
        yield from finding.labels
    for _, note in decision.notes:
        yield from note.labels
