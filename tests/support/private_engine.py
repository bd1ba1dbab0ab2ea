"""A container engine of a test's own, to be stopped and started: in namespaces of its own, with one image."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 60


class PrivateEngine:
    """One engine, with all that it keeps in a folder.

    Args:
        folder: where it keeps all that.
        bridge: whether its containers can have a network, which leads nowhere.
        hidden: a folder of this machine that it doesn't see.

    Attributes:
        address: where it listens, as in DOCKER_HOST.
    """

    def __init__(self, folder: Path, *, bridge: bool = False, hidden: str | None = None) -> None:
        self._folder = folder
        self._bridge = [] if bridge else ["--bridge=none"]
        self._process: subprocess.Popen[bytes] | None = None
        # Its network and its mounts live in namespaces that outlive a killed engine, and end with this process.
        self._namespaces = subprocess.Popen(["unshare", "--net", "--mount", "--propagation=private", "sleep", "600"])
        self._await_namespaces()
        if hidden is not None:
            within = ["nsenter", f"--target={self._namespaces.pid}", "--mount"]
            subprocess.run([*within, "mount", "-t", "tmpfs", "none", hidden], check=True)
        self.address = f"unix://{folder}/engine.sock"

    def _await_namespaces(self) -> None:
        """Wait until they are there: an engine in the machine's own would take its bridge away from the usual one."""
        deadline = time.monotonic() + SECONDS
        for name in ("net", "mnt"):
            ours, theirs = (Path(f"/proc/{which}/ns/{name}") for which in ("self", self._namespaces.pid))
            while ours.readlink() == theirs.readlink():
                if time.monotonic() > deadline or self._namespaces.poll() is not None:
                    raise RuntimeError("unshare made no namespaces")
                time.sleep(0.01)  # there is no event to wait for

    def start(self) -> None:
        """Start it; :meth:`answers` tells when it is ready."""
        folder = self._folder
        for stale in ("pid", "run/containerd/containerd.pid"):  # a killed one leaves them, and numbers are used again
            (folder / stale).unlink(missing_ok=True)
        words = [
            *("nsenter", f"--target={self._namespaces.pid}", "--net", "--mount"),
            *("dockerd", f"--host={self.address}", f"--data-root={folder}/data"),
            *(f"--exec-root={folder}/run", f"--pidfile={folder}/pid", "--iptables=false"),
            *self._bridge,
        ]
        with (folder / "engine.log").open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)

    def docker(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run the docker command for this engine."""
        environment = os.environ | {"DOCKER_HOST": self.address}
        return subprocess.run(["docker", *words], env=environment, capture_output=True, timeout=SECONDS, check=False)

    def answers(self) -> bool:
        """Whether it is ready."""
        return self.docker("version").returncode == 0

    def load(self, image: str) -> None:
        """Copy an image from the usual engine."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            environment = os.environ | {"DOCKER_HOST": self.address}
            subprocess.run(["docker", "load"], env=environment, stdin=saved.stdout, capture_output=True, check=True)

    def containers(self) -> list[str]:
        """Return the names of all its containers."""
        return self.docker("ps", "--all", "--format", "{{.Names}}").stdout.decode().split()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it with a signal."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(SECONDS)
            self._process = None

    def close(self) -> None:
        """Let go of its namespaces."""
        self._namespaces.kill()
        self._namespaces.wait()


@contextmanager
def private_engine(folder: Path, *, bridge: bool = False, hidden: str | None = None) -> Iterator[PrivateEngine]:
    """Have an engine until the block ends; nothing of it is left then."""
    engine = PrivateEngine(folder, bridge=bridge, hidden=hidden)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()
        engine.close()
        shutil.rmtree(folder, ignore_errors=True)
