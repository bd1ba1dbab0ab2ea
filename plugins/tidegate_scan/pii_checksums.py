"""The checksums that numbers of persons, accounts and cards carry.

Each function takes the characters of a number, without separators, and returns whether its checksum holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# The dihedral group of order 10 and the permutation of J. Verhoeff, "Error Detecting Decimal Codes" (1969).
_GROUP = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_TURNS = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def weighted(digits: str, weights: Iterable[int]) -> int:
    """Return the sum of the digits, each times its weight.

    Raises:
        ValueError: where there aren't as many weights as digits.
    """
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def mod_97(text: str) -> bool:
    """ISO/IEC 7064, mod 97-10, with letters as 10 to 35 and the first four characters moved to the end (ISO 13616)."""
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


def mod_11_10(digits: str) -> bool:
    """ISO/IEC 7064, mod 11,10."""
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (product + int(digits[-1])) % 10 == 1


def mod_11_2(text: str) -> bool:
    """ISO/IEC 7064, mod 11-2; the last character may be an X, which stands for 10."""
    total = 0
    for char in text[:-1]:
        total = (total + int(char)) * 2
    return (total + (10 if text[-1] == "X" else int(text[-1]))) % 11 == 1


def verhoeff(digits: str) -> bool:
    """Verhoeff's code."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(_GROUP[check][int(_TURNS[place % 8][int(digit)])])
    return check == 0
