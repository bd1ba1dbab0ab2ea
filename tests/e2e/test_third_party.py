"""A third party's interceptor: built, installed beside Tidegate in a clean environment, and judging real traffic."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import TextContent

from support.clean import ROOT, Clean
from support.proxy import audit_to, running_tidegate

EXAMPLE = ROOT / "examples" / "tidegate-example"
TIME = {"command": [Path(sys.executable).with_name("mcp-server-time"), "--local-timezone", "UTC"]}
QUOTA = {"use": "quota", "limit": 2, "tools": ["time/get_*"]}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def with_example(clean: Clean) -> Clean:
    """The clean environment, with the wheel of the example installed."""
    clean.install(clean.wheel(EXAMPLE))
    return clean


async def ask(client: Client, tool: str, **arguments: Any) -> tuple[bool, str]:
    """Call a tool: whether it went well, and the text of the answer."""
    result = await client.call_tool(tool, arguments)
    said = " ".join(block.text for block in result.content if isinstance(block, TextContent))
    return not result.is_error, said


def test_it_is_found_where_it_is_installed(with_example: Clean) -> None:
    found = {item["name"]: item for item in json.loads(with_example.run("tidegate", "plugins", "list", "--json"))}
    assert found["quota"]["distribution"] == "tidegate-example"
    assert found["quota"]["value"] == "tidegate_example:Quota"
    assert {"lists", "audit"} <= found.keys()


def test_its_own_tests_pass_there(with_example: Clean, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    shutil.copy(EXAMPLE / "pyproject.toml", tmp_path)
    assert "passed" in with_example.run("python", "-m", "pytest", "-q", "-W", "error", cwd=tmp_path)


def test_its_settings_are_well(with_example: Clean, tmp_path: Path) -> None:
    text = (EXAMPLE / "tidegate.toml").read_text().replace('"mcp-server-time"', f'"{TIME["command"][0]}"')
    (tmp_path / "tidegate.toml").write_text(text)
    assert "quota" in with_example.run("tidegate", "check", cwd=tmp_path)


async def test_it_denies_one_call_and_passes_another(with_example: Clean, tmp_path: Path) -> None:
    interceptors = [QUOTA, audit_to(tmp_path / "audit.jsonl")]
    async with (
        running_tidegate({"time": TIME}, interceptors, folder=tmp_path, python=with_example.python) as proxy,
        Client(proxy.endpoint("time")) as client,
    ):
        for _ in range(2):
            well, said = await ask(client, "get_current_time", timezone="UTC")
            assert well, said
            assert "datetime" in said
        well, said = await ask(client, "get_current_time", timezone="UTC")
        assert not well
        assert "This tool may be called 2 times in 60 seconds." in said
        well, said = await ask(
            client, "convert_time", source_timezone="UTC", time="09:30", target_timezone="Europe/Amsterdam"
        )
        assert well, said
    calls = [record for record in proxy.records() if record["method"] == "tools/call" and record["kind"] == "request"]
    assert [(record["verdict"], record["by"]) for record in calls] == [
        ("allow", None),
        ("allow", None),
        ("deny", "quota"),
        ("allow", None),
    ]


async def test_it_does_nothing_where_no_settings_name_it(with_example: Clean, tmp_path: Path) -> None:
    async with (
        running_tidegate({"time": TIME}, [], folder=tmp_path, python=with_example.python) as proxy,
        Client(proxy.endpoint("time")) as client,
    ):
        for _ in range(4):
            well, said = await ask(client, "get_current_time", timezone="UTC")
            assert well, said


async def test_a_setting_it_does_not_have_stops_the_start_with_one_sentence(
    with_example: Clean, tmp_path: Path
) -> None:
    settings = tmp_path / "tidegate.toml"
    settings.write_text('[[interceptors]]\nuse = "quota"\nlimit = 1\nsecond = 9\n')
    said = with_example.run("tidegate", "run", str(settings), fails=2)
    assert "interceptor 'quota' has no setting 'second'" in said
    assert "Traceback" not in said
