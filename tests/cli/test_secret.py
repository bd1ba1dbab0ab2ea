"""`secret set`, `ls` and `rm`: values come by a prompt or standard input, go into a store, and are shown nowhere."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cli.running import Command
from support.proxy import tidegate
from tidegate.cli import output

VALUE = "pa55word-that-nobody-may-see"
SECONDS = 60
SERVERS = """
[servers.files]
command = ["cat"]
secrets = { API_KEY = "secret:files-api-key" }

[servers.docs]
url = "https://docs.example.com/mcp"
headers = { Authorization = "Bearer secret:docs" }
"""
STORE = '[[secrets.stores]]\nuse = "file"\npath = "s.json"\n'


@pytest.fixture(autouse=True)
def settings(home: Path) -> Path:
    path = home / "tidegate.toml"
    path.write_text(STORE + SERVERS)
    return path


def given(folder: Path, value: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run `tidegate secret WORDS` with a value on standard input."""
    return subprocess.run(
        tidegate("secret", *words), cwd=folder, input=value, capture_output=True, timeout=SECONDS, check=False
    )


def kept(folder: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((folder / "s.json").read_text())
    return found


def test_standard_input_is_the_value_but_for_one_line_end(home: Path) -> None:
    done = given(home, f"{VALUE}\n".encode(), "set", "files-api-key")
    assert (done.returncode, done.stdout) == (0, b"files-api-key is set, in the store file.\n"), done.stderr
    assert kept(home) == {"files-api-key": VALUE}
    assert sorted(path.name for path in home.iterdir()) == ["s.json", "tidegate.toml"]


@pytest.mark.requirement("secrets-stay-in")
@pytest.mark.parametrize("words", [[VALUE], ["--", VALUE], [f"--value={VALUE}"], ["--value", VALUE], ["-v", VALUE]])
def test_an_argument_is_refused_with_why_and_not_repeated(command: Command, home: Path, words: list[str]) -> None:
    ended = command("secret", "set", "files-api-key", *words)
    assert ended.code == output.MISTAKE
    assert "a secret is never an argument, because other users can see those" in ended.err
    assert VALUE not in ended.out + ended.err
    assert not (home / "s.json").exists()


def prompted(folder: Path, *lines: str) -> tuple[int, str]:
    """Type lines at the prompts of `secret set`, on a terminal of its own; its exit code and what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        tidegate("secret", "set", "files-api-key"),
        cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        for line, prompt in zip(lines, (b"files-api-key: ", b"Once more: "), strict=True):
            while prompt not in shown:
                shown += os.read(ours, 4096)
            os.write(ours, f"{line}\n".encode())
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # how Linux says that the other end is closed
            pass
        code = process.wait(SECONDS)
    os.close(ours)
    return code, shown.decode()


@pytest.mark.requirement("secrets-stay-in")
def test_on_a_terminal_it_is_asked_for_twice_and_not_shown(home: Path) -> None:
    code, shown = prompted(home, VALUE, VALUE)
    assert (code, VALUE in shown) == (0, False), shown
    assert kept(home) == {"files-api-key": VALUE}
    code, shown = prompted(home, "one of them", "another one")
    assert code == output.MISTAKE
    assert "the two aren't the same, so nothing is changed" in shown
    assert "one" not in shown.replace("Once", "")
    assert kept(home) == {"files-api-key": VALUE}


@pytest.mark.parametrize(
    ("value", "said"),
    [(b"", b"at least one character"), (b"\xff\xfe", b"text in UTF-8"), (b"x" * 70_000, b"at most 65536 bytes")],
)
def test_what_is_no_secret_is_a_mistake(home: Path, value: bytes, said: bytes) -> None:
    done = given(home, value, "set", "a")
    assert done.returncode == output.MISTAKE
    assert said in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_short_secret_and_one_that_an_earlier_store_hides_are_told(home: Path, settings: Path) -> None:
    settings.write_text('[[secrets.stores]]\nuse = "env"\n' + STORE + SERVERS)
    done = subprocess.run(
        tidegate("secret", "set", "docs"),
        cwd=home, input=b"short", capture_output=True, timeout=SECONDS, check=False,
        env={**os.environ, "TIDEGATE_SECRET_DOCS": VALUE},
    )  # fmt: skip
    assert done.returncode == 0
    assert b"less than 8 characters" in done.stderr
    assert b"The store env is asked first and has docs too" in done.stderr


def test_the_list_says_names_servers_and_stores_and_no_value(command: Command, home: Path) -> None:
    given(home, VALUE.encode(), "set", "files-api-key")
    given(home, VALUE.encode(), "set", "unused")
    ended = command("secret", "ls", "--json")
    assert ended.code == output.WELL
    assert json.loads(ended.out) == [
        {"name": "docs", "servers": ["docs"], "store": None},
        {"name": "files-api-key", "servers": ["files"], "store": "file"},
        {"name": "unused", "servers": [], "store": "file"},
    ]
    shown = command("secret", "ls").out
    rows = [" ".join(line.split()) for line in shown.splitlines()]
    assert rows[2:] == ["docs docs not set", "files-api-key files file", "unused no server file"]
    assert VALUE not in shown + ended.out


def test_without_secrets_the_list_says_so(command: Command, settings: Path) -> None:
    settings.write_text(STORE)
    assert command("secret", "ls").out == "No secrets: none is set, and no server needs one.\n"


def test_what_is_removed_is_gone_and_who_needs_it_is_told(command: Command, home: Path) -> None:
    given(home, VALUE.encode(), "set", "files-api-key")
    ended = command("secret", "rm", "files-api-key")
    assert (ended.code, ended.out) == (output.WELL, "files-api-key is removed from the store file.\n")
    assert ended.err == "It is still needed by files, which can't start without it.\n"
    assert kept(home) == {}
    again = command("secret", "rm", "files-api-key")
    assert (again.code, again.err) == (
        output.MISTAKE,
        "Error: there is no secret files-api-key in the store file\n",
    )


def test_a_store_that_is_down_ends_every_command_with_3(command: Command, settings: Path, home: Path) -> None:
    entry = '[[secrets.stores]]\nuse = "vault"\naddress = "http://127.0.0.1:1"\ntoken = "env:PATH"\n'
    settings.write_text(entry + SERVERS)
    assert given(home, VALUE.encode(), "set", "a").returncode == output.MISSING
    for words in (["ls"], ["rm", "a"]):
        ended = command("secret", *words)
        assert ended.code == output.MISSING
        assert "Vault can't be reached" in ended.err


def test_other_mistakes_are_told(command: Command, home: Path, settings: Path) -> None:
    assert "a secret's name has 1 to 128" in command("secret", "rm", "a/b").err
    assert "there is no store 'x' in [secrets]; there are file" in command("secret", "rm", "a", "--store", "x").err
    settings.write_text('[[secrets.stores]]\nuse = "env"\n')
    done = given(home, VALUE.encode(), "set", "a")
    assert (done.returncode, b"can be written to; there are env" in done.stderr) == (output.MISTAKE, True)


def test_check_says_which_server_lacks_what(command: Command, home: Path) -> None:
    ended = command("check", "--no-servers")
    assert ended.code == output.NOT_WELL
    for server, name in (("files", "files-api-key"), ("docs", "docs")):
        assert f"{server}: the secret {name} is not set: run `tidegate secret set {name}`" in ended.out
    given(home, VALUE.encode(), "set", "files-api-key")
    given(home, VALUE.encode(), "set", "docs")
    assert command("check", "--no-servers").code == output.WELL


def test_what_wrap_gives_its_server_has_no_secrets_that_are_others(home: Path, settings: Path) -> None:
    settings.write_text('[[secrets.stores]]\nuse = "encrypted"\nkey = "env:A_KEY"\n')
    program = (
        "import os\nfrom pathlib import Path\nfrom tidegate.cli.serving import wrapped\n"
        "found, name = wrapped(['cat'], Path('tidegate.toml'), None)\n"
        "print(sorted(set(found.servers[name].env) & {'A_KEY', 'TIDEGATE_SECRET_X', 'MINE'}))\n"
    )
    env = {**os.environ, "A_KEY": "x", "TIDEGATE_SECRET_X": "x", "MINE": "x"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=home, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.stdout == "['MINE']\n", done.stderr


def test_check_says_what_plain_variables_give_up(
    command: Command, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_SECRET_A", VALUE)
    server = (
        '[servers.files]\nimage = "i"\npull = "tag-ok"\nsecrets = { API_KEY = "secret:a" }\nsecrets_as = "plain-env"\n'
    )
    settings.write_text('[[secrets.stores]]\nuse = "env"\n' + server)
    said = "its secrets are plain variables, which docker inspect shows: API_KEY"
    ended = command("check", "--no-servers")
    assert (ended.code, f"files: {said}" in ended.out) == (output.WELL, True)
    told = json.loads(command("check", "--no-servers", "--json").out)
    assert (told["loosened"]["files"][-1], told["lacking"]) == (said, {})
    assert VALUE not in ended.out + json.dumps(told)
