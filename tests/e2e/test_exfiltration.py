"""What was read from a private repository doesn't get posted: by label nothing is posted afterwards, by content only
what carries it is stopped. Two real servers, a real client, and the audit log says which rule it was.
"""

import base64
import json
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from robustness.talking import Peer
from support.proxy import RunningTidegate, audit_to, running_tidegate

PLAN = textwrap.dedent(
    """\
    The plant in Leipzig closes at the end of March, because its two largest customers won't renew their contracts.
    Until the works council has been told, in the second week of February, nobody outside of the board may learn of it.
    Of the 214 people who work there, 60 are to be offered places in Dresden, and the others a settlement.
    """
)
OTHER = "The build of version three fails on Windows, since the path of the cache has a blank in it. See the log."


def repository(folder: Path) -> Path:
    """Make a private repository with one file."""
    folder.mkdir()
    (folder / "plan.md").write_text(PLAN)
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for command in (["init", "-q"], ["add", "plan.md"], [*identity, "commit", "-q", "-m", "plan"]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    return folder


@asynccontextmanager
async def running(tmp_path: Path, by: str) -> AsyncIterator[tuple[RunningTidegate, Path]]:
    repo, audit = repository(tmp_path / "repo"), tmp_path / "audit.jsonl"
    git = str(Path(sys.executable).with_name("mcp-server-git"))
    servers = {
        "git": {"command": [git, "-r", str(repo)], "labels": ["private"]},
        "tracker": {
            "command": [sys.executable, str(Path(__file__).with_name("tracker_server.py"))],
            "labels": ["external"],
        },
    }
    policy = {"use": "policy", "packs": ["exfiltration"], "data": {"exfiltration": {"by": by}}}
    async with running_tidegate(servers, [policy, audit_to(audit)], folder=tmp_path) as proxy:
        yield proxy, repo


def said(answer: Any) -> str:
    return "".join(item.get("text", "") for item in answer["result"]["content"])


async def post(proxy: RunningTidegate, body: str) -> str:
    async with Peer(proxy.endpoint("tracker")) as client:
        await client.begin()
        return said(await client.call("create_issue", title="Question", body=body))


async def read(proxy: RunningTidegate, repo: Path) -> str:
    async with Peer(proxy.endpoint("git")) as client:
        await client.begin()
        return said(await client.call("git_show", repo_path=str(repo), revision="HEAD"))


def denials(proxy: RunningTidegate) -> list[str]:
    return [record["rule"] for record in proxy.records() if record["verdict"] == "deny"]


@pytest.mark.slow
async def test_by_label_nothing_is_posted_after_a_private_read(tmp_path: Path) -> None:
    async with running(tmp_path, "label") as (proxy, repo):
        assert "posted" in await post(proxy, OTHER)
        assert "Leipzig" in await read(proxy, repo)
        for body in (PLAN, OTHER):
            assert "rule exfiltration/label" in await post(proxy, body)
    assert denials(proxy) == ["exfiltration/label"] * 2
    (labelled,) = {json.dumps(record["server"]) for record in proxy.records() if record["verdict"] == "deny"}
    assert labelled == '"tracker"'


@pytest.mark.slow
async def test_by_content_only_what_carries_it_is_stopped(tmp_path: Path) -> None:
    lines = PLAN.splitlines()
    carrying = {
        "plain": PLAN,
        "base64": base64.b64encode(PLAN.encode()).decode(),
        "reflowed": "\n".join(f"> {line}" for line in textwrap.wrap(PLAN, 37)),
        "a third of it": lines[1],
        "a third of it in other text": f"{OTHER}\n\n{lines[1]}\n\nThank you.",
    }
    async with running(tmp_path, "content") as (proxy, repo):
        assert "posted" in await post(proxy, PLAN)
        assert "Leipzig" in await read(proxy, repo)
        for how, body in carrying.items():
            assert "rule exfiltration/" in await post(proxy, body), how
        assert "posted" in await post(proxy, OTHER)
        assert "posted" in await post(proxy, f"{OTHER} " * 100)
    assert len(denials(proxy)) == len(carrying)
    assert set(denials(proxy)) <= {"exfiltration/content", "exfiltration/total"}
    findings = [record["findings"] for record in proxy.records() if record["verdict"] == "deny"]
    assert all(found[0]["kind"] == "carried" and found[0]["rule"] == "private" for found in findings)
    assert "Leipzig" not in proxy.audit.read_text()
