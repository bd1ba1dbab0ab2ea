"""What the rules for personal data check beyond a shape: checksums, lengths, ranges and dates.

Each validator takes what a rule matched, separators and all, and returns whether it can be what the rule says.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from tidegate_scan.pii_checksums import luhn, mod_97
from tidegate_scan.pii_ids import IDS, is_date

if TYPE_CHECKING:
    from collections.abc import Callable

_IBAN = """
15 NO 16 BE 18 DK FI FO GL NL SD FK 19 MK SI 20 AT BA EE KZ LT LU XK MN 21 CH HR LI LV
22 BG BH CR DE GB GE IE ME RS VA 23 AE GI IL IQ OM SO TL 24 AD CZ ES MD PK RO SA SE SK TN VG
25 LY PT ST 26 IS TR 27 BI DJ FR GR IT MC MR SM 28 AL AZ BY CY DO GT HN HU LB NI PL SV 29 BR EG PS QA UA
30 JO KW MU YE 31 MT SC 32 LC 33 RU
"""
"""The length of an IBAN, and the countries that have it: SWIFT's IBAN registry (ISO 13616)."""

_DIGITS_ALONE = """
AE AT BA BE BI CR CZ DE DJ DK EE EG ES FI FO GL HR HU IL IS LT LY ME MN MR NO PL PT RS SD SE SI SK SO ST TL TN VA XK
"""
"""The countries whose IBANs have no letter but the first two, by the same registry."""

_CALLING = """
1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86
90 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238
239 240 241 242 243 244 245 246 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269 290
291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 380 381 382 383 385 386 387
389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 598 599 670 672 673 674 675 676
677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 850 852 853 855 856 880 886 960 961 962 963 964 965 966 967
968 970 971 972 973 974 975 976 977 992 993 994 995 996 998
"""
"""The country codes of ITU-T E.164 that lead to persons."""

# How many digits follow the country code, where it is known well; elsewhere 6 to 12.
_NATIONAL = {
    "1": (10, 10), "7": (10, 10), "30": (10, 10), "31": (9, 9), "32": (8, 9), "33": (9, 9), "34": (9, 9), "39": (6, 11),
    "41": (9, 9), "44": (9, 10), "45": (8, 8), "46": (7, 10), "47": (8, 8), "48": (9, 9), "49": (6, 13), "52": (10, 11),
    "54": (10, 11), "55": (10, 11), "61": (9, 9), "65": (8, 8), "81": (9, 10), "82": (8, 11), "86": (10, 11),
    "90": (10, 10), "91": (10, 10), "351": (9, 9), "420": (9, 9), "972": (8, 9),
}  # fmt: skip

_DOMAINS = """
com org net edu gov mil int info biz name pro aero coop museum mobi jobs travel cat post tel asia arpa
test example invalid localhost local internal corp home lan
academy agency ai app art associates band bank bar beer best bike blog build business cafe capital care careers center
chat church city clinic cloud club codes coffee community company computer consulting cool dental design dev digital
direct directory doctor domains education email energy engineer engineering enterprises events exchange expert express
family farm finance fit fitness foundation fun fund fyi gallery games global gmbh gold group guide guru health help
holdings house immo inc institute insure international investments kitchen land law lawyer legal life link live llc
london ltd management marketing media money network news ngo nyc one ong online page paris partners party photo
photography photos pics place plus press productions properties pub red rent rentals report rest restaurant review run
sale school science security services shop show site social software solutions space store studio style support swiss
systems team tech technology tips today tokyo tools top tours town toys training university vet video villas vip
vision wiki wine work works world wtf xyz yoga zone berlin hamburg koeln wien bayern amsterdam africa eus gal bzh
"""
_COUNTRIES = """
ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg
ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi
gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw
ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng
ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn
so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws
ye yt za zm zw
"""
_TOP = frozenset((_DOMAINS + _COUNTRIES).split())
_ACCOUNTS = frozenset({"git", "hg", "svn"})  # of version control: git@host:path names a repository

# Issuer ranges: the first and the last prefix, and the lengths (ISO/IEC 7812 and the issuers' own pages).
_ISSUERS = (
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("6011", "6011", (16, 19)),  # Discover
    ("644", "649", (16, 19)),
    ("65", "65", (16, 19)),
    ("3528", "3589", (16, 17, 18, 19)),  # JCB
    ("300", "305", (14, 16, 19)),  # Diners Club
    ("3095", "3095", (14, 16, 19)),
    ("36", "36", (14, 16, 19)),
    ("38", "39", (14, 16, 19)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("81", "81", (16, 17, 18, 19)),
    ("5018", "5018", tuple(range(12, 20))),  # Maestro
    ("5020", "5020", tuple(range(12, 20))),
    ("5038", "5038", tuple(range(12, 20))),
    ("5893", "5893", tuple(range(12, 20))),
    ("6304", "6304", tuple(range(12, 20))),
    ("6759", "6759", tuple(range(12, 20))),
    ("6761", "6763", tuple(range(12, 20))),
)

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(r"(?:19|20)\d\d[-/.]\d\d[-/.]\d\d|\d\d?[-/.]\d\d?[-/.](?:19|20)\d\d")
_RESOLVERS = frozenset({"1.1.1.1", "8.8.8.8", "8.8.4.4", "9.9.9.9"})


def _lengths() -> dict[str, int]:
    found, length = {}, 0
    for word in _IBAN.split():
        if word.isdecimal():
            length = int(word)
        else:
            found[word] = length
    return found


IBAN_LENGTHS = _lengths()
"""Per ISO 3166 country code, how many characters its IBANs have."""

_CODES = frozenset(_CALLING.split())
NUMERIC = frozenset(_DIGITS_ALONE.split())
"""The countries whose IBANs are digits behind the country code."""


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdecimal())


def iban(text: str) -> bool:
    """The country's length, no letters where it has none, and mod 97 (ISO 13616)."""
    plain = "".join(char for char in text if char.isalnum()).upper()
    if plain[:2] in NUMERIC and not plain[2:].isdecimal():
        return False
    return plain.isascii() and IBAN_LENGTHS.get(plain[:2]) == len(plain) and mod_97(plain)


def payment_card(text: str) -> bool:
    """An issuer's range and length, and Luhn (ISO/IEC 7812)."""
    n = _digits(text)
    if len(set(n)) < 2 or not luhn(n):
        return False
    return any(first <= n[: len(first)] <= last and len(n) in lengths for first, last, lengths in _ISSUERS)


def _nanp(n: str) -> bool:
    """Ten digits of the North American numbering plan: NXX NXX XXXX, neither N11 nor an area with a 9 in its middle."""
    area, exchange = n[:3], n[3:6]
    return (
        len(n) == 10 and area[1] != "9" and all(part[0] not in "01" and part[1:] != "11" for part in (area, exchange))
    )


_PLACE = re.compile(r"\+[0-8]\d(?:[0-5]\d){1,2}-[01]\d\d(?:[0-5]\d){1,2}")
"""A place on the Earth in degrees, minutes and seconds (ISO 6709), west of Greenwich."""


def phone(text: str) -> bool:
    """An international number: a country code that is given out, and as many digits as there are (ITU-T E.164)."""
    if text.count(".") == 1 and not set(text) & set(" -/("):  # +48.8577 is a coordinate
        return False
    if _PLACE.fullmatch(text):
        return False
    n = _digits(text.replace("(0)", ""))
    code = next((n[:size] for size in (1, 2, 3) if n[:size] in _CODES), "")
    least, most = _NATIONAL.get(code, (6, 12))
    rest = n[len(code) :]
    return bool(code) and least <= len(rest) <= most and len(set(rest)) > 1 and (code != "1" or _nanp(rest))


def phone_nanp(text: str) -> bool:
    """A number of the North American numbering plan, without its country code."""
    n = _digits(text)
    return _nanp(n) and len(set(n)) > 1


def phone_national(text: str) -> bool:
    """A number as it is dialled within a country. There must be a word about telephones beside it, so few ask much."""
    n = _digits(text)
    if len(set(n)) < 2 or _DATE.search(text):
        return False
    if text.lstrip("(").startswith("00"):
        return phone("+" + n[2:])
    if n[0] == "0":  # a trunk prefix, as in most countries
        return 9 <= len(n) <= 12
    grouped = len(n) < len(text)
    return (
        (len(n) == 10 and (n[0] in "6789" or _nanp(n)))  # India; North America
        or (len(n) == 11 and (n[0] == "1" and (n[1] in "3456789" or _nanp(n[1:]))))  # China; North America with its 1
        or (len(n) == 11 and (n[0] == "8" or n[2] == "9") and grouped)  # Russia; Brazil's mobiles
        or (len(n) == 10 and grouped)  # Brazil, Italy, Mexico
        or (len(n) == 9 and n[0] in "2456789")  # Spain, Poland, Portugal, Czechia
        or (len(n) in (7, 8) and grouped)  # Denmark, Norway, Singapore; local numbers
    )


def email(text: str) -> bool:
    """Lengths as RFC 5321, 4.5.3.1, and a last label that is a country's or in common use."""
    local, _, domain = text.rpartition("@")
    if len(local.encode()) > 64 or len(domain) > 253 or local.lower() in _ACCOUNTS:
        return False
    if domain.startswith("["):
        return _address(domain[1:-1].removeprefix("IPv6:")) is not None
    top = domain.rpartition(".")[2].lower()
    return not top.isascii() or top.startswith("xn--") or top in _TOP


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def public_ip(text: str) -> bool:
    """An address of the public Internet: none that is private, of loopback, of multicast or for documentation.

    Four single digits are more often a version than an address, and so is what ends in two zeros.
    """
    address = _address(text)
    if address is None or not address.is_global or address.is_multicast:
        return False
    if isinstance(address, ipaddress.IPv6Address) or text in _RESOLVERS:
        return True
    return len(text) > len("1.2.3.4") and not text.endswith(".0.0")


def birthday(text: str) -> bool:
    """A day from 1900 to 2099, in any of the usual orders."""
    parts = re.findall(r"[0-9]+|[A-Za-z]{3,}", text)
    if len(parts) != 3:
        return False
    named = [_MONTHS.index(part[:3].lower()) + 1 for part in parts if part[:3].lower() in _MONTHS]
    numbers = [int(part) for part in parts if part.isdecimal()]
    year = next((number for number in numbers if 1900 <= number <= 2099), 0)
    if not year or len(named) + len(numbers) != 3:
        return False
    numbers.remove(year)
    if named:
        return is_date(year, named[0], numbers[0])
    return is_date(year, *numbers) or is_date(year, *reversed(numbers))


VALIDATORS: dict[str, Callable[[str], bool]] = {
    **IDS,
    "birthday": birthday,
    "email": email,
    "iban": iban,
    "payment-card": payment_card,
    "phone": phone,
    "phone-nanp": phone_nanp,
    "phone-national": phone_national,
    "public-ip": public_ip,
}
"""The validators by the names that rules use."""
