"""A process that serves doesn't load what it never uses."""

import subprocess
import sys
from pathlib import Path

from tidegate.ends import keeper


def loaded(program: str, *options: str) -> set[str]:
    told = subprocess.run([sys.executable, *options, "-c", program], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def test_what_serves_loads_no_rich_and_no_supervisors_and_whoever_wants_them_gets_them() -> None:
    program = (
        "import sys\nfrom tidegate import lean\nlean.import_structlog()\nlean.import_uvicorn()\n"
        "from tidegate import logs, serve\nlogs.setup('console')\nlogs.setup('json')\n"
        "print(any(name in sys.modules for name in ('rich', 'watchfiles', 'multiprocessing.context')))\n"
        "from rich.console import Console\nprint(Console.__name__)\n"
        "from uvicorn.supervisors import Multiprocess\nprint(Multiprocess.__name__)"
    )
    assert loaded(program) == {"False", "Console", "Multiprocess"}


def test_the_launcher_loads_nothing_that_guesses_encodings_and_whoever_wants_it_gets_it() -> None:
    program = (
        "import sys\nfrom tidegate import lean\nlean.import_requests()\nimport tidegate.containers.launcher\n"
        "print('charset_normalizer' in sys.modules, 'chardet' in sys.modules)\n"
        "import charset_normalizer, requests\nprint(requests.Response.__name__)"
    )
    assert loaded(program) == {"False", "Response"}


def test_the_keeper_loads_no_typing() -> None:
    folder = str(Path(keeper.__file__).parent)
    program = f"import sys\nsys.path.append({folder!r})\nimport keeper\nprint('typing' in sys.modules)"
    assert loaded(program, "-I", "-S") == {"False"}


def test_a_command_loads_no_other_command() -> None:
    program = (
        "import sys\nfrom tidegate.cli import main\ntry: main(['run', '--help'])\nexcept SystemExit: pass\n"
        "print('loaded', *sorted(name for name in sys.modules if name.startswith('tidegate.cli.')))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == "loaded tidegate.cli.output tidegate.cli.serving"


def test_where_structlog_is_there_already_nothing_changes() -> None:
    program = (
        "import sys, structlog\nbefore = 'rich' in sys.modules\nfrom tidegate import lean\nlean.import_structlog()\n"
        "print(before == ('rich' in sys.modules))"
    )
    assert loaded(program) == {"True"}
