"""What the tests of stores share."""

from pathlib import Path
from typing import Any

from tidegate import settings
from tidegate.secret_stores.opening import Stores

VALUE = "pa55word-that-nobody-may-see"


def stores(folder: Path, *entries: dict[str, Any]) -> Stores:
    """Open stores as the settings' `[[secrets.stores]]` name them."""
    built = settings.build({"secrets": {"stores": list(entries)}}, folder=folder)
    return Stores(built.secrets, folder)


def value_of(opened: Stores, name: str) -> str | None:
    """The text of a secret, or None where no store has it."""
    found = opened.find(name)
    return None if found is None else found[0].reveal()
