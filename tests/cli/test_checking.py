"""`check`: settings, interceptors and servers looked at without serving."""

import json
import sys
from pathlib import Path

import pytest

from cli.running import Command
from support.images import Images
from support.proxy import audit_to, write_settings
from tidegate.cli import output

TIME = [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"]


def settings(folder: Path, servers: dict[str, dict[str, object]], *interceptors: dict[str, object]) -> Path:
    return write_settings(folder / "tidegate.toml", servers, interceptors, {"listen": "127.0.0.1:0"})


def test_a_server_that_answers_is_well_and_says_who_it_is(command: Command, home: Path) -> None:
    settings(home, {"time": {"command": TIME}}, audit_to(home / "audit.jsonl"))
    ended = command("check", "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["ok"], ended.err) == (output.WELL, True, "")
    (server,) = told["servers"]
    assert (server["name"], server["kind"], server["ok"], server["tools"]) == ("time", "process", True, 2)
    assert server["server"].startswith("mcp-time")
    assert server["elapsed_ms"] > 0
    assert told["interceptors"][0]["hooks"] == ["observe"]


def test_settings_may_begin_with_a_byte_order_mark(command: Command, home: Path) -> None:
    (home / "tidegate.toml").write_bytes(b"\xef\xbb\xbf[proxy]\r\nmax_depth = 20\r\n")
    assert command("check").code == output.WELL


def test_servers_that_do_not_answer_are_told_one_by_one(command: Command, home: Path) -> None:
    settings(
        home,
        {
            "time": {"command": TIME},
            "missing": {"command": ["no-such-program"]},
            "deaf": {"url": "http://127.0.0.1:1/mcp"},
            "dying": {"command": [sys.executable, "-c", "raise SystemExit(3)"]},
        },
    )
    ended = command("check")
    assert ended.code == output.NOT_WELL
    assert "Traceback" not in ended.out + ended.err
    rows = {line.split()[0]: line for line in ended.out.splitlines() if line.strip()}
    assert rows["time"].rstrip().endswith("well")
    for name in ("missing", "deaf", "dying"):
        assert not rows[name].rstrip().endswith("well")
        assert "it answered" not in rows[name]


def test_what_a_server_that_ended_wrote_to_standard_error_is_shown_where_it_is_asked_for(
    command: Command, home: Path
) -> None:
    program = "import sys; print('no key is given', file=sys.stderr); raise SystemExit(3)"
    settings(home, {"time": {"command": TIME}, "dying": {"command": [sys.executable, "-c", program]}})
    ended = command("check")
    assert "no key is given" not in ended.out
    assert "What dying wrote to standard error: tidegate check --stderr" in ended.out
    shown = command("check", "--stderr")
    assert "dying wrote to its standard error:\n  no key is given\n" in shown.out
    assert [each["stderr"] for each in json.loads(command("check", "--stderr", "--json").out)["servers"]] == [
        "",
        "no key is given",
    ]


def test_a_check_writes_nothing_and_works_beside_a_running_tidegate(command: Command, home: Path) -> None:
    settings(home, {}, audit_to(home / "audit.jsonl"))
    before = set(home.rglob("*"))
    assert command("check").code == output.WELL
    assert set(home.rglob("*")) == before


def test_a_server_on_demand_that_nobody_can_add_is_told(command: Command, home: Path) -> None:
    servers: dict[str, dict[str, object]] = {"time": {"command": TIME, "on_demand": True}}
    settings(home, servers)
    assert "time: on_demand, but nobody can add it at the gateway" in command("check", "--no-servers").out
    assert json.loads(command("check", "--no-servers", "--json").out)["unserved"] == ["time"]
    write_settings(home / "tidegate.toml", servers, [], {}, {"gateway": {"dynamic": True}})
    assert "on_demand" not in command("check", "--no-servers").out


def test_servers_can_be_left_alone(command: Command, home: Path) -> None:
    settings(home, {"missing": {"command": ["no-such-program"]}})
    ended = command("check", "--no-servers")
    assert ended.code == output.WELL
    assert "1 server not asked" in ended.out


@pytest.mark.parametrize(
    ("interceptor", "said"),
    [
        ({"use": "no-such"}, "'no-such' is not installed"),
        ({"use": "audit", "pth": "x"}, "interceptor 'audit' has no setting 'pth'"),
        ({"use": "lists", "deny": ["no-slash"]}, "interceptor 'lists': "),
        ({"use": "lists", "deny": ["elsewhere/*"]}, "interceptor 'lists' can't start: "),
    ],
)
@pytest.mark.requirement("explicit-only")
def test_an_interceptor_that_is_not_well_is_a_mistake_in_the_settings(
    command: Command, home: Path, interceptor: dict[str, object], said: str
) -> None:
    settings(home, {}, interceptor)
    ended = command("check")
    assert ended.code == output.MISTAKE
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_what_the_interceptors_are_for_is_shown(command: Command, home: Path) -> None:
    lists = {"use": "lists", "report_only": True, "when": {"methods": ["tools/*"]}}
    settings(home, {}, lists, audit_to(home / "audit.jsonl"))
    shown = command("check").out
    assert "methods tools/*" in shown
    assert "report only" in shown
    assert "transform, decide" in shown
    assert "required" in shown


@pytest.mark.docker
def test_how_the_streams_of_a_container_come_here_is_told(command: Command, home: Path, images: Images) -> None:
    settings(home, {"files": {"image": images.echo}, "old": {"image": images.echo, "streams": "engine"}})
    told = {each["name"]: each["streams"] for each in json.loads(command("check", "--json").out)["servers"]}
    assert told == {"files": "direct", "old": "engine"}
    out = command("check").out
    assert "container (direct)" in out
    assert "container (engine)" in out


def test_what_is_looser_than_usual_about_a_container_is_told(command: Command, home: Path) -> None:
    settings(
        home,
        {
            "files": {"image": "sha256:" + "0" * 64, "user": "root", "memory": "1g"},
            "tight": {"image": "sha256:" + "0" * 64, "memory": "64m"},
        },
    )
    lines = command("check", "--no-servers").out.splitlines()
    assert [line for line in lines if line.startswith(("files: ", "tight: "))] == [
        "files: its processes run as root",
        "files: it may use 1g of memory instead of 256m",
    ]
