"""A container's connections in the audit log, from the sidecar through the launcher to the record on disk."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ends.programs import until
from support.images import Images
from tidegate.flow import Principal
from tidegate.serve import core_of
from tidegate.servers import Starter
from tidegate.settings import build

pytestmark = pytest.mark.docker

STARTING = 90.0

PROGRAM = """
import os, socket, sys
host, _, port = os.environ["HTTPS_PROXY"].removeprefix("http://").partition(":")
for place in ("evil.test:443", "192.0.2.7:443"):
    with socket.create_connection((host, int(port)), 10) as made:
        made.sendall(f"CONNECT {place} HTTP/1.1\\r\\nHost: {place}\\r\\n\\r\\n".encode())
        made.recv(100)
sys.stdin.read()
"""


async def test_what_a_container_tries_is_in_the_audit_log(images: Images, tmp_path: Path) -> None:
    server = {"image": images.base, "args": ["python", "-I", "-c", PROGRAM], "egress": ["192.0.2.7:443"]}
    tree: dict[str, Any] = {
        "proxy": {"egress_image": images.base},
        "servers": {"files": server},
        "interceptors": [{"use": "audit", "required": True}],
    }

    def records() -> list[dict[str, Any]]:
        lines = (tmp_path / "audit.jsonl").read_text().splitlines()
        return [record for record in map(json.loads, lines) if record["kind"] == "egress"]

    async with core_of(build(tree, folder=tmp_path)) as (core, client):
        starter = Starter(core, "files", Principal("ci"), client)
        async with asyncio.timeout(STARTING):
            instance = await starter.start(None, str)
            await until(lambda: len(records()) >= 2)
            await starter.stop(instance)
    refused, allowed, *_ = records()
    shown = [(each["target"], each["verdict"], each["server"], each["principal"]) for each in (refused, allowed)]
    assert shown == [("evil.test:443", "deny", "files", "ci"), ("192.0.2.7:443", "allow", "files", "ci")]
    assert (refused["by"], refused["rule"]) == ("tidegate", "egress")
    assert refused["reason"].endswith(", by the proxy: no entry of egress allows that host and port")
    assert ", address 192.0.2.7, by the proxy: allowed" in allowed["reason"]
