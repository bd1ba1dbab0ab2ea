"""How a command ended, and what runs one."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ended:
    """A command's exit code and what it wrote."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]
