"""Finds what fits a few words among many short texts: BM25 over fields, each with a weight of its own.

Nothing is learnt and nothing is random, so the same texts and words give the same order always. Texts that fit equally
well stay in the order in which they were added.

Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009 (section 3.6, BM25F).
"""

from __future__ import annotations

import functools
import heapq
import math
import re
from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_WORDS = 32
"""Words of one question that count; of one text, many more do."""

_MOST_CHARACTERS = 4096  # of one field that are read
_SATURATION, _LENGTH = 1.2, 0.6  # BM25's k1 and b
_PREFIX_WORTH = 0.4  # of a word that only begins as the one asked for
_SHORTEST_PREFIX = 3
_MOST_LIKE = 64  # words that begin as one asked for
_REMEMBERED = 16_384  # words whose comparable form is remembered

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# A word of letters or digits; of the scripts that put no spaces between words, each character.
_WORD = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_EMPTY = frozenset(("a", "an", "and", "for", "from", "in", "is", "it", "of", "on", "or", "the", "to", "with"))


def words(text: str) -> Iterator[str]:
    """Yield the words of a text as they are compared: in small letters, without endings, ``camelCase`` taken apart."""
    for found in _WORD.findall(text[:_MOST_CHARACTERS]):
        yield from _parts(found)


@functools.lru_cache(maxsize=_REMEMBERED)
def _parts(found: str) -> tuple[str, ...]:
    """Return what one run of letters consists of, as it is compared."""
    parts = (found,) if found.islower() else _HUMP.split(found)
    return tuple([_stem(word) for part in parts if (word := part.casefold()) not in _EMPTY])


def _stem(word: str) -> str:
    """Return a word without the commonest endings of English, so that ``files`` finds ``file``."""
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 5 and word.endswith("ing"):
        return word[:-3]
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


class Index:
    """Texts to be searched, by the order in which they were added.

    Args:
        weights: how much a word counts in each field.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights = tuple(weights)
        self._lengths: list[float] = []
        self._found: dict[str, dict[int, float]] = {}
        self._names: dict[str, int] = {}
        self._sorted: list[str] | None = None
        self._worths: dict[str, list[tuple[int, float]]] = {}

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, name: str, fields: Iterable[str]) -> None:
        """Add a text.

        Args:
            name: what it is called: who asks for exactly this gets it first.
            fields: its fields, in the order of the weights.
        """
        number, length = len(self._lengths), 0.0
        counted: dict[str, float] = {}
        for weight, text in zip(self._weights, fields, strict=True):
            for word in words(text):
                counted[word] = counted.get(word, 0.0) + weight
                length += weight
        for word, count in counted.items():
            self._found.setdefault(word, {})[number] = count
        self._lengths.append(length)
        self._names.setdefault(name.casefold(), number)
        self._sorted = None
        self._worths.clear()

    def best(self, question: str, most: int) -> list[int]:
        """Return the numbers of the texts that fit a question best, the best first; those that don't aren't among them.

        Args:
            question: some words, or the very name of a text.
            most: how many at most.
        """
        scores: dict[int, float] = {}
        for word in list(dict.fromkeys(words(question)))[:MOST_WORDS]:
            for like, share in self._like(word):
                for number, worth in self._worth(like):
                    scores[number] = scores.get(number, 0.0) + share * worth
        named = self._names.get(question.strip().casefold())
        if named is not None:
            scores[named] = math.inf
        return [-number for _, number in heapq.nlargest(most, [(worth, -number) for number, worth in scores.items()])]

    def _worth(self, word: str) -> list[tuple[int, float]]:
        """Return the texts that have a word, and how much it is worth in each."""
        worths = self._worths.get(word)
        if worths is None:
            found, lengths = self._found[word], self._lengths
            rarity = math.log(1 + (len(lengths) - len(found) + 0.5) / (len(found) + 0.5)) * (_SATURATION + 1)
            free, each = _SATURATION * (1 - _LENGTH), _SATURATION * _LENGTH * len(lengths) / sum(lengths)
            worths = self._worths[word] = [
                (number, rarity * count / (count + free + each * lengths[number])) for number, count in found.items()
            ]
        return worths

    def _like(self, word: str) -> Iterator[tuple[str, float]]:
        """Yield a word, where any text has it, and those that begin as it does, with what each is worth."""
        if word in self._found:
            yield word, 1.0
        if len(word) < _SHORTEST_PREFIX:
            return
        if self._sorted is None:
            self._sorted = sorted(self._found)
        start = bisect_left(self._sorted, word)
        for like in self._sorted[start : start + _MOST_LIKE]:
            if not like.startswith(word):
                return
            if like != word:
                yield like, _PREFIX_WORTH
