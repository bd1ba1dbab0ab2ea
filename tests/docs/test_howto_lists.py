"""The how-to for `lists`: its settings start, and its examples are what it says."""

import re
import tomllib
from typing import Any

import pytest

from support.clean import ROOT
from tidegate.testing import assert_denied, assert_passes, flow, harness, request

TEXT = (ROOT / "docs" / "how-to" / "lists.md").read_text()
SETTINGS = [tomllib.loads(block) for block in re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)]
SPELLINGS = re.findall(r"^```text\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)[0].split()
GLOBS = re.findall(r"^\| `(\S+)` \|", TEXT, re.MULTILINE)
SERVERS = ("files", "web")


@pytest.mark.parametrize("tree", SETTINGS)
async def test_the_settings_start(tree: dict[str, Any]) -> None:
    principals = [token["name"] for token in tree.get("auth", {}).get("tokens", [])]
    for entry in tree["interceptors"]:
        async with harness(entry.pop("use"), entry, servers=SERVERS, principals=principals):
            pass


@pytest.mark.parametrize("uri", SPELLINGS)
async def test_each_spelling_is_denied(uri: str) -> None:
    async with harness("lists", {"deny": ["files/file:///etc/*"]}, servers=SERVERS) as h:
        message = request("resources/read", {"uri": uri})
        assert_denied(await h.judge(message, flow(message, server="files")))


@pytest.mark.parametrize("glob", GLOBS)
async def test_each_glob_is_one(glob: str) -> None:
    async with harness("lists", {"allow": [glob]}, servers=SERVERS) as h:
        message = request("tools/call", {"name": "write"})
        assert_denied(await h.judge(message, flow(message, server="web")), rule="not-in-allow")


async def test_a_star_and_a_class_cover_what_it_says() -> None:
    async with harness("lists", {"allow": ["files/[rl]*"]}, servers=SERVERS) as h:
        for name, well in (("read", True), ("ls", True), ("write", False)):
            message = request("tools/call", {"name": name})
            decision = await h.judge(message, flow(message, server="files"))
            assert_passes(decision) if well else assert_denied(decision)


def test_there_is_something_to_check() -> None:
    assert len(SETTINGS) == 4
    assert len(SPELLINGS) == 9
    assert len(GLOBS) == 5
