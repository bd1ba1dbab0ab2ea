"""The server side of the official suite: a server that passes it passes it through Tidegate as well, check by check.

At the server's own address and at the gateway, which has it as its one server, without a prefix; and as a server that
knows only stdio, for which Tidegate does what HTTP asks for.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from conformance import verdicts
from conformance.reference import STDIO_COMMAND, reference_server
from conformance.suite import VERSIONS, run_server
from support.proxy import RunningTidegate, running_tidegate

# The timeout is for a busy machine: each starts several programs.
pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]

CHECKS = {"2025-11-25": 84, "2026-07-28": 152}
MODERN = "2026-07-28"
Direct = Callable[[str], Awaitable[Any]]
AT = pytest.mark.parametrize("at", ["its own address", "the gateway"])


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Direct:
    """What the suite finds in the reference server itself, in which it is asked for each version once: all is well."""
    found: dict[str, Any] = {}

    async def of(version: str) -> Any:
        if version not in found:
            results = tmp_path_factory.mktemp("direct") / "results"
            async with reference_server() as url:
                await run_server(url, version, results)
            assert verdicts.tally(results) == {"SUCCESS": CHECKS[version]}
            found[version] = verdicts.read(results)
        return found[version]

    return of


async def proxied(proxy: RunningTidegate, at: str, version: str, results: Path) -> Any:
    """What the suite finds in the one server of a Tidegate."""
    await run_server(proxy.gateway if at == "the gateway" else proxy.endpoint("reference"), version, results)
    assert proxy.records(), "nothing was recorded, so the suite did not go through Tidegate"
    return verdicts.read(results)


@AT
@pytest.mark.parametrize("version", VERSIONS)
async def test_no_check_of_a_server_differs_through_tidegate(
    version: str, at: str, tmp_path: Path, direct: Direct
) -> None:
    async with reference_server() as url, running_tidegate({"reference": {"url": url, "prefix": ""}}) as proxy:
        found = await proxied(proxy, at, version, tmp_path / "results")
    assert verdicts.differences(await direct(version), found) == []


@AT
async def test_no_check_of_a_stdio_server_differs_where_tidegate_is_its_http_server(
    at: str, tmp_path: Path, direct: Direct
) -> None:
    # Without sessions, so that one process serves all of it: a process for each of its sessions takes minutes.
    server: dict[str, Any] = {"command": STDIO_COMMAND, "sandbox": "none", "prefix": ""}
    async with running_tidegate({"reference": server}) as proxy:
        found = await proxied(proxy, at, MODERN, tmp_path / "results")
    assert verdicts.differences(await direct(MODERN), found) == []
