"""Finders for the corpus: what is measured on it."""

from functools import cache
from typing import Any

from tidegate_scan.choosing import shipped
from tidegate_scan.scanner import Scanner
from tidegate_scan.views import OverBudget


@cache
def scanner() -> Scanner:
    return Scanner(shipped("rules"))


def tidegate(message: dict[str, Any]) -> list[tuple[str, tuple[int, int], str]]:
    """What the interceptor `secrets` finds in a message: pointer, span and rule."""
    try:
        return [(found.pointer, found.span, found.rule) for found in scanner().tree(message)]
    except OverBudget:
        return []
