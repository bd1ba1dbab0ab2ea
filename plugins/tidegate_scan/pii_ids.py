"""National ids: what tells one from any other number, checksums and dates.

Each function takes what its rule matched, separators and all, and returns whether it can be such an id. The rules
in ``pii/*.toml`` name the sources of the checksums. A rule's expression has checked the shape already, so digits
are where they belong; a text of another length is refused here nevertheless.
"""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING

from tidegate_scan.pii_checksums import luhn, mod_11_2, mod_11_10, verhoeff, weighted

if TYPE_CHECKING:
    from collections.abc import Callable

_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_CURP = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
_FISCALE_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_NINO_NEVER = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}
_BEGINNINGS = (
    (11, 15),
    (21, 23),
    (31, 37),
    (41, 46),
    (50, 54),
    (61, 65),
    (71, 71),
    (81, 83),
)  # of provinces (GB/T 2260)
_NRIC = {
    "S": (0, "JZIHGFEDCBA"),
    "T": (4, "JZIHGFEDCBA"),
    "F": (0, "XWUTRQPNMLK"),
    "G": (4, "XWUTRQPNMLK"),
    "M": (3, "XWUTRQPNJLK"),
}  # per first letter what is added to the sum, and the check letters
_SSN_NEVER = {"078051120", "219099999"}  # printed on sample cards, and withdrawn


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdecimal())


def _plain(text: str) -> str:
    return "".join(char for char in text if char.isalnum()).upper()


def _repeats(digits: str) -> bool:
    return len(set(digits)) == 1


def is_date(year: int, month: int, day: int) -> bool:
    """Return whether there is such a day. A two-digit year counts as one of 2000 to 2099."""
    if not (1 <= month <= 12 and day >= 1):
        return False
    return day <= calendar.monthrange(year if year > 99 else 2000 + year, month)[1]


def us_ssn(text: str) -> bool:
    """No area 000, 666 or from 900, no group 00, no serial 0000."""
    n = _digits(text)
    if len(n) != 9 or n[:3] in ("000", "666") or n[0] == "9" or n[3:5] == "00" or n[5:] == "0000":
        return False
    return not _repeats(n) and n not in _SSN_NEVER


def uk_nhs(text: str) -> bool:
    """Ten digits, mod 11."""
    n = _digits(text)
    return len(n) == 10 and not _repeats(n) and weighted(n, range(10, 0, -1)) % 11 == 0


def uk_nino(text: str) -> bool:
    """A prefix that is given out; there is no checksum."""
    return _plain(text)[:2] not in _NINO_NEVER


def es_dni(text: str) -> bool:
    """DNI and NIE: a letter, mod 23."""
    n = _plain(text)
    if len(n) != 9:
        return False
    number = int(n[:-1].translate(str.maketrans("XYZ", "012")))
    return number > 0 and _DNI[number % 23] == n[-1]


def fr_nir(text: str) -> bool:
    """Thirteen digits, and a key of two, mod 97; 2A and 2B are Corsica."""
    n = _plain(text).replace("2A", "19").replace("2B", "18")
    return len(n) == 15 and n.isdecimal() and 97 - int(n[:13]) % 97 == int(n[13:])


def it_codice_fiscale(text: str) -> bool:
    """Sixteen characters, the last a check letter, mod 26."""
    n = text.upper()
    if len(n) != 16:
        return False
    values = [int(char) if char.isdecimal() else ord(char) - ord("A") for char in n]
    total = sum(value if place % 2 else _FISCALE_ODD[value] for place, value in enumerate(values[:15]))
    return total % 26 == values[15]


def de_steuer_id(text: str) -> bool:
    """Eleven digits, mod 11,10; among the first ten, exactly one stands there twice or three times."""
    n = _digits(text)
    if len(n) != 11 or n[0] == "0":
        return False
    times = sorted(n[:10].count(digit) for digit in set(n[:10]))
    return times[-1] in (2, 3) and times[-2] == 1 and mod_11_10(n)


def nl_bsn(text: str) -> bool:
    """Nine digits, the "elfproef"."""
    n = _digits(text)
    return len(n) == 9 and not _repeats(n) and weighted(n, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def be_national_number(text: str) -> bool:
    """Eleven digits, mod 97, with a 2 before them from births in 2000 on; bis numbers add 20 or 40 to the month."""
    n = _digits(text)
    if len(n) != 11 or int(n[2:4]) % 20 > 12 or int(n[2:4]) > 52 or int(n[4:6]) > 31 or n[6:9] in ("000", "999"):
        return False
    return int(n[9:]) in (97 - int(n[:9]) % 97, 97 - int("2" + n[:9]) % 97)


def pl_pesel(text: str) -> bool:
    """Eleven digits, mod 10; the month says the century."""
    n = _digits(text)
    if len(n) != 11 or weighted(n, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10:
        return False
    century, month = divmod(int(n[2:4]), 20)
    return is_date((1900, 2000, 2100, 2200, 1800)[century] + int(n[:2]), month, int(n[4:6]))


def se_personnummer(text: str) -> bool:
    """Ten or twelve digits, Luhn over the last ten; a coordination number's day has 60 more."""
    n = _digits(text)[-10:]
    return len(n) == 10 and luhn(n) and is_date(int(n[:2]), int(n[2:4]), int(n[4:6]) % 60)


def fi_hetu(text: str) -> bool:
    """A date, a sign, three digits and a check character, mod 31."""
    n = _plain(text.upper().replace("+", "-"))
    digits = n[:6] + n[-4:-1]
    if len(digits) != 9 or not digits.isdecimal() or int(digits[6:]) < 2:
        return False
    return is_date(int(n[4:6]), int(n[2:4]), int(n[:2])) and _HETU[int(digits) % 31] == n[-1]


def dk_cpr(text: str) -> bool:
    """Ten digits that begin with a date. The checksum isn't kept to since 2007."""
    n = _digits(text)
    return len(n) == 10 and n[6:] != "0000" and is_date(int(n[4:6]), int(n[2:4]), int(n[:2]) % 60)


def no_fodselsnummer(text: str) -> bool:
    """Eleven digits that begin with a date, two checks mod 11; D-numbers add 40 to the day, H-numbers to the month."""
    n = _digits(text)
    if len(n) != 11 or not is_date(int(n[4:6]), int(n[2:4]) % 40, int(n[:2]) % 40):
        return False
    first = weighted(n[:10], (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    return first == 0 and weighted(n, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def pt_nif(text: str) -> bool:
    """Nine digits, mod 11, where 10 and 11 become 0."""
    n = _digits(text)
    if len(n) != 9 or n[0] == "0" or _repeats(n):
        return False
    check = 11 - weighted(n[:8], range(9, 1, -1)) % 11
    return int(n[8]) == (0 if check > 9 else check)


def ch_ahv(text: str) -> bool:
    """Thirteen digits from 756 on, the checksum of EAN-13."""
    n = _digits(text)
    return len(n) == 13 and n[:3] == "756" and weighted(n, (1, 3) * 6 + (1,)) % 10 == 0


def _mod_11_or_0(values: list[int], weights: list[int]) -> int:
    rest = sum(value * weight for value, weight in zip(values, weights, strict=True)) % 11
    return 0 if rest < 2 else 11 - rest


def br_cpf(text: str) -> bool:
    """Eleven digits, two checks mod 11."""
    n = [int(digit) for digit in _digits(text)]
    if len(n) != 11 or len(set(n)) == 1:
        return False
    return all(_mod_11_or_0(n[:size], list(range(size + 1, 1, -1))) == n[size] for size in (9, 10))


def br_cnpj(text: str) -> bool:
    """Fourteen digits, or twelve digits and letters and two digits, two checks mod 11."""
    n = [ord(char) - ord("0") for char in _plain(text)]
    if len(n) != 14 or len(set(n)) == 1:
        return False
    weights = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]
    return all(_mod_11_or_0(n[:size], weights[-size:]) == n[size] for size in (12, 13))


def cl_rut(text: str) -> bool:
    """Seven or eight digits and a check digit or K, mod 11."""
    n = _plain(text)
    total = sum(int(digit) * (2 + place % 6) for place, digit in enumerate(reversed(n[:-1])))
    return len(n) in (8, 9) and not _repeats(n[:-1]) and "0K987654321"[total % 11] == n[-1]


def ar_cuit(text: str) -> bool:
    """Eleven digits, mod 11."""
    n = _digits(text)
    return len(n) == 11 and "09987654321"[weighted(n[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11] == n[10]


def mx_curp(text: str) -> bool:
    """Eighteen characters with a date, the last a check digit, mod 10."""
    n = text.upper()
    if len(n) != 18 or not is_date(int(n[4:6]), int(n[6:8]), int(n[8:10])):
        return False
    total = sum(_CURP.index(char) * (18 - place) for place, char in enumerate(n[:17]))
    return (10 - total % 10) % 10 == int(n[17])


def ca_sin(text: str) -> bool:
    """Nine digits, Luhn; 0 and 8 begin none of a person."""
    n = _digits(text)
    return len(n) == 9 and n[0] not in "08" and not _repeats(n) and luhn(n)


def au_tfn(text: str) -> bool:
    """Eight or nine digits, mod 11."""
    n = _digits(text)
    weights = {9: (1, 4, 3, 7, 5, 8, 6, 9, 10), 8: (10, 7, 8, 4, 6, 3, 5, 1)}.get(len(n))
    return weights is not None and not _repeats(n) and weighted(n, weights) % 11 == 0


def au_medicare(text: str) -> bool:
    """Ten digits, or eleven with the person's place on the card; the ninth is the check digit."""
    n = _digits(text)
    if len(n) not in (10, 11) or n[0] not in "23456" or n[9] == "0":
        return False
    return weighted(n[:8], (1, 3, 7, 9) * 2) % 10 == int(n[8])


def in_aadhaar(text: str) -> bool:
    """Twelve digits, Verhoeff; none reads the same backwards."""
    n = _digits(text)
    return len(n) == 12 and n[0] not in "01" and n != n[::-1] and verhoeff(n)


def kr_rrn_date(text: str) -> bool:
    """Thirteen digits that begin with a date; since October 2020 the last has no checksum."""
    n = _digits(text)
    return len(n) == 13 and n[6] in "12345678" and is_date(int(n[:2]), int(n[2:4]), int(n[4:6]))


def kr_rrn(text: str) -> bool:
    """Thirteen digits that begin with a date, mod 11, as given out up to October 2020."""
    n = _digits(text)
    return kr_rrn_date(n) and (11 - weighted(n[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10 == int(n[12])


def jp_my_number(text: str) -> bool:
    """Twelve digits, mod 11, where 10 and 11 become 0."""
    n = [int(digit) for digit in _digits(text)]
    if len(n) != 12 or len(set(n)) == 1:
        return False
    return _mod_11_or_0(n[:11], [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) == n[11]


def cn_resident_id(text: str) -> bool:
    """Eighteen characters: a province, a date, mod 11-2."""
    n = text.upper()
    if len(n) != 18 or not 1900 <= int(n[6:10]) <= 2099:
        return False
    if not any(first <= int(n[:2]) <= last for first, last in _BEGINNINGS):
        return False
    return is_date(int(n[6:10]), int(n[10:12]), int(n[12:14])) and mod_11_2(n)


def sg_nric(text: str) -> bool:
    """NRIC and FIN: a letter, seven digits and a check letter, mod 11."""
    n = text.upper()
    if len(n) != 9 or n[0] not in _NRIC:
        return False
    offset, letters = _NRIC[n[0]]
    return letters[(offset + weighted(n[1:8], (2, 7, 6, 5, 4, 3, 2))) % 11] == n[8]


def tr_tc(text: str) -> bool:
    """Eleven digits, two checks mod 10."""
    n = [int(digit) for digit in _digits(text)]
    if len(n) != 11 or n[0] == 0:
        return False
    return (sum(n[0:9:2]) * 7 - sum(n[1:8:2])) % 10 == n[9] and sum(n[:10]) % 10 == n[10]


def za_id(text: str) -> bool:
    """Thirteen digits that begin with a date, Luhn; the eleventh says the citizenship."""
    n = _digits(text)
    return len(n) == 13 and n[10] in "012" and is_date(int(n[:2]), int(n[2:4]), int(n[4:6])) and luhn(n)


def il_id(text: str) -> bool:
    """Nine digits, Luhn."""
    n = _digits(text)
    return len(n) == 9 and not _repeats(n) and luhn(n)


IDS: dict[str, Callable[[str], bool]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        *(
            us_ssn,
            uk_nhs,
            uk_nino,
            es_dni,
            fr_nir,
            it_codice_fiscale,
            de_steuer_id,
            nl_bsn,
            be_national_number,
            pl_pesel,
        ),
        *(
            se_personnummer,
            fi_hetu,
            dk_cpr,
            no_fodselsnummer,
            pt_nif,
            ch_ahv,
            br_cpf,
            br_cnpj,
            cl_rut,
            ar_cuit,
            mx_curp,
        ),
        *(ca_sin, au_tfn, au_medicare, in_aadhaar, kr_rrn, kr_rrn_date, jp_my_number, cn_resident_id, sg_nric, tr_tc),
        *(za_id, il_id),
    )
}
"""The validators above by the names that rules use."""
