"""Sealed values: who gets them back, where, and for how long."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tidegate.testing import Clock
from tidegate_scan.seal import MOST, Vault

ANN, BEN = ("ann", "s"), ("ben", "s")


def marker(handle: str, rule: str = "some-rule") -> str:
    return f"[redacted:sealed:{rule}:{handle}]"


def sealed(vault: Vault, owner: tuple[str, str], value: str) -> str:
    vault.seal(owner, f"print of {value}", value)
    handle = vault.handle(owner, f"print of {value}")
    assert handle is not None
    return handle


def test_a_handle_gives_its_value_back_to_its_owner_alone() -> None:
    vault = Vault(60)
    handle = sealed(vault, ANN, "value")
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", handle)
    assert vault.restored(ANN, f"a {marker(handle)} b {marker(handle)}") == "a value b value"
    assert vault.restored(BEN, marker(handle)) == marker(handle)
    assert vault.restored(("ann", "other"), marker(handle)) == marker(handle)
    assert vault.handle(BEN, "print of value") is None
    assert vault.has(handle)


def test_the_same_value_has_the_same_handle_and_another_owner_another_one() -> None:
    vault = Vault(60)
    assert sealed(vault, ANN, "value") == sealed(vault, ANN, "value")
    assert sealed(vault, ANN, "value") != sealed(vault, ANN, "other")
    assert sealed(vault, ANN, "value") != sealed(vault, BEN, "value")


def test_a_handle_expires() -> None:
    clock = Clock()
    vault = Vault(60, clock)
    handle = sealed(vault, ANN, "value")
    clock.advance(59)
    assert vault.restored(ANN, marker(handle)) == "value"
    clock.advance(2)
    assert vault.restored(ANN, marker(handle)) == marker(handle)
    assert vault.handle(ANN, "print of value") is None
    assert sealed(vault, ANN, "value") != handle
    assert not vault.has(handle)


def test_the_oldest_handles_go_when_there_are_too_many() -> None:
    vault = Vault(60)
    first = sealed(vault, ANN, "first")
    handles = [sealed(vault, ANN, f"value {number}") for number in range(MOST)]
    assert vault.restored(ANN, marker(first)) == marker(first)
    assert vault.restored(ANN, marker(handles[0])) == "value 0"


@given(st.text())
def test_a_text_without_a_known_handle_stays_as_it_is(text: str) -> None:
    vault = Vault(60)
    sealed(vault, ANN, "value")
    assert vault.restored(ANN, text) == text
    assert vault.restored(ANN, marker("A" * 22) + text) == marker("A" * 22) + text
