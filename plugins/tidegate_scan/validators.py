"""What a value must be beyond its shape: checksums, structure, and how random it looks.

Each validator takes the secret's text and says whether it is plausible; none raises, none keeps anything.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import zlib
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tidegate_scan.not_secrets import is_placeholder
from tidegate_scan.references import englishness, is_reference, without_technical

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DIGITS: Final = "0123456789"
_UPPER: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER: Final = _UPPER.lower()
# Issuers name base62 without naming its order of characters; each order costs one chance in 2^32.
_BASE62: Final = (_DIGITS + _UPPER + _LOWER, _DIGITS + _LOWER + _UPPER, _UPPER + _LOWER + _DIGITS)
_CHECK: Final = 6  # characters of a CRC32 written in base62

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^A-Za-z\d]+")
# Words that values of schemas, prose and code are made of; a password of these alone is a word about passwords.
_PLAIN_WORDS_TEXT: Final = """
a abc access admin all an and any api app application are args array as at auth bar baz qux foo authentication
authorization aws base basic bearer bool boolean by bytes cache cannot changeme char cli client code column config
configuration confirm const context cookie count create credential credentials current data database date db default
description disabled docker email empty enabled encrypted encryption env environment error event example expired
export failed foobar false field file float for form format forgot from func function generate get git github gitlab
global grant has hash header hidden host id if import in index info init input int integer invalid is it item json
jwt k8s key keys kind label length let list literal local login logout long main manager map max message method min
missing mode model my name nan never new next nil no none not null num number oauth obj object of off ok old on only
open option optional options or output page param parameter params pass passphrase passwd password passwords path
pem permission placeholder policy post prefix present private process prompt property provided public pwd query
random read readonly ref refresh regex register repeat repo request require required reset resource response result
return role root rsa s3 salt schema scope secret secrets self server service session set settings sha ssh ssl state
static status storage store str string strip struct submit sudo svc system tag template test text the this time
title tls to todo token tokens true tuple txt type types undefined unknown unset update uri url usage use user
username users utf uuid val valid validate value values var variable variables vault verify version via view void
was web webhook were will with write xml yaml yes you your
"""
_PLAIN_WORDS: Final = frozenset(_PLAIN_WORDS_TEXT.split())
_BLANKS: Final = re.compile(r"\\[nrt]|[\s\"',+]")
_PEM: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]+-----|-----END [A-Z0-9 ]+-----"
    r"|(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset)\s*:[^\n\\]*(?:\\r)?(?:\\n|\n)"
)


def entropy(text: str) -> float:
    """Shannon's entropy of a text in bits per character (0.0 for an empty one)."""
    if not text:
        return 0.0
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values())


def crc32_base62(secret: str) -> bool:
    """Whether the last six characters are the CRC32, in base62, of what stands before them.

    GitHub: https://github.blog/engineering/behind-githubs-new-authentication-token-formats/ ; npm follows it.
    """
    prefix, _, body = secret.rpartition("_")
    if len(body) <= _CHECK:
        return False
    check = body[-_CHECK:]
    covered = (body[:-_CHECK], f"{prefix}_{body[:-_CHECK]}", f"{prefix}{body[:-_CHECK]}")
    return any(_base62(zlib.crc32(text.encode()), order) == check for text in covered for order in _BASE62)


def _base62(number: int, order: str) -> str:
    out = ""
    while number:
        number, digit = divmod(number, 62)
        out = order[digit] + out
    return out.rjust(_CHECK, order[0])


def jwt(secret: str) -> bool:
    """Whether a compact JWS or JWE has a JSON header with an algorithm (RFC 7515, section 3.1) and is not public.

    A signed token whose payload says that it is Supabase's `anon` role is meant for browsers, so it is no secret.
    """
    parts = secret.split(".")
    if len(parts) < 3:
        return False
    header = _json(parts[0])
    if not isinstance(header, dict) or not isinstance(header.get("alg", header.get("enc")), str):
        return False
    payload = _json(parts[1])
    return not (
        isinstance(payload, dict) and payload.get("role") == "anon" and "supabase" in str(payload.get("iss", ""))
    )


def _json(part: str) -> object:
    try:
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None


def starts_with_json(secret: str) -> bool:
    """Whether the first base64url run that begins with `eyJ` decodes to the beginning of a JSON object."""
    found = re.search(r"eyJ[A-Za-z0-9_+/-]{5,}", secret)
    if not found:
        return False
    run = found[0][:40]
    try:
        return base64.b64decode(run[: len(run) // 4 * 4].replace("-", "+").replace("_", "/")).startswith(b'{"')
    except binascii.Error:
        return False


def pem(secret: str) -> bool:
    """Whether the body of a private key block is base64 of at least 30 varied bytes (RFC 7468; headers as RFC 1421)."""
    body = _BLANKS.sub("", _PEM.sub("", secret[:4096])).replace("\\", "")
    body = body.split("=", 1)[0]
    return len(body) >= 40 and re.fullmatch(r"[A-Za-z0-9/-]+", body) is not None and entropy(body) >= 3.5


def base64_text(secret: str) -> bool:
    """Whether the whole value is well-formed base64, standard or for URLs, with or without padding."""
    body = secret.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def base64_of_text(secret: str) -> bool:
    """Whether the value is base64 of text that can be printed, as passwords and `user:password` are."""
    try:
        return base64.b64decode(secret + "=" * (-len(secret) % 4), validate=True).decode().isprintable()
    except (ValueError, binascii.Error):
        return False


def basic_auth(secret: str) -> bool:
    """Whether the value decodes to `user:password` (RFC 7617, section 2) with a password that is no placeholder."""
    try:
        text = base64.b64decode(secret + "=" * (-len(secret) % 4), validate=True).decode()
    except (ValueError, binascii.Error):
        return False
    user, colon, password = text.partition(":")
    if not colon or not text.isprintable():
        return False
    one = password or user
    return len(one) >= 3 and not is_placeholder(one) and one.lower() not in _PLAIN_WORDS


_USUAL: Final = frozenset({
    "postgres", "mysql", "mariadb", "mongo", "mongodb", "redis", "rabbitmq", "rabbit", "guest", "root", "admin",
    "oracle", "sa", "elastic", "minio", "minioadmin", "neo", "kafka", "docker", "vagrant", "ubuntu",
    "password", "passw", "pass", "test",
})  # fmt: skip
"""What a service is installed with, and what tests use; with nothing or 1, 12 or 123 behind it."""


def password_in_url(secret: str) -> bool:
    """Whether the password of a URL or a connection string is one: no template, no word that stands for a password."""
    if len(secret) < 3 or is_placeholder(secret) or secret[0] in "$<{[%*" or set(secret) <= set("*.xX-_"):
        return False
    return not _only_plain_words(secret)


def _only_plain_words(secret: str) -> bool:
    words = [w.lower() for w in _WORD.findall(secret) if w[0].isalpha()]
    digits = "".join(w for w in _WORD.findall(secret) if w[0].isdigit())
    whole = re.sub(r"[^a-z]", "", secret.lower())
    if secret.isalnum() and whole in _USUAL and digits in ("", "1", "12", "123"):
        return True
    return not words or (len(digits) < 3 and (whole in _PLAIN_WORDS or all(w in _PLAIN_WORDS for w in words)))


def mixed(secret: str) -> bool:
    """Whether the value holds at least one letter and one digit."""
    return any(c.isdigit() for c in secret) and any(c.isalpha() for c in secret)


def varied(secret: str) -> bool:
    """Whether the value holds letters and digits, or, as one key in thirty does, letters of both cases alone.

    Those have to be many, and no words.
    """
    if mixed(secret):
        return True
    letters = secret.rpartition("_")[2].rpartition("-")[2]
    both = letters.lower() != letters and letters.upper() != letters
    return len(letters) >= 16 and both and entropy(letters) >= 3.3 and englishness(letters) < 0.5


def not_hex(secret: str) -> bool:
    """Whether the value is something else than hexadecimal digits: a commit id is no key of mixed characters."""
    return re.fullmatch(r"[0-9a-fA-F]+", secret) is None


def random_looking(secret: str) -> bool:
    """Whether the value could come out of a generator of keys: long, varied, and not made of words.

    Needs 12 characters. A run of words, a name in camel or snake case, a path or a sentence is not random.
    """
    if len(secret) < 12 or any(map(str.isspace, secret)):
        return False
    letters = sum(map(str.isalpha, secret))
    digits = sum(map(str.isdigit, secret))
    if digits + letters < len(secret) * 0.7 or not letters or entropy(secret) < 2.9:
        return False
    digits = sum(map(str.isdigit, without_technical(secret)))
    if not digits:  # letters alone: only a run of mixed case that no words explain
        return len(secret) >= 20 and not secret.isupper() and englishness(secret) < 0.45 and entropy(secret) >= 3.5
    return englishness(secret) < (0.6 if digits <= 2 else 0.75) and not _only_plain_words(secret)


def password_like(secret: str) -> bool:
    """Whether the value of something called a password could be one.

    Digits or signs beside letters, no word of schemas, prose and code, no name in code, four characters or more.
    """
    secret = without_technical(secret).rstrip("*:")
    if len(secret) < 4 or any(map(str.isspace, secret)) or _only_plain_words(secret):
        return False
    letters = sum(map(str.isalpha, secret))
    digits = sum(map(str.isdigit, secret))
    signs = len(secret) - letters - digits
    inner = sum(not c.isalnum() and c not in "_-./:," for c in secret)
    if not letters or signs > len(secret) * 0.6 or _is_prose(secret):
        return False
    if inner:  # a sign that neither names nor paths hold, and something else than a word with a mark behind it
        return bool(digits) or any(not c.isalnum() for c in secret[:-1])
    if digits:
        return len(secret) >= 6
    cases = secret.lower() != secret and secret.upper() != secret
    return len(secret) >= 10 and cases and englishness(secret) < 0.45


def _is_prose(secret: str) -> bool:
    """Whether a value is a sentence of a language that puts no blanks between words."""
    return len(secret) >= 10 and sum("\u3040" <= c <= "\uffef" or "\u0e00" <= c <= "\u0eff" for c in secret) * 3 > len(
        secret
    )


def word_password(secret: str) -> bool:
    """Whether a quoted value of something called a password is one, words of the dictionary included."""
    if password_like(secret):
        return True
    return 6 <= len(secret) <= 64 and secret.isalpha() and secret.islower() and not _only_plain_words(secret)


def not_uuid_nil(secret: str) -> bool:
    """Whether a UUID is more than the nil or the max one (RFC 9562, sections 5.9 and 5.10) or a counting example."""
    plain = secret.replace("-", "").lower()
    return len(set(plain)) > 4 and not plain.startswith(("12345678", "01234567"))


def mnemonic(secret: str) -> bool:
    """Whether there are 12, 15, 18, 21 or 24 short lower-case words, mostly different ones (BIP 39)."""
    words = secret.split()
    return (
        len(words) in {12, 15, 18, 21, 24}
        and len(set(words)) >= len(words) * 0.7
        and all(3 <= len(w) <= 8 for w in words)
    )


VALIDATORS: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType({
    "crc32-base62": crc32_base62,
    "jwt": jwt,
    "json-start": starts_with_json,
    "pem": pem,
    "base64": base64_text,
    "base64-of-text": base64_of_text,
    "basic-auth": basic_auth,
    "password-in-url": password_in_url,
    "mixed": mixed,
    "varied": varied,
    "not-hex": not_hex,
    "random": random_looking,
    "password": password_like,
    "word-password": word_password,
    "not-code": lambda secret: not is_reference(secret),
    "uuid": not_uuid_nil,
    "mnemonic": mnemonic,
})  # fmt: skip
