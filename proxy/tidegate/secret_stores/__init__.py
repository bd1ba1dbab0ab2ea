"""Stores of secrets: what Tidegate's own are made of, and others that are installed may be made of.

A store is a class that an entry point of the group ``tidegate.secret_stores`` names. Its ``Config`` is a pydantic
model, and its constructor takes one, and the folder that relative paths start from. Its methods are called in a
thread, one at a time, and should bound the time they take. Nothing they raise may hold a value.

A class that has ``set`` and ``remove`` too can be written to by ``tidegate secret``.
"""

from tidegate.secret_stores.base import Secret, Store, StoreError, WritableStore
from tidegate.settings_types import Model

__all__ = ["Model", "Secret", "Store", "StoreError", "WritableStore"]
