"""Every client in front of every server, through the gateway; and the page that says what came of it."""

import pytest

from matrix import page
from matrix.run import BROKEN, PAGE_PATH, run


@pytest.mark.slow
@pytest.mark.timeout(600)  # half a minute on two idle processors, and more where others use them
async def test_every_pairing_works_or_is_impossible_and_the_page_says_so() -> None:
    outcomes = await run()
    assert [outcome for outcome in outcomes if outcome.how == BROKEN] == []
    assert page.text(outcomes) == PAGE_PATH.read_text(), "run `make matrix`"
