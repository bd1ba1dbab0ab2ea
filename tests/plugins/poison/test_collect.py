"""Definitions of others are read as servers list them, to the last page, and don't go into the repository."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT))

from benchmarks.poison_collect import Server, SilentError, definitions  # noqa: E402 - found by the line above

PAGED = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    at = int(asked["params"].get("cursor", 0))
    result = {
        "initialize": {"capabilities": {"tools": {}}, "instructions": "Be kind."},
        "tools/list": {"tools": [{"name": f"tool_{at}"}], **({"nextCursor": str(at + 1)} if at < 2 else {})},
    }[asked["method"]]
    print("not a message", flush=True)
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


def test_all_pages_of_all_lists_are_read(tmp_path: Path) -> None:
    server = Server([sys.executable, "-c", PAGED], tmp_path)
    try:
        found = definitions(server)
    finally:
        server.end()
    assert [one["name"] for one in found["tools"]] == ["tool_0", "tool_1", "tool_2"]
    assert found["instructions"] == [{"name": "instructions", "description": "Be kind."}]
    assert set(found) == {"tools", "instructions"}


def test_a_server_that_ends_early_is_told_apart_from_one_without_tools(tmp_path: Path) -> None:
    server = Server([sys.executable, "-c", "input()"], tmp_path)
    with pytest.raises(SilentError):
        definitions(server)
    server.end()


def test_definitions_of_others_do_not_go_into_the_repository() -> None:
    command = [sys.executable, "-m", "benchmarks.poison_collect", str(ROOT / "definitions")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 2
    assert "outside the repository" in ended.stderr
    assert not (ROOT / "definitions").exists()
