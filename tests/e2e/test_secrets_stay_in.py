"""A run full of secrets: what was found in any message stands nowhere afterwards that Tidegate writes."""

import json
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest

from plugins.scan.corpus.kinds import KINDS
from robustness.running import stdio_server
from robustness.talking import Peer
from support.proxy import audit_to, running_tidegate, tidegate

SECONDS = 60
SHORTEST = 12
"""Characters of the shortest secret that is looked for: a short one stands in other words by chance."""


def drawn() -> list[tuple[str, str]]:
    """One text of each kind with its secret."""
    out = []
    for kind in KINDS:
        made = kind.make(Random(f"stay in {kind.id}"))
        if made.member is None and made.end - made.start >= SHORTEST:
            out.append((made.text, made.text[made.start : made.end]))
    return out


def written(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace") for path in sorted(folder.rglob("*")) if path.is_file())


def printed(aside: Path, folder: Path, audit: Path) -> list[str]:
    """What the commands print about messages with secrets, and about the run's records."""
    told = []
    message = aside / "message.json"
    for text, _ in drawn()[::60]:
        call = {"name": "echo", "arguments": {"text": text}}
        message.write_text(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}))
        commands = (["explain", "--server", "shut"], ["scan"], ["scan", "--sarif"])
        told += [ran(folder, *command, str(message)) for command in commands]
    told.append(ran(folder, "audit", "show", "-n", "0", str(audit)))
    told.append(ran(folder, "audit", "show", "-n", "0", "--json", str(audit)))
    return told


def ran(folder: Path, *command: str) -> str:
    done = subprocess.run(tidegate(*command), cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.requirement("secrets-stay-in")
async def test_no_secret_of_a_whole_run_is_in_a_log_a_record_an_answer_or_what_the_commands_print(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    audit = folder / "audit.jsonl"
    override = {"servers": ["open"], "request": "report"}
    interceptors: list[dict[str, Any]] = [{"use": "secrets", "overrides": [override]}, audit_to(audit)]
    servers = {"shut": stdio_server("a"), "open": stdio_server("b")}
    told: list[str] = []
    caught: list[str] = []
    async with running_tidegate(servers, interceptors, folder=folder, options=["--log-level", "debug"]) as running:
        for name in servers:
            async with Peer(running.endpoint(name)) as peer:
                await peer.begin()
                for text, secret in drawn():
                    answer = json.dumps(await peer.call("echo", text=text), ensure_ascii=False)
                    told.append(answer)
                    if "Tidegate" in answer or "[redacted:" in answer:
                        caught.append(secret)
    assert len(caught) > 0.9 * 2 * len(drawn())
    told += printed(tmp_path, folder, audit)
    everything = written(folder) + "\n".join(told)
    assert [secret for secret in set(caught) if secret in everything] == []
