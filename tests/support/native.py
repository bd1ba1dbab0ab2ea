"""The package `tidegate-native`, of which the search for secrets has a part compiled."""

from importlib.util import find_spec

HOW = "install Rust (cargo) and run `make clean venv`"


def native_reason() -> str | None:
    """Return why it isn't usable, or None where it is."""
    return None if find_spec("tidegate_native") else "tidegate-native isn't installed"
