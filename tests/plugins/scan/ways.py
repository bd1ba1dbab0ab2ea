"""The search for secrets in both of its ways: as far as it is compiled, and all in Python."""

from collections.abc import Iterator

import pytest
from hypothesis import strategies as st

from tidegate_scan import native

PARTS = st.sampled_from(
    [
        *("key", "token", "password", "secret", "AKIA", "ghp_", "Bearer ", "sk-", "://", "eyJ", "pat"),
        *(
            "ZXlKaGJHY2lPaUpJVXpJMU5pSjk",
            "6b65793d31323334353637383930",
            "eJwrTs5ILChJ",
            "1f:8b:08",
            "0x41, 0x42",
            "/",
            "%2541",
        ),
        *("=", ": ", "'", '"', "\\n", "\\t", "\\u003d", "%20", "%3d", "&#61;", "\n", " ", "é", "\\x41", "\x00", "\\"),
        *("aB3dE5fG7hJ9kL1mN3pQ", "hunter2hunter2", "x" * 300, "word " * 40, "lorem ipsum dolor " * 90),
    ]
)
"""Parts of texts in which there is much to look at."""


@pytest.fixture(scope="module", params=["compiled", "in Python"], autouse=True)
def both_ways(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a module's tests in both ways; where nothing is compiled they are the same."""
    if request.param == "compiled":
        yield
        return
    with native.unused():
        yield
