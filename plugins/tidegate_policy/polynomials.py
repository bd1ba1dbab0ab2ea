"""Costs and sizes as polynomials: in the JSON nodes of the input, in its characters, and in the sizes of data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Exponents = tuple[int, int, int, int]
"""Of the input's nodes, of its characters, of its longest string, and how many sizes of data the coefficient holds."""

_DEGREE = 8  # beyond it nothing is told apart: no bound


class TooSteepError(ValueError):
    """A cost grows with a higher power than is kept."""


@dataclass(frozen=True, slots=True)
class Poly:
    """A polynomial with coefficients of zero or more.

    Attributes:
        terms: exponents and coefficient of each term, in the exponents' order.
    """

    terms: tuple[tuple[Exponents, float], ...]

    def __add__(self, other: Poly) -> Poly:
        """Return the sum."""
        return _collected((*self.terms, *other.terms))

    def __mul__(self, other: Poly) -> Poly:
        """Return the product."""
        return _collected(
            ((a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]), left * right)
            for a, left in self.terms
            for b, right in other.terms
        )

    def join(self, other: Poly) -> Poly:
        """Return a polynomial that is nowhere below either."""
        mine = dict(self.terms)
        for exponents, coefficient in other.terms:
            mine[exponents] = max(coefficient, mine.get(exponents, 0))
        return Poly(tuple(sorted(mine.items())))

    def at(self, nodes: float, chars: float, longest: float) -> float:
        """Return its value for an input of a size; infinite where it is too large for a float."""
        try:
            return sum(factor * nodes**n * chars**c * longest**s for (n, c, s, _), factor in self.terms)
        except OverflowError:
            return float("inf")

    @property
    def input(self) -> int:
        """The highest power of the input's size, nodes, characters and longest string alike."""
        return max((n + c + s for (n, c, s, _), _ in self.terms), default=0)

    @property
    def data(self) -> int:
        """The most sizes of data and literals that are multiplied with one another."""
        return max((d for (*_, d), _ in self.terms), default=0)


def _collected(terms: Iterable[tuple[Exponents, float]]) -> Poly:
    found: dict[Exponents, float] = {}
    for exponents, coefficient in terms:
        if sum(exponents[:3]) > _DEGREE:
            raise TooSteepError(f"it grows with a power above {_DEGREE}")
        found[exponents] = found.get(exponents, 0) + coefficient
    return Poly(tuple(sorted(found.items())))


def constant(value: float) -> Poly:
    """Return a polynomial that is the same everywhere."""
    return Poly((((0, 0, 0, 0), value),))


def fixed(size: int) -> Poly:
    """Return the size of a collection in data or in a literal."""
    return Poly((((0, 0, 0, 1), size),)) if size > 1 else ONE


ZERO, ONE = Poly(()), constant(1)
NODES, CHARS, LONGEST = (Poly(((exponents, 1),)) for exponents in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)))
