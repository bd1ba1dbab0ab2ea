"""`tidegate audit verify|show|tail`: what they print, what they filter, how they end."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from plugins.audit.building import DEADLINE, SLOW_FSYNC, a_log, call, decided, lines, log_files, writing
from tidegate import Client, Deny, Finding, Flow, Principal, Server, Step, Target
from tidegate_audit.cli import app
from tidegate_audit.record import Recorder, event
from tidegate_audit.writer import Options, Writer

# Of which server, about which tool, for whom; stopped by whom.
TOLD = [
    ("time", "now", "ann", None),
    ("files", "read_file", "ann", None),
    ("files", "delete_file", "bob", "lists"),
    ("time", "convert", "bob", None),
    ("files", "write_file", "ann", "policy"),
]


def audit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    recorder = Recorder()
    with writing(path, Options(60, rotate_bytes=1500)) as writer:
        for server, tool, principal, by in TOLD:
            effects = ((by, Deny("Not allowed.", rule="no-" + tool)),) if by else ()
            decision = decided(call(tool), effects=effects, verdict="deny" if by else "allow")
            about = Flow("f", Server(server), Principal(principal), Client("editor", "1"), "", (Target("tool", tool),))
            about = replace(about, profile="work" if principal == "ann" else "")
            writer.append(recorder.record(decision, about))
    assert len(log_files(path)) > 1
    return path


def shown(*arguments: str | Path) -> list[int]:
    result = audit("show", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line)["seq"] for line in result.stdout.splitlines()]


def test_verify_ends_with_0_and_says_how_far_the_chain_goes_where_all_is_well(log: Path) -> None:
    result = audit("verify", log)
    assert result.exit_code == 0
    assert "5 records (1 to 5) in " in result.stdout
    assert "the chain is whole" in result.stdout
    assert json.loads(lines(log)[-1])["hash"] in result.stdout


def test_verify_ends_with_1_and_says_file_line_record_and_what_where_something_is_wrong(log: Path) -> None:
    first = log_files(log)[0]
    first.write_bytes(first.read_bytes().replace(b"ann", b"eve", 1))
    result = audit("verify", log)
    assert result.exit_code == 1
    assert re.search(r"audit\.jsonl\.000001 +1 +changed +the line doesn't have the hash it states", result.stdout)


def test_verify_prints_its_report_as_json(log: Path) -> None:
    result = audit("verify", log, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["ok"]
    assert [report[name] for name in ("records", "first", "last", "problems")] == [5, 1, 5, []]
    log.write_bytes(b"")
    result = audit("verify", log, "--json")
    problem = json.loads(result.stdout)["problems"][0]
    assert result.exit_code == 1
    assert problem["what"] == "missing"
    assert problem["detail"].endswith("missing")


def test_verify_takes_a_start_and_a_hash_noted_earlier(log: Path) -> None:
    log_files(log)[0].unlink()
    assert audit("verify", log).exit_code == 1
    start = json.loads(lines(log)[0])["seq"]
    assert audit("verify", log, "--from", str(start)).exit_code == 0
    noted = json.loads(lines(log)[-1])["hash"]
    assert audit("verify", log, "--from", str(start), "--contains", noted).exit_code == 0
    assert audit("verify", log, "--from", str(start), "--contains", "0" * 64).exit_code == 1


@pytest.mark.parametrize("command", ["verify", "show", "tail"])
def test_a_log_that_is_not_there_is_one_sentence_and_2(command: str, tmp_path: Path) -> None:
    result = audit(command, tmp_path / "audit.jsonl")
    assert result.exit_code == 2
    assert re.fullmatch(r"Error: .*audit\.jsonl: no such file\n", result.stderr)
    assert "is not a regular file" in audit(command, tmp_path).stderr


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (None, "audit.jsonl"),
        ('[[interceptors]]\nuse = "lists"\n', "audit.jsonl"),
        ('[[interceptors]]\nuse = "audit"\n', "audit.jsonl"),
        ('[[interceptors]]\nuse = "audit"\npath = "logs/x.jsonl"\n', "logs/x.jsonl"),
        ('interceptors = "odd"\n', "audit.jsonl"),
    ],
)
def test_without_a_path_the_log_is_the_one_of_the_settings_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str | None, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if settings is not None:
        Path("tidegate.toml").write_text(settings)
    Path(name).parent.mkdir(exist_ok=True)
    a_log(tmp_path / name, 2)
    assert "2 records" in audit("verify").stdout


def test_settings_that_cannot_be_read_are_one_sentence_and_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tidegate.toml").write_text("[[")
    result = audit("verify")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: tidegate.toml: can't be read: ")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], [1, 2, 3, 4, 5]),
        (["--server", "files"], [2, 3, 5]),
        (["--server", "f*", "--server", "time"], [1, 2, 3, 4, 5]),
        (["--verdict", "deny"], [3, 5]),
        (["--by", "lists"], [3]),
        (["--principal", "ann", "--server", "files"], [2, 5]),
        (["--profile", "work", "--server", "files"], [2, 5]),
        (["--profile", "w*", "--profile", "home"], [1, 2, 5]),
        (["--profile", "home"], []),
        (["--target", "*_file"], [2, 3, 5]),
        (["--method", "tools/*"], [1, 2, 3, 4, 5]),
        (["--method", "prompts/*"], []),
        (["--since", "1h"], [1, 2, 3, 4, 5]),
        (["--until", "1h"], []),
        (["--since", "2020-01-01", "--until", "2020-02-01T00:00:00Z"], []),
        (["--limit", "2"], [4, 5]),
        (["-n", "0"], [1, 2, 3, 4, 5]),
        (["-n", "9" * 30], [1, 2, 3, 4, 5]),
        (["--verdict", "allow", "-n", "2"], [2, 4]),
    ],
)
def test_show_prints_the_last_records_that_fit(log: Path, filters: Sequence[str], expected: list[int]) -> None:
    assert shown(log, *filters) == expected


@pytest.mark.parametrize("width", [40, 80, 120])
def test_show_leaves_nothing_out_in_a_narrow_window(log: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    told = re.sub(r"\x1b\[\d*m", "", audit("show", log).stdout)
    for words in ("delete_file", "bob", "tools/call", "lists: no-delete_file"):
        assert words in told


def test_since_and_until_take_the_times_that_records_have(log: Path) -> None:
    times = [json.loads(line)["time"] for line in lines(log)]
    assert shown(log, "--since", times[1], "--until", times[3]) == [2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--since", "yesterday"], "'yesterday' is no time"),
        (["--verdict", "maybe"], "it is one of allow, redact, hold"),
    ],
)
def test_a_filter_that_means_nothing_is_one_sentence_and_2(log: Path, arguments: list[str], sentence: str) -> None:
    result = audit("show", log, *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_show_prints_lines_as_they_stand_in_the_log_where_json_is_asked_for(log: Path) -> None:
    assert audit("show", log, "--json").stdout_bytes == b"".join(lines(log))


def test_show_prints_a_table_that_is_not_cut_where_it_is_piped(log: Path) -> None:
    out = audit("show", log).stdout.splitlines()
    assert out[0].split() == [
        "seq",
        "time",
        "(UTC)",
        "verdict",
        "server",
        "kind",
        "method",
        "target",
        "principal",
        "µs",
        "why",
    ]
    assert len(out) == 6
    assert re.search(r"3 .* deny +files +→ request +tools/call +delete_file +bob +\d+ +lists: no-delete_file", out[3])


def test_a_record_shows_what_was_found_edited_and_would_have_been_done(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    message = call(text="x").replace("/params/arguments/text", "[redacted:key]", label="key")
    decision = decided(
        message,
        findings=(("s", Finding("secret", "r", "/params/arguments/text", (0, 1))),),
        verdict="redact",
        steps=(Step("new", "decide", "deny", 900, report_only=True),),
        reported=(("new", Deny("No.", rule="r9")),),
    )
    with writing(path) as writer:
        writer.append(Recorder().record(decision, Flow("f", Server("files"))))
    for command in ("show", "tail"):
        out = audit(command, path).stdout
        assert "edited: key; found: secret; would deny: new r9" in out


def test_nothing_in_a_tampered_log_can_steer_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text(
        '{"seq":"\\u001b[2J","time":3,"verdict":"\\u001b]0;x\\u0007","steps":[[1]],"edits":5,"server":["[red]"]}\n'
    )
    for command in ("show", "tail"):
        result = audit(command, path)
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout
        assert "\x07" not in result.stdout


def test_show_says_how_many_lines_it_could_not_read(log: Path) -> None:
    log.write_bytes(b"rubbish\n[]\n" + log.read_bytes())
    result = audit("show", log)
    assert result.exit_code == 0
    assert "2 lines can't be read; see `tidegate audit verify`." in result.stderr


def test_show_says_so_where_no_record_fits(log: Path) -> None:
    result = audit("show", log, "--by", "nobody")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == "No record fits.\n"


def test_tail_prints_the_last_records_one_line_each(log: Path) -> None:
    out = audit("tail", log, "-n", "2").stdout.splitlines()
    assert len(out) == 2
    assert re.search(r"deny +files +→ request +tools/call +write_file +ann +\d+ µs +policy: no-write_file", out[1])


def tidegate_audit(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "tidegate", "audit", *map(str, arguments)]


async def test_tail_follows_a_log_through_its_rotations_and_ends_well_when_interrupted(tmp_path: Path) -> None:
    path = a_log(tmp_path / "audit.jsonl", 2)
    process = await asyncio.create_subprocess_exec(
        *tidegate_audit("tail", "-f", "--json", path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE):
            seen = [json.loads(await process.stdout.readline())["seq"] for _ in range(2)]
            with writing(path, Options(60, rotate_bytes=1)) as writer:
                for batch in (1, 5, 1, 8):
                    for _ in range(batch):
                        writer.append(event("one more"))
                    seen += [json.loads(await process.stdout.readline())["seq"] for _ in range(batch)]
            process.send_signal(2)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert seen == list(range(1, 18))


def test_output_that_nobody_reads_any_more_ends_without_a_traceback(tmp_path: Path) -> None:
    path = a_log(tmp_path / "audit.jsonl", 1000)  # more than a pipe holds, in each form
    for arguments in (["show", "-n", "0", "--json"], ["show", "-n", "0"], ["tail", "-n", "0"]):
        with subprocess.Popen(
            tidegate_audit(*arguments, path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline()
            process.stdout.close()
            process.wait(timeout=DEADLINE)
            assert process.stderr.read() == ""


def test_a_big_log_is_verified_with_a_progress_bar_for_people_only(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with writing(path, SLOW_FSYNC) as writer:
        _append_long(writer, 200)
    result = audit("verify", path)
    assert result.exit_code == 0
    assert "verifying" not in result.stderr


def _append_long(writer: Writer, count: int) -> None:
    for _ in range(count):
        writer.append(event("x" * 100_000))


def test_every_option_has_a_help_text() -> None:
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        assert command.help, name
        for parameter in command.params:
            assert parameter.help, f"{name} {parameter.name}"
