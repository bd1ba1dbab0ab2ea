"""Values to be found: format-valid, never issued."""

import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
BODY = "k3Jx9QpLm2Zr8VtYw5Nc7Bs4Hd6GfA"


def token(body: str = BODY) -> str:
    """A GitHub token whose checksum is right, and that nobody ever issued."""
    number, check = zlib.crc32(body.encode()), ""
    while number:
        number, digit = divmod(number, 62)
        check = DIGITS[digit] + check
    return f"ghp_{body}{check:0>6}"


TOKEN = token()
OTHER = token(BODY[::-1])


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The findings that were printed: their columns."""
        return [line.split("  ") for line in self.out.splitlines()]


Command = Callable[..., Ended]
