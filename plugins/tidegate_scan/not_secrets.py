"""What looks like a secret and is none: placeholders, templates, public values, documentation's own examples.

A value is judged by itself and, where a rule rests on its context, by the name it is assigned to. Nothing else on the
line counts, so no comment or marker that somebody writes beside a real secret can hide it. Words such as `example`
only count when nothing that looks random is left beside them, so they can't be appended to a secret to hide it either.
"""

from __future__ import annotations

import re
from typing import Final

from tidegate_scan.references import is_reference

# Published by the issuers in their own documentation; each is compared whole.
DOCUMENTED: Final = frozenset({
    # RFC 5849, 6749, 6750, 7009, 7515 and the first OAuth
    "dpf43f3p2l4k3l03", "hh5s93j4hdidpola", "hdhd0244k9j7ao03", "nnch734d00sl2jdk", "pfkkdhi9sl3r4s00",
    "kkk9d7dh3k39sjv7", "9djdj82h48djs9d2", "j49sk3j29djd", "dh893hdasih9", "kd94hf93k423kf44", "0685bd9184jfhq22",
    "ad180jjd733klru7", "h480djs93hd8", "45ghiukldjahdnhzdauz", "A3ddj3w", "7Fjfp0ZBr1KtDRbnfVdmIw", "gX1fBat3bV",
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "4twFt5NiznN84AWoo1d7KO1T_yoc0Z6XOpOVswacPZg",
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEJ1NtnwMDNSX0=",
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==",
    "tfp_placeholder", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "dXNlcm5hbWU6cGFzc3dvcmQ=", "dXNlcjpwYXNz",
    "mF_9.B5f-4.1JqM", "czZCaGRSa3F0MzpnWDFmQmF0M2JW", "SlAV32hkKG", "2YotnFZFEjr1zCsicMWpAA", "tGzv3JOkF0XG5Qx2TlKWIA",
})  # fmt: skip
# An access key id and a secret key of fixed length whose end is the word: nothing can be appended to those.
_AWS_EXAMPLE: Final = re.compile(r"A[A-Z]{3}[A-Z0-9]{9}EXAMPLE|[A-Za-z0-9/+]{30,33}EXAMPLEKEY|[A-Za-z0-9/+]{33}EXAMPLE")
_WORDS: Final = re.compile(
    r"example|sample|placeholder|changeme|change[-_. ]?(?:me|this|it)|replace[-_. ]?(?:me|with|this)?|redacted"
    r"|removed|masked|hidden"
    r"|dummy|fake|insert|todo|fixme|none|null|undefined|your|here|test|demo|enter|paste|secret|token|password"
    r"|passwd|passphrase"
    r"|api|key|value|string|goes|abcdef|omitted|censored|sanitized|invalid|lorem|ipsum|foobar|foo|bar|baz"
    r"|deadbeef|notareal|not|real",
    re.IGNORECASE,
)
_PLACEHOLDER_WORD: Final = re.compile(
    r"example|sample|placeholder|change[-_. ]?(?:me|this|it)|replace|redacted|masked|dummy|fake|todo|fixme|your"
    r"|my[-_]|here|omitted"
    r"|censored|sanitized|lorem|foobar|insert|goes|notareal|not[-_]a|deadbeef",
    re.IGNORECASE,
)
_TEMPLATE: Final = re.compile(
    r"\$\{[^{}]*\}|\{\{.*\}\}|\$\([^()]*\)|#\{[^{}]*\}|%\{[^{}]*\}|%[A-Za-z_]\w*%|<%.*%>|<[A-Za-z_][\w .:/-]*>"
    r"|\[[A-Za-z_][\w .-]*\]|\{[A-Za-z_][\w.:-]*\}"
    r"|\$[A-Za-z_]\w*|\$\{\{.*|\$\{[A-Za-z_][\w.:-]*|\{\{[^{}]*|%[sdrvq]|:[a-z_]+|@[A-Za-z_][\w.]*"
    r"|%\([A-Za-z_]\w*\)[sdr]|__[A-Za-z][A-Za-z_]*__|\$env:\w+|!\w+|&[a-z]+;",
    re.DOTALL,
)
_CODE: Final = re.compile(
    r"(?:os\.environ|os\.getenv|getenv|process\.env|import\.meta\.env|Deno\.env|env\.|ENV\[|System\.getenv"
    r"|std::env|Environment\.|config[.(\[]"
    r"|settings\.|self\.|this\.|args\.|options\.|params\.|props\.|req\.|request\.|ctx\.|secrets\.|vars?\."
    r"|local\.|data\.|vault:|op://|ref\+|arn:aws"
    r"|ssm:|keyvault|secretsmanager|file://|projects/|crypto\.|string\.|str\.|z\.|t\.|sa\.|models\.|Column|Field|new )",
    re.IGNORECASE,
)
_REPEAT: Final = re.compile(r"(.)\1{3,}|(..)\2{3,}|(...)\3{3,}", re.DOTALL)
_ELLIPSIS: Final = re.compile(r"\.{3}|…|\u2022{2}|\*{3}")
_SEQUENCES: Final = (
    "0123456789012345678901234567890123456789",
    "1234567890abcdefghijklmnopqrstuvwxyz",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "abcdef1234567890abcdef1234567890abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef",
    "9876543210",
    "fedcba9876543210",
    "zyxwvutsrqponmlkjihgfedcba",
    "qwertyuiopasdfghjklzxcvbnm",
)
_STEP: Final = 6
_GRAMS: Final = frozenset(s[i : i + _STEP] for s in _SEQUENCES for i in range(len(s) - _STEP + 1))
_SEGMENT: Final = re.compile(r"[^A-Za-z0-9]+")
_SMALL_RUN: Final = 9  # a run of letters and digits shorter than this, beside a placeholder, is no secret of its own

_PUBLIC: Final = re.compile(
    r"pk_(?:live|test)_\w*|pk\.eyJ[\w.-]*|phc_\w*|G-[A-Z0-9]{8,12}|UA-\d+-\d+|GTM-[A-Z0-9]+|sb_publishable_.*"
    r"|ssh-(?:rsa|ed25519|dss)\b.*"
    r"|AAAAB3NzaC1.*|AAAAC3NzaC1.*|ecdsa-sha2-.*|age1[a-z0-9]{50,}|-----BEGIN (?:PUBLIC|RSA PUBLIC|CERTIFICATE).*"
    r"|MI[GI][A-Za-z0-9+/]{2,6}(?:MA0GCSqGSIb3DQEBAQUAA4|MBMGByqGSM49AgEG).*|xpub[1-9A-HJ-NP-Za-km-z]{100,}",
    re.DOTALL,
)
_DIGEST: Final = re.compile(
    r"(?:sha(?:1|224|256|384|512)|md5|blake[23][bs3]?|crc32c?|h1|W/)[:=\-/].*|\"[0-9a-f-]+\""
    r"|[a-z0-9.-]+@sha256:[0-9a-f]+",
    re.DOTALL | re.IGNORECASE,
)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBERISH: Final = re.compile(
    r"#[0-9a-f]{3,8}|[\d\s.,:+TZ/_-]*|v?\d+(?:\.\d+){1,3}[-+.\w]{0,20}|0x[0-9a-fA-F]{1,8}|\d+(?:px|em|ms|s|m|h|d|kb|mb|gb)",
    re.IGNORECASE,
)
_PATH: Final = re.compile(
    r"[a-z][a-z0-9_.-]*(?:/[\w.-]+)+-[A-Za-z0-9]{6}|"  # the name of a secret in a secret manager
    r"(?:\.{0,2}/|~/|[A-Za-z]:\\)[\w@.~/\\ -]*|[\w.-]+(?:/[a-z_.-]+){1,6}/?[\w.-]*\.[a-z]{1,5}"
    r"|[\w-]{1,40}\.(?:py|js|ts|json|ya?ml|txt|md|pem|crt|key|env|conf|cfg|ini|html?|css|png|svg|sh|go|rs|java"
    r"|c|h|rb|php|xml|toml|lock|csv)"
)
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s@]*", re.IGNORECASE)
_MIME: Final = re.compile(r"(?:application|text|image|audio|video|multipart|font)/[\w.+-]+.*", re.IGNORECASE)

# Names whose value is public, opaque paging state, or the name of a thing and not the thing.
_KEY_BENIGN: Final = re.compile(
    r"(?:^|_)(?:progress|next|page|paging|pagination|continuation|cancel(?:l?ation)?|cursor|sync|resume|start|previous|prev"
    r"|last|change|delta|watch|idempotency|csrf|xsrf|public|publishable|site|design|syntax|lexer|parser|max|min|num|total"
    r"|prompt|completion|input|output|stop|eos|bos|pad|unk|sep|cls|mask|primary|foreign|partition|sort|cache|translation"
    r"|i18n|object|bucket|map|hot|short)_?(?:token|key|secret)s?$"
    r"|(?:^|_)(?:sha\d*|md5|hash|digest|checksum|integrity|etag|commit|revision|rev|fingerprint|thumbprint|nonce|uuid|guid"
    r"|version|resolved)$"
    r"|(?:^|_)(?:password|passwd|secret|token|key|credentials?)_?(?:hash|id|ids|name|type|ref|path|file|url|uri|field|label"
    r"|hint|policy|length|len|count|version|expiry|expires?(?:_?(?:in|at))?|ttl|endpoint|format|status|regex|pattern"
    r"|placeholder|arn|fingerprint|algorithm|alg|usage|limit|prefix|required|enabled|store|provider|manager|schema"
    r"|description|title)$"
)
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_STRONG: Final = re.compile(r"api|secret|pass|auth|access|client|bearer", re.IGNORECASE)
_KEY: Final = re.compile(
    r"([A-Za-z_][\w.\- ]{0,60}?)[\"'`\])]{0,3}\s{0,4}(?:=>|:=|={1,3}|:|\s)\s{0,4}[\"'`(\[\\]{0,3}$"
)
_XML_NAME: Final = re.compile(r"<(?:[\w.-]{1,40}:)?([A-Za-z_][\w.-]{0,60})(?:\s[^<>]{0,200})?>\s{0,8}$")
_BADGE: Final = re.compile(r"badge\.svg\?token=$")
_ARN: Final = re.compile(r"arn:aws[a-z-]{0,20}:secretsmanager:[a-z0-9-]{0,30}:\d{0,12}:secret:$")
_PASSED: Final = re.compile(r"\bPASS:\s{1,4}$")
_TEST: Final = re.compile(r"(?:[Tt]est|Example|Fuzz|Benchmark)")
_LOOK_BACK: Final = 96  # how far before a value its name may begin
_LOOKS: Final = 4  # a value that stands more often than this on one line is never excused by its name


def is_placeholder(secret: str) -> bool:
    """Whether a value (a secret's text, no quotes) is one that nobody was ever issued.

    Templates, masks, documentation's examples, words such as `changeme`, and values made of repeats and sequences. It
    reads the value alone and is meant for every rule.
    """
    if not secret or secret in DOCUMENTED or _AWS_EXAMPLE.fullmatch(secret) or _TEMPLATE.fullmatch(secret):
        return True
    if secret.rsplit(".", 1)[-1] in DOCUMENTED and secret.count(".") == 2:
        return True
    probe = secret[:4096]
    rest = _REPEAT.sub(" ", _ELLIPSIS.sub(" ", probe))
    rest = _without_sequences(rest)
    if len(rest) != len(probe) and not _has_body(_WORDS.sub(" ", rest)):
        return True
    if _PLACEHOLDER_WORD.search(probe) and not _has_body(_WORDS.sub(" ", rest)):
        return True
    return len(set(secret.lower())) <= _few(len(secret))


def is_no_secret(secret: str, line: str) -> bool:
    """Whether a value found by a rule that rests on its context is no secret.

    `secret` is the value without quotes, `line` the text around it (only the name directly before the value is read;
    the first 4,096 characters count, beyond them nothing is excused). Covers all of `is_placeholder`, and references in
    code, hashes with their name, UUIDs under weak names, public keys, paths, URLs, numbers and versions.
    """
    head, _, rest = secret.partition("&")
    if "=" in rest:  # the next parameter of a query
        secret, line = head, line[: len(line) - len(secret) + len(head)]
    if is_placeholder(secret):
        return True
    if _CODE.match(secret) or is_reference(secret) or _is_public(secret, line[: len(line) - len(secret)]):
        return True
    if any(shape.fullmatch(secret) for shape in (_PUBLIC, _DIGEST, _NUMBERISH, _PATH, _URL, _MIME)):
        return True
    names = _names(secret, line[:4096])
    if names and all(_KEY_BENIGN.search(_last(name)) for name in names):
        return True
    return bool(_UUID.fullmatch(secret)) and not any(_STRONG.search(name) for name in names)


def _is_public(secret: str, before: str) -> bool:
    """Whether what stands directly before a value says that it is no secret.

    A badge's address, the name of a secret in a secret manager, a test that passed.
    """
    if _ARN.search(before):
        return True
    if _BADGE.search(before) and re.fullmatch(r"[A-Za-z0-9]{10}", secret):
        return True
    return _PASSED.search(before) is not None and _TEST.match(secret) is not None


def _last(name: str) -> str:
    """The last part of a dotted name, in snake case: `spec.paging.nextToken` is judged as `next_token`."""
    return re.sub(r"[-\s]+", "_", _HUMP.sub("_", name.strip().rsplit(".", 1)[-1])).lower()


def _names(secret: str, line: str) -> list[str]:
    """The names directly before each place where the value stands; empty if one has none, or if there are too many."""
    names: list[str] = []
    at = line.find(secret)
    while at >= 0:
        before = line[max(0, at - _LOOK_BACK) : at]
        found = _KEY.search(before) or _XML_NAME.search(before)
        if not found or len(names) >= _LOOKS:
            return []
        names.append(found[1])
        at = line.find(secret, at + len(secret))
    return names


def _without_sequences(text: str) -> str:
    """The text with runs of keyboard, alphabet and counting sequences (six characters and longer) blanked."""
    low = text.lower()
    if len(low) != len(text):
        return text
    gone = [i for i in range(len(low) - _STEP + 1) if low[i : i + _STEP] in _GRAMS]
    if not gone:
        return text
    out = list(text)
    for i in gone:
        out[i : i + _STEP] = " " * _STEP
    return "".join(out).replace("  ", " ")


def _has_body(rest: str) -> bool:
    """Whether what is left beside a placeholder could be a secret: a long or mixed run of letters and digits."""
    for run in _SEGMENT.split(rest):
        digits = sum(c.isdigit() for c in run)
        if len(run) > _SMALL_RUN and digits and digits < len(run):
            return True
        if len(run) > 2 * _SMALL_RUN and len(set(run)) > _SMALL_RUN:
            return True
    return False


def _few(length: int) -> int:
    """How many different characters a value of this length has at most when it is made of repeats."""
    if length >= 24:
        return 5
    return 3 if length >= 8 else 1
