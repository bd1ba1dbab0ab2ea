"""The tutorials work as they stand: their blocks are written and run in their order, and print what they say."""

from pathlib import Path

import pytest

from docs.reading import blocks, reader
from support.clean import ROOT, Clean

TUTORIALS = [ROOT / "docs" / "tutorial-interceptor.md", ROOT / "docs" / "tutorial-policy.md"]


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_every_block_is_of_a_kind_that_is_tried(page: Path) -> None:
    found = blocks(page)
    fences = page.read_text().count("```")
    assert fences == 2 * len(found), "a block that isn't closed, or is indented"
    assert {block.language for block in found if block.file is None} == {"sh", "text"}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_leads_from_an_empty_folder_to_a_denied_call(page: Path, tmp_path: Path, clean: Clean) -> None:
    reader(tmp_path, clean).follow(page)
