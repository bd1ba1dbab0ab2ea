"""Random values in the issuers' public formats, and the small template language that kinds are written in.

A template is text with ``[[`` and ``]]`` around the secret, with values to draw between ``<<`` and ``>>``
(``<<an36>>``: 36 letters and digits; ``<<hex32-40>>``: 32 to 40 hexadecimal digits) and, where a larger part may
as well be called the secret (a URL around its password), with ``<|`` and ``|>`` around that.
"""

from __future__ import annotations

import base64
import re
import string
import uuid
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

DIGITS = string.digits
UPPER = string.ascii_uppercase
LOWER = string.ascii_lowercase
BASE62 = DIGITS + UPPER + LOWER
BASE36 = DIGITS + LOWER
ALPHABETS = {
    "an": BASE62,
    "hex": "0123456789abcdef",
    "hexu": "0123456789ABCDEF",
    "up": UPPER + DIGITS,
    "low": BASE36,
    "lett": UPPER + LOWER,
    "az": LOWER,
    "dig": DIGITS,
    "nz": "123456789",
    "bt": UPPER + "234567",
    "bu": BASE62 + "-_",
    "bs": BASE62 + "+/",
    "bf": "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
    "bech": "qpzry9x8gf2tvdw0s3jn54khce6mua7l",
    "pwu": BASE62 + "-_.~",
    "pw": BASE62 + BASE62 + "!#%*+-.=?_",
}
WORDS = [
    "amber",
    "anchor",
    "atlas",
    "badger",
    "basil",
    "beacon",
    "birch",
    "bridge",
    "canyon",
    "cedar",
    "cobalt",
    "comet",
    "coral",
    "crane",
    "delta",
    "ember",
    "falcon",
    "fern",
    "fjord",
    "flint",
    "garnet",
    "glacier",
    "harbor",
    "hazel",
    "heron",
    "indigo",
    "iris",
    "juniper",
    "kestrel",
    "lagoon",
    "larch",
    "lotus",
    "maple",
    "marble",
    "meadow",
    "mesa",
    "nickel",
    "oasis",
    "onyx",
    "orchid",
    "otter",
    "pebble",
    "pine",
    "plover",
    "quartz",
    "raven",
    "reef",
    "river",
    "saffron",
    "sage",
    "sierra",
    "slate",
    "spruce",
    "summit",
    "tango",
    "thistle",
    "topaz",
    "tundra",
    "umber",
    "velvet",
    "walnut",
    "willow",
    "zephyr",
]
USERS = [
    "admin",
    "app",
    "svc_billing",
    "deploy",
    "reporting",
    "etl",
    "root",
    "ingest",
    "postgres",
    "grafana_ro",
    "jenkins",
    "backup",
    "orders",
]
TLDS = ["com", "io", "net", "dev", "cloud", "org"]


class Made(NamedTuple):
    """One secret in its minimal natural form.

    Attributes:
        text: the text that it stands in.
        start: where in it the secret begins.
        end: where it ends.
        whole: the start and end of a larger part that may be called the secret as well; the secret's own otherwise.
        member: the name of the JSON member whose value the text is, where only that name tells what it is.
    """

    text: str
    start: int
    end: int
    whole: tuple[int, int]
    member: str | None = None

    @property
    def secret(self) -> str:
        """The secret itself."""
        return self.text[self.start : self.end]


def drawn(random: Random, alphabet: str, length: int) -> str:
    """Return so many characters of an alphabet."""
    return "".join(random.choices(alphabet, k=length))


def in_base(number: int, alphabet: str, width: int) -> str:
    """Return a number's digits in the base of an alphabet, padded on the left to a width."""
    out = ""
    while number:
        number, digit = divmod(number, len(alphabet))
        out = alphabet[digit] + out
    return out.rjust(width, alphabet[0])


def with_crc(body: str) -> str:
    """Return a body with the six base62 digits of its CRC-32, as GitHub's and npm's tokens end."""
    return body + in_base(zlib.crc32(body.encode()), BASE62, 6)


def password(random: Random, length: int) -> str:
    """Return a password as a careful program makes it: of all classes of characters."""
    while True:
        made = drawn(random, ALPHABETS["pw"], length)
        if (
            all(any(c in part for c in made) for part in (DIGITS, UPPER, LOWER))
            and made[0].isalnum()
            and made[-1].isalnum()
        ):
            return made


def human(random: Random, _length: int) -> str:
    """Return a password as people make it: a word or two, some digits, a sign."""
    first, second = random.choice(WORDS), random.choice(WORDS)
    sign = random.choice("!#-_.*")
    return f"{first.capitalize()}{sign}{second}{random.randrange(10, 9999)}"


def host(random: Random, _length: int) -> str:
    """Return a host's name."""
    role = random.choice(("db", "pg-1", "cache", "mq", "prod-db", "search", "ftp", "api", "registry"))
    return f"{role}.{random.choice(WORDS)}-{random.choice(WORDS)}.{random.choice(TLDS)}"


def uuid4(random: Random, _length: int = 0) -> str:
    """Return a version 4 UUID (RFC 9562)."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def noise(random: Random, length: int) -> str:
    """Return so many random bytes as padded base64."""
    return base64.b64encode(random.randbytes(length)).decode()


def basic(random: Random, _length: int) -> str:
    """Return the credentials of HTTP's Basic scheme (RFC 7617, section 2)."""
    pair = f"{random.choice(USERS)}:{password(random, 18)}"
    return base64.b64encode(pair.encode()).decode()


def gitlab_routable(random: Random, _length: int) -> str:
    """Return the part behind the prefix of a routable GitLab token: payload, version, its length, its CRC-32."""
    payload = base64.urlsafe_b64encode(
        b"o:1\nu:" + drawn(random, BASE36, 4).encode() + b"\n" + random.randbytes(16) + b"\x10"
    )
    text = payload.decode().rstrip("=")
    body = f"{text}.01.{in_base(len(text), BASE36, 2)}"
    return body + in_base(zlib.crc32(f"glpat-{body}".encode()), BASE36, 7)


def bech32(prefix: str, body: str) -> str:
    """Return a bech32 string (BIP 173) for data that is given in bech32's own alphabet."""
    alphabet = ALPHABETS["bech"]
    data = [alphabet.index(char) for char in body]
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = 1
    for value in [*expanded, *data, 0, 0, 0, 0, 0, 0]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= factor if top >> bit & 1 else 0
    check ^= 1
    return f"{prefix}1{body}{''.join(alphabet[check >> 5 * (5 - place) & 31] for place in range(6))}"


def age_key(random: Random, _length: int) -> str:
    """Return an age identity: 32 bytes (52 characters, the last of which holds one bit), upper case."""
    return bech32("age-secret-key-", drawn(random, ALPHABETS["bech"], 51) + random.choice("qs")).upper()


FUNCTIONS: dict[str, Callable[[Random, int], str]] = {
    "pw": password,
    "human": human,
    "host": host,
    "uuid": uuid4,
    "noise": noise,
    "basic": basic,
    "crc": lambda random, length: with_crc(drawn(random, BASE62, length)),
    "glr": gitlab_routable,
    "age": age_key,
    "word": lambda random, _: random.choice(WORDS),
    "user": lambda random, _: random.choice(USERS),
}
"""What can stand in a template beside the alphabets; the modules that make keys add theirs."""

_VALUE = re.compile(r"<<([a-z_]+)(\d*)(?:-(\d+))?>>")
_MARK = re.compile(r"(\[\[|\]\]|<\||\|>)")


def _value(match: re.Match[str], random: Random) -> str:
    name, low, high = match.groups()
    length = int(low or 0)
    if high:
        length = random.randint(length, int(high))
    made = FUNCTIONS.get(name)
    return made(random, length) if made else drawn(random, ALPHABETS[name], length)


def say(random: Random, template: str) -> str:
    """Return a text with its values drawn; it has no marks."""
    return _VALUE.sub(lambda match: _value(match, random), template)


def lines(random: Random, template: str, low: int, high: int) -> str:
    """Return between so many and so many lines of one template, each with values of its own."""
    return "\n".join(say(random, template) for _ in range(random.randint(low, high)))


def fill(template: str, random: Random) -> Made:
    """Return a template with its values drawn."""
    text = ""
    at: dict[str, int] = {}
    for part in _MARK.split(template):
        if _MARK.fullmatch(part):
            at[part] = len(text)
        else:
            text += say(random, part)
    start, end = at["[["], at["]]"]
    return Made(text, start, end, (at.get("<|", start), at.get("|>", end)))
