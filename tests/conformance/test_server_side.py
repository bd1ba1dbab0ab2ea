"""The server side of the official suite: a server that passes it passes it through Tidegate as well, check by check."""

from pathlib import Path

import pytest

from conformance import verdicts
from conformance.reference import reference_server
from conformance.suite import VERSIONS, run_server
from support.proxy import running_tidegate

# The timeout is for a busy machine: each starts several programs.
pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]

CHECKS = {"2025-11-25": 84, "2026-07-28": 152}


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_reference_server_passes_every_check_of_the_suite(version: str, tmp_path: Path) -> None:
    async with reference_server() as url:
        await run_server(url, version, tmp_path)
    assert verdicts.tally(tmp_path) == {"SUCCESS": CHECKS[version]}


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_check_of_a_server_differs_through_tidegate(version: str, tmp_path: Path) -> None:
    direct, proxied = tmp_path / "direct", tmp_path / "proxied"
    async with reference_server() as url:
        await run_server(url, version, direct)
        async with running_tidegate({"reference": {"url": url}}) as proxy:
            await run_server(proxy.endpoint("reference"), version, proxied)
            assert proxy.records(), "nothing was recorded, so the suite did not go through Tidegate"
    assert verdicts.tally(direct) == {"SUCCESS": CHECKS[version]}
    assert verdicts.differences(verdicts.read(direct), verdicts.read(proxied)) == []
