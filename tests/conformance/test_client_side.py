"""The client side of the official suite, all but `auth/*`: a client that passes it does so through Tidegate as well."""

from pathlib import Path

import pytest

from conformance import verdicts
from conformance.reference import client_command, environment
from conformance.suite import VERSIONS, run_client

# The timeout is for a busy machine: they start dozens of programs.
pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(480)]


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_check_of_a_client_differs_through_tidegate(version: str, tmp_path: Path) -> None:
    direct, proxied = tmp_path / "direct", tmp_path / "proxied"
    assert await run_client(client_command(), version, direct, environment()) == {}
    through = client_command("conformance.client_through")
    assert await run_client(through, version, proxied, environment()) == {}
    assert "FAILURE" not in verdicts.tally(direct)
    assert verdicts.differences(verdicts.read(direct), verdicts.read(proxied)) == []
