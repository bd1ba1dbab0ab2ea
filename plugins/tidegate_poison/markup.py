"""Markup that hides text or carries data away: HTML comments and hidden elements, images and links, pseudo-tags."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from tidegate_poison.linear import Regex, Span

if TYPE_CHECKING:
    from collections.abc import Iterable

HTML, EXFILTRATION, ROLES = "html", "exfiltration", "roles"


class Marked(NamedTuple):
    """A piece of markup: its class, where it is, and how sure it is."""

    rule: str
    span: Span
    confidence: float


_COMMENT = Regex(r"(?s)<!--(.*?)(?:--!?>|\z)")
_EMPTY = Regex(r"(?s)\A[\s.…]*\z")
_CONDITION = re.compile(r"\[if [^\]\n]{1,40}\]>")  # how mail programs are addressed, which descriptions speak of
_STYLED = (
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:\.0+)?(?:px|em|rem|pt|%)?\s*(?:[;'\"!]|\z)"
    r"|opacity\s*:\s*0?(?:\.0+)?\s*(?:[;'\"!]|\z)|color\s*:\s*transparent"
)
_HIDDEN = Regex(
    rf"(?is)<([a-z][a-z0-9]*)\b[^<>]*?(?:\sstyle\s*=\s*(?:\"[^\"]*?(?:{_STYLED})|'[^']*?(?:{_STYLED}))[^>]*"
    r"|\shidden(?:\s[^<>]*|=[^<>]*)?)>(?:[^<]*</[a-z0-9]+\s*>)?"
)
_SCRIPT = Regex(r"(?is)<(?:script|style)\b[^>]*>[^<]+</(?:script|style)\s*>")

_PLACE = (
    r"\{[^{}\s/]*\}|\{\{[^{}]*\}\}|\$\{|<[^<>]{3,}>|\[[^\[\]]{3,}\]|%7B\w|%3C\w"
    r"|(?:YOUR|INSERT|USER|SECRET|API|CHAT|BASE64)[_-][A-Z_-]{2,}"
)
_QUERY = rf"https?://[^\s)\"'?]+\?[^)\"'\n]*?(?:{_PLACE})"
_IMAGE = Regex(rf"(?i)!\[[^\]]*\]\(\s*<?{_QUERY}[^)\n]*\)?")
_LINK = Regex(
    r"(?i)\]\(\s*<?https?://[^\s)\"'?]+\?[^)\"'\n]*?\b(?:key|secret|token|pass\w*|data|d|q|c|ctx|context|history|leak|msg)="
    rf"[^)&\n]*?(?:{_PLACE})[^)\n]*\)?"
)
_REFERENCE = Regex(rf"(?im)^\s*\[[^\]]+\]:\s*<?{_QUERY}.*$")
_USED = Regex(r"!\[[^\]]*\]\[[^\]]*\]")
_TAG_IMAGE = Regex(rf"(?i)<img\b[^>]*\bsrc\s*=\s*[\"']?{_QUERY}[^>]*>?")

_SIGNS = Regex(
    r"<!--|<\||\[/(?:HIDDEN|SYSTEM|SECRET|INST)|\[(?i:hidden|system|secret)\s?:|\{\{#|\{\{\s?system|\[/?INST|SYS>>|##\s?S"
    r"|(?:Human|Assistant): |_system_|(?:SYSTEM|HIDDEN|ADMIN|SECRET|INTERNAL|DEVELOPER) [IOD]"
    r"|(?:CRITICAL|MANDATORY|URGENT|IMPORTANT|EMERGENCY) S|(?:TO|FOR) (?:THE )?(?:ASSI|AI|MODEL|LLM|AGENT)|!\[[^\]\n]*\]\[|\]\(\s?<?(?i:https?)://[^\s)?]*\?"
    r"|(?i:</?(?:important|system|secret|admin|hidden|override|developer|assistant|global|mandatory|critical|instruction|instructions_for|start_of|script|style|img)"
    r"|<[a-z][^<>]*(?:style|hidden))",
    capture=False,
)
_TAG = Regex(
    r"(?:(?:</?(?:IMPORTANT|SYSTEM|SECRET|ADMIN|HIDDEN|OVERRIDE|DEVELOPER|GLOBAL|MANDATORY|CRITICAL|INSTRUCTIONS?)"
    r"(?:_[A-Z]+)?(?: [^<>]*)?>)"
    r"|(?i:</?(?:system|system[_-]?(?:prompt|message|reminder|override|instructions?)|assistant[_-]instructions?|secret"
    r"|hidden[_-]?\w*|admin[_-]?\w*|instructions_for\w*|developer[_-](?:message|prompt)|start_of_turn)>)"
    r"|\[/(?:HIDDEN|SYSTEM|SECRET|INSTRUCTIONS?)\]|\{\{#system\}\}"
    r"|<\|[a-z_]{2,24}\|>|\[/?INST\]|<</?SYS>>|(?m:^#{2,4} ?(?:System|SYSTEM)\b ?(?:[Pp]rompt|[Mm]essage)?:?\s*$)"
    r"|\b(?:SYSTEM|HIDDEN|ADMIN|SECRET|INTERNAL|DEVELOPER) (?:INSTRUCTIONS?|OVERRIDE|DIRECTIVES?)\b"
    r"|\b(?:CRITICAL|MANDATORY|URGENT|IMPORTANT|EMERGENCY) (?:SYSTEM|SECURITY) [A-Z]{4,}(?: [A-Z]+)?:"
    r"|\b(?:NOTE|MESSAGE|INSTRUCTIONS?|ATTENTION) (?:TO|FOR) (?:THE )?(?:ASSISTANT|AI|MODEL|LLM|AGENT)S?\b\s?:"
    r"|\[(?:Hidden|HIDDEN|System|SYSTEM|Secret|SECRET)\s?:"
    r"|\"_?system_(?:injection|override)\"\s*:|\{\{\s?system\s?:"
    r"|\n\s*\n(?:Human|Assistant): )"
)
_IN_CODE = Regex(r"`[^`\n]*`")


def marked(text: str) -> list[Marked]:
    """Return the markup of a definition that hides something or carries something away."""
    if not _SIGNS.matches(text.encode(errors="replace")):
        return []
    found: list[Marked] = []
    if "<!--" in text:
        for span, inner in _COMMENT.spans(text):
            spoken_of = inner[1] == len(text) == span[1] and _CONDITION.match(text, inner[0])
            if not spoken_of and not _EMPTY.matches(text[slice(*inner)].encode(errors="replace")):
                found.append(Marked(HTML, span, 0.9))
    if "<" in text:
        found += [Marked(HTML, span, 0.9) for span, *_ in _HIDDEN.spans(text)]
        found += [Marked(HTML, span, 0.8) for span, *_ in _SCRIPT.spans(text)]
        found += [Marked(EXFILTRATION, span, 0.9) for span, *_ in _TAG_IMAGE.spans(text)]
    if "](" in text:
        images = [span for span, *_ in _IMAGE.spans(text)]
        shown = Spans(images)
        found += [Marked(EXFILTRATION, span, 0.9) for span in images]
        found += [Marked(EXFILTRATION, span, 0.7) for span, *_ in _LINK.spans(text) if not shown.meet(span)]
    if "]:" in text and _USED.matches(text.encode(errors="replace")):
        found += [Marked(EXFILTRATION, span, 0.9) for span, *_ in _REFERENCE.spans(text)]
    found += [Marked(ROLES, span, 0.7) for span, *_ in _TAG.spans(text)]
    if not found or "`" not in text:
        return found
    code = Spans(span for span, *_ in _IN_CODE.spans(text))
    return [one for one in found if one.rule == EXFILTRATION or not code.meet(one.span)]


class Spans:
    """Spans that don't overlap, and whether one meets any of them; quick for very many."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(spans)
        self._starts = [start for start, _ in self._spans]

    def meet(self, span: Span) -> bool:
        """Whether a span overlaps one of them."""
        at = bisect_left(self._starts, span[1])
        return at > 0 and self._spans[at - 1][1] > span[0]
