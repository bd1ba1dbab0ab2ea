"""What the whole suite shares: needs that may be missing, the skips they cause, and a look for what still runs.

A test marked `docker`, `node`, `opa`, `bubblewrap`, `registry` or `native` is skipped where that is missing.
TIDEGATE_REQUIRE, a list of these names, is for a machine that must have them: there a missing one ends the run before
it starts, and any other skip fails, unless its reason starts with "platform:".
"""

import os
import signal
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import hypothesis
import psutil
import pytest
import structlog

from support import engine, native, node, opa, registry, sandbox, spreading
from support.clean import Clean
from support.images import Images


@dataclass(frozen=True)
class Need:
    """Something outside Python that some tests need: why it isn't usable (or None), and how to have it."""

    reason: Callable[[], str | None]
    how: str


NEEDS = {
    "docker": Need(engine.engine_reason, engine.HOW),
    "node": Need(node.node_reason, "install Node.js with npm, of any version, and run the tests again"),
    "opa": Need(opa.opa_reason, opa.HOW),
    "bubblewrap": Need(sandbox.bubblewrap_reason, sandbox.HOW),
    "registry": Need(registry.registry_reason, registry.HOW),
    "native": Need(native.native_reason, native.HOW),
}
# Inherited by whatever the tests start: how that is found when they are over. A worker of pytest-xdist has a mark
# below the one of the run, so each looks for its own, and the run in the end for what a worker that crashed left.
_MARK = "TIDEGATE_TEST_RUN"
# These of multiprocessing end with their parent, not before.
_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
_PATIENCE = 5.0  # seconds for processes that are on their way out

# How long an example takes says more about the machine than about Tidegate; benchmarks/ is for that.
hypothesis.settings.register_profile("tidegate", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("tidegate")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
_mark = pytest.StashKey[str]()
_skipped = pytest.StashKey[dict[str, str]]()
_left = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def images() -> Images:
    """The container images of the tests, each built when first asked for; only for tests marked `docker`."""
    return Images()


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Clean:
    """An environment with Tidegate's wheel and pytest, made once in about a minute; only for tests marked `slow`."""
    return Clean(tmp_path_factory.mktemp("clean"))


def _required() -> list[str]:
    return [name.strip() for name in os.environ.get("TIDEGATE_REQUIRE", "").split(",") if name.strip()]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_skipped] = {}
    config.stash[_left] = []
    worker: dict[str, str] = getattr(config, "workerinput", {})
    config.stash[_mark] = f"{os.environ[_MARK]}/{worker['workerid']}" if worker else uuid4().hex
    os.environ[_MARK] = config.stash[_mark]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so a shell starts what is to run in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what a test interrupts would inherit it


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker tells at its end, which is nothing where it crashed."""
    told = getattr(node, "workeroutput", {})
    node.config.stash[_skipped].update(told.get("tidegate_skipped", {}))
    node.config.stash[_left].extend(told.get("tidegate_left", []))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> spreading.Spreading | None:
    """Spread the tests in this suite's own way, where `-n` says how many workers and no `--dist` says how."""
    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False
    return spreading.Spreading(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=spreading.turn)


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    for name in _required():
        if name not in NEEDS:
            raise pytest.UsageError(f"TIDEGATE_REQUIRE names {name!r}, which is none of {', '.join(NEEDS)}")
        reason = NEEDS[name].reason()
        if reason:
            raise pytest.UsageError(f"TIDEGATE_REQUIRE names {name}, but {reason}: {NEEDS[name].how}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    structlog.reset_defaults()  # a command that ran in this process has set up which lines are written
    for name, need in NEEDS.items():
        reason = need.reason() if item.get_closest_marker(name) else None
        if reason:
            item.config.stash[_skipped][name] = reason
            pytest.skip(f"needs {name}: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _refused(item.config, (yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _refused(collector.config, (yield))


def _refused(config: pytest.Config, report: Report) -> Report:
    """Turn a skip that this run does not allow into a failure."""
    if not _required() or report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return report
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = told.removeprefix("Skipped: ")
    missing = [f"needs {name}: {why}" for name, why in config.stash[_skipped].items()]
    if reason not in missing and not reason.startswith("platform:"):
        report.outcome = "failed"
        report.longrepr = f"TIDEGATE_REQUIRE is set, so this may not be skipped: {reason}"
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if a process that a test started outlived every fixture."""
    config = session.config
    left = config.stash[_left]
    for process in psutil.wait_procs(_started_under(config.stash[_mark]), timeout=_PATIENCE)[1]:
        left.append(f"{process.pid}: {_command_line(process)[:200]}")
        process.kill()
    if left and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if hasattr(config, "workeroutput"):
        config.workeroutput |= {"tidegate_left": left, "tidegate_skipped": config.stash[_skipped]}


def _started_under(mark: str) -> list[psutil.Process]:
    """Return the processes that carry a mark or one below it, those whose parents are gone too."""
    found = []
    for process in psutil.process_iter():
        try:
            carried = process.environ().get(_MARK, "")
        except psutil.Error:
            continue  # not ours to look at, or gone by now
        marked = process.pid != os.getpid() and (carried == mark or carried.startswith(f"{mark}/"))
        if marked and not any(helper in _command_line(process) for helper in _HELPERS):
            found.append(process)
    return found


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return "?"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    """Say last of all, but for the counts, what was skipped and how to have it, and what was left running."""
    yield
    config = terminalreporter.config
    for line in config.stash[_left]:
        terminalreporter.write_line(f"LEFT RUNNING  {line}", red=True)
    for name, reason in sorted(config.stash[_skipped].items()):
        terminalreporter.write_line(f"skipped, needs {name}: {reason}. To have it: {NEEDS[name].how}")
