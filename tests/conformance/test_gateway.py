"""The official suite on the gateway with one server without a prefix: no check differs from the server's own."""

from pathlib import Path
from typing import Any

import pytest

from conformance import verdicts
from conformance.reference import STDIO_COMMAND, reference_server
from conformance.suite import VERSIONS, run_server
from support.proxy import running_tidegate

# The timeout is for a busy machine: each starts several programs.
pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]

MODERN = "2026-07-28"


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_check_of_a_server_differs_through_the_gateway(version: str, tmp_path: Path) -> None:
    direct, proxied = tmp_path / "direct", tmp_path / "proxied"
    async with reference_server() as url:
        await run_server(url, version, direct)
        async with running_tidegate({"reference": {"url": url, "prefix": ""}}) as proxy:
            await run_server(proxy.gateway, version, proxied)
            assert proxy.records(), "nothing was recorded, so the suite did not go through Tidegate"
    assert verdicts.differences(verdicts.read(direct), verdicts.read(proxied)) == []


async def test_no_check_of_a_stdio_server_differs_through_the_gateway(tmp_path: Path) -> None:
    # Without sessions, so that one process serves all of it: a process for each of its sessions takes minutes.
    direct, proxied = tmp_path / "direct", tmp_path / "proxied"
    server: dict[str, Any] = {"command": STDIO_COMMAND, "sandbox": "none", "prefix": ""}
    async with reference_server() as url:
        await run_server(url, MODERN, direct)
    async with running_tidegate({"reference": server}) as proxy:
        await run_server(proxy.gateway, MODERN, proxied)
    assert verdicts.differences(verdicts.read(direct), verdicts.read(proxied)) == []
