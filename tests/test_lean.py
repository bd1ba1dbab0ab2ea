"""A process that serves doesn't load what it never uses."""

import subprocess
import sys


def loaded(program: str) -> set[str]:
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def test_what_serves_loads_no_rich_and_whoever_wants_it_gets_it() -> None:
    program = (
        "import sys\nfrom tidegate import lean\nlean.import_structlog()\nfrom tidegate import logs, serve\n"
        "logs.setup('console')\nlogs.setup('json')\nprint('rich' in sys.modules)\n"
        "from rich.console import Console\nprint(Console.__name__)"
    )
    assert loaded(program) == {"False", "Console"}


def test_where_structlog_is_there_already_nothing_changes() -> None:
    program = (
        "import sys, structlog\nbefore = 'rich' in sys.modules\nfrom tidegate import lean\nlean.import_structlog()\n"
        "print(before == ('rich' in sys.modules))"
    )
    assert loaded(program) == {"True"}
