"""A container registry of the tests' own: Debian's docker-registry, on this machine, on a port of its own."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

HOW = "install docker-registry (on Debian: apt-get install docker-registry)"
_PROGRAM = "docker-registry"
_STARTING = 20.0  # seconds it may take on a busy machine

_CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: "{root}"}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""

_AUTH = """
auth: {{htpasswd: {{realm: tests, path: "{path}"}}}}
"""


def registry_reason() -> str | None:
    """Return why there can be no registry here, or None where there can."""
    return None if shutil.which(_PROGRAM) else f"there is no {_PROGRAM} command"


@contextmanager
def registry(folder: Path, htpasswd: Path | None = None) -> Iterator[str]:
    """Run a registry in a folder; yield its address, ``127.0.0.1:PORT``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "registry.yml"
    auth = _AUTH.format(path=htpasswd) if htpasswd else ""
    config.write_text(_CONFIG.format(root=folder / "data", port=port) + auth)
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen([_PROGRAM, "serve", str(config)], stdout=log, stderr=log)
    try:
        _await_answer(f"http://127.0.0.1:{port}/v2/", process)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _await_answer(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTING
    with httpx.Client(trust_env=False) as client:
        while True:
            try:
                client.get(url)
            except httpx.TransportError:
                assert process.poll() is None, "the registry has ended"
                assert time.monotonic() < deadline, "the registry doesn't answer"
                time.sleep(0.05)
            else:
                return
