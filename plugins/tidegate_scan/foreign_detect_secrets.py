"""The detectors of ``detect-secrets`` that are regexes, each an instance of Tidegate's own.

Nothing of that package's settings, filters or comments counts: they are of the whole process, and some obey the text.
Its regexes are Python's, so none ever sees more than a window of one line; they are polynomial, which a test shows,
so a window costs little whatever stands in it, and between two of them the clock is looked at.
"""

from __future__ import annotations

import math
import re
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate_scan.budget import OverBudget
from tidegate_scan.foreign import Match, Named, kept, rule_id
from tidegate_scan.linear import ANYWHERE, NOTHING, Regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "detect-secrets"
SOURCE = "https://github.com/Yelp/detect-secrets"
CONFIDENCE = 0.75
"""Of every finding: the detectors say nothing of how sure they are."""

BEFORE, AFTER = 256, 768
"""Characters of a line that a detector sees before and after the place that made it look."""

SHORT = 8
"""A value shorter than this is no secret but its prefix, which some detectors tell in place of it."""

KEY_MOST = 16_384
"""Characters in which the end of a private key is looked for; without one it goes on to the end of its text."""

_KEYWORD = r"(?i:key|pwd|pw|pass|password|token)[\"']?\]? *(?:=|:| )"

GATES = {
    "artifactory.ArtifactoryDetector": r"AKC[a-zA-Z0-9]{10}|AP[0-9A-F][a-zA-Z0-9]{8}",
    "aws.AWSKeyDetector": r"A3T|ABIA|ACCA|AKIA|ASIA|(?i:aws)",
    "azure_storage_key.AzureStorageKeyDetector": r"AccountKey=",
    "basic_auth.BasicAuthDetector": r"://[^:/?#@\s]+:",
    "cloudant.CloudantDetector": rf"(?i:cl(?:oudant|ou)?[_-]?(?:api)?{_KEYWORD})|(?i:\.cloudant\.com)",
    "discord.DiscordBotTokenDetector": r"\.[a-zA-Z0-9_-]{6}\.[a-zA-Z0-9_-]{27}",
    "github_token.GitHubTokenDetector": r"gh[pousr]_",
    "gitlab_token.GitLabTokenDetector": r"gl[a-z]{2,5}-|GR1348941",
    "ibm_cloud_iam.IbmCloudIamDetector": rf"{_KEYWORD}[=>:\"' ]*[a-zA-Z0-9_-]{{44}}",
    "ibm_cos_hmac.IbmCosHmacDetector": r"(?i:secret[-_]?(?:access)?[-_]?key)[\"']?\]? *(?:=|:| )",
    "jwt.JwtTokenDetector": r"eyJ",
    "mailchimp.MailchimpDetector": r"[0-9a-z]{32}-us[0-9]",
    "npm.NpmDetector": r"/:_authToken=",
    "openai.OpenAIDetector": r"T3BlbkFJ",
    "private_key.PrivateKeyDetector": r"BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-2",
    "pypi_token.PypiTokenDetector": r"pypi-AgE",
    "sendgrid.SendGridDetector": r"SG\.[a-zA-Z0-9_-]{22}\.",
    "slack.SlackDetector": r"(?i:xox[abposr]-|hooks\.slack\.com/services)",
    "softlayer.SoftlayerDetector": rf"(?i:s(?:oftlayer|l)[_-]?(?:api)?[_-]?{_KEYWORD})|(?i:api.softlayer.com/soap)",
    "square_oauth.SquareOAuthDetector": r"sq0csp-",
    "stripe.StripeDetector": r"[rs]k_live_",
    "telegram_token.TelegramBotTokenDetector": r"[0-9]{8}:[0-9A-Za-z_-]{35}",
    "twilio.TwilioKeyDetector": r"(?:AC|SK)[a-z0-9]{32}",
}
"""The detectors that are used, and for each a regex (RE2's) of which one match stands in every one of its own.

Not used are those of keywords and of entropy, for their false alarms, and that of IP addresses, which are no secrets.
"""

_OF_TOKENS = re.compile(r"[A-Za-z0-9_.+/=~-]*")
_END_OF_KEY = re.compile(r"-----END[^\n]{0,80}-----")


class _Detector(NamedTuple):
    rule: Named
    gate: Regex
    plugin: Any


class DetectSecrets:
    """The detectors that are on."""

    def __init__(self, off: Callable[[str], bool]) -> None:
        every = [_detector(name, gate) for name, gate in GATES.items()]
        self.rules = [each.rule for each in every]
        self._detectors = [each for each in every if not off(each.rule.id)]
        gates = "|".join(f"(?:{GATES[name]})" for name in GATES)
        self._gate = Regex(gates, capture=False)

    def find(self, text: str, until: float = math.inf) -> list[Match]:
        """See `Finder.find`."""
        return kept(text, (match for window in self._windows(text, until) for match in self._within(text, *window)))

    def _windows(self, text: str, until: float) -> Iterator[tuple[int, int]]:
        """Yield the parts of lines in which something may be."""
        if not self._detectors:
            return
        data = text.encode("utf-8", "surrogatepass")
        at = characters = counted = 0
        while at < len(data):
            (low, high), *_ = self._gate.match(ANYWHERE, data, at, len(data))
            if (low, high) == NOTHING:
                return
            if monotonic() > until:
                raise OverBudget("a text would take too long to search")
            characters += len(data[counted:low].decode("utf-8", "surrogatepass"))
            counted = low
            start = max(text.rfind("\n", 0, characters) + 1, characters - BEFORE)
            line = text.find("\n", characters)
            stop = min(len(text) if line < 0 else line, characters + AFTER)
            yield start, stop
            # What begins in the last part of a window may go on behind it, and is seen in the next one.
            behind = stop if stop == line or stop == len(text) else max(stop - BEFORE, characters + 1)
            at = low + len(text[characters:behind].encode("utf-8", "surrogatepass"))

    def _within(self, text: str, start: int, stop: int) -> Iterator[Match]:
        window = text[start:stop]
        data = window.encode("utf-8", "surrogatepass")
        for rule, gate, plugin in self._detectors:
            if not gate.matches(data):
                continue
            for low, high in _spans(plugin, window):
                end = _key_end(text, start + high) if _is_key(plugin) else start + high
                if end == stop:
                    end = _OF_TOKENS.match(text, stop).end()  # type: ignore[union-attr]  # it matches anything
                yield Match(rule, start + low, end)


def _detector(name: str, gate: str) -> _Detector:
    module, kind = name.split(".")
    plugin = getattr(import_module(f"detect_secrets.plugins.{module}"), kind)()
    title = plugin.secret_type
    return _Detector(Named(rule_id(NAME, title), title, CONFIDENCE, SOURCE), Regex(gate, capture=False), plugin)


def _spans(plugin: Any, window: str) -> Iterator[tuple[int, int]]:
    """Yield where a detector's regexes match what it says it found."""
    values = set(plugin.analyze_string(window))
    if not values:
        return
    for regex in plugin.denylist:
        for match in regex.finditer(window):
            groups = [number for number, value in enumerate(match.groups(), 1) if value]
            told = {match[number] for number in groups} if regex.groups else {match[0]}
            if not told & values:
                continue
            if not groups or any(len(value) < SHORT for value in told):
                yield match.span()
            else:
                yield min(map(match.start, groups)), max(map(match.end, groups))


def _is_key(plugin: Any) -> bool:
    return type(plugin).__name__ == "PrivateKeyDetector"


def _key_end(text: str, start: int) -> int:
    """Return where a private key ends whose first line was found: that line alone would be no use to redact."""
    end = text.find("\0", start)
    end = len(text) if end < 0 else end
    found = _END_OF_KEY.search(text, start, min(end, start + KEY_MOST))
    return found.end() if found else end


def make(off: Callable[[str], bool], _cache: Path | None) -> DetectSecrets:
    """Make the engine."""
    return DetectSecrets(off)
