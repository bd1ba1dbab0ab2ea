"""The engine, as a bystander sees it."""

from ends.conftest import client

__all__ = ["client"]
