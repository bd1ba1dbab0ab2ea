"""Negatives: messages that hold no secret, in families; what is found in one is a false alarm."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from plugins.scan.corpus import negatives_code, negatives_files, negatives_hashes, negatives_settings, negatives_text
from plugins.scan.corpus.embeddings import in_message
from plugins.scan.corpus.families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = (negatives_code, negatives_files, negatives_hashes, negatives_settings, negatives_text)
"""Imported for the families that they add."""


class Negative(NamedTuple):
    """One message without a secret.

    Attributes:
        family: what it looks like.
        sender: who sends it.
        message: the whole JSON-RPC message.
    """

    family: str
    sender: Literal["client", "server"]
    message: dict[str, Any]


def negatives(seed: int, *, each: int = 45) -> Iterator[Negative]:
    """Yield so many negatives of each family, the same for the same seed."""
    for name, make in sorted(FAMILIES.items()):
        random = Random(f"{seed}:{name}")
        for _ in range(each):
            sender, message = in_message(random, make(random))
            yield Negative(name, sender, message)
