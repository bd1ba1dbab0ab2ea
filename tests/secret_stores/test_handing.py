"""A local process is given its secrets by its environment, or by files that go with it; and by nothing else."""

import json
import os
import sys
from pathlib import Path

import pytest

from support import leaks
from tidegate.ends.pipe import PipeError
from tidegate.ends.process import ProcessPipe
from tidegate.secret_stores import Secret
from tidegate.secret_stores.handing import ProcessSecrets

VALUE = f"pa55word-{os.urandom(8).hex()}"  # no other worker's

pytestmark = pytest.mark.requirement("secrets-stay-in")

TELLS = """
import json, os, sys
path = os.environ.get("API_KEY_FILE")
told = {"value": os.environ.get("API_KEY") or open(path).read(), "path": path, "other": os.environ.get("OTHER")}
print(json.dumps(told), flush=True)
sys.stdin.read()
"""


def pipe(*, files: bool, program: str = TELLS) -> ProcessPipe:
    secrets = ProcessSecrets({"API_KEY": Secret(VALUE)}, files=files)
    return ProcessPipe([sys.executable, "-I", "-c", program], env={"OTHER": "plain"}, secrets=secrets)


@pytest.mark.skipif(not leaks.LINUX, reason="platform: reads /proc")
async def test_as_a_variable_it_is_in_the_environment_of_that_one_process() -> None:
    server = pipe(files=False)
    await server.start()
    try:
        told = json.loads(await server.receive())
        assert told == {"value": VALUE, "path": None, "other": "plain"}
        assert leaks.processes(VALUE) == [server.pid]
        assert VALUE not in leaks.printed("ps", "ax")
    finally:
        await server.close()


@pytest.mark.skipif(not leaks.LINUX, reason="platform: reads /proc, and needs a folder in memory")
async def test_as_a_file_it_is_in_no_environment_and_goes_with_the_process() -> None:
    server = pipe(files=True)
    await server.start()
    try:
        told = json.loads(await server.receive())
        assert told["value"] == VALUE
        assert leaks.processes(VALUE) == []
        assert VALUE not in leaks.printed("ps", "axe")
    finally:
        await server.close()
    assert leaks.read(Path(told["path"])) == b""


@pytest.mark.skipif(not leaks.LINUX, reason="platform: needs a folder in memory")
async def test_the_files_of_a_process_that_can_not_start_are_removed() -> None:
    secrets = ProcessSecrets({"API_KEY": Secret(VALUE)}, files=True)
    server = ProcessPipe(["/nonexistent/program"], secrets=secrets)
    with pytest.raises(PipeError):
        await server.start()
    await server.close()
    assert secrets._files is not None
    assert secrets._files.folder.name
    assert not secrets._files.folder.exists()
