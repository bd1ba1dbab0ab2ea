"""The real servers that Tidegate is put in front of, and what each is asked.

Every server gets a fresh folder for each run, so that what it writes is the same each time.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from peers.exchange import Blurs, Step, call
from support.node import peers

_TIME = (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>")
_WEEKDAY = (r"(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day", "<weekday>")
_CLOCK = (r"\d{1,2}:\d\d:\d\d [AP]M", "<time>")
_FILE_TIME = (r"\w{3} \w{3} \d\d \d{4} \d\d:\d\d:\d\d GMT[^\"\\]*", "<time>")


def _nothing(_: Path) -> None:
    pass


@dataclass(frozen=True)
class Server:
    """One server: how it is started in a folder, what it is asked there, and what of its answers may differ.

    `web` servers are also given the address of a web page on this machine.
    """

    name: str
    command: Callable[[Path], list[str]]
    script: Callable[[Path, str], list[Step]]
    prepare: Callable[[Path], None] = _nothing
    env: Callable[[Path], dict[str, str]] | None = None
    blurs: Blurs = ()
    node: bool = False

    def environment(self, folder: Path) -> dict[str, str]:
        """The environment variables that the server is given beside the usual ones."""
        return self.env(folder) if self.env else {}

    def blurs_in(self, folder: Path) -> Blurs:
        """What may differ in a run in this folder."""
        return [(re.escape(str(folder)), "<folder>"), (re.escape(str(folder.parent)), "<parent>"), *self.blurs]


def _script(name: str) -> list[str]:
    return [str(Path(sys.executable).with_name(name))]


def _npm(package: str) -> list[str]:
    return peers().command(f"@modelcontextprotocol/{package}", "dist/index.js")


LISTS = [Step("tools/list")]
NO_SUCH_TOOL = call("no_such_tool", a=1)


def _time(_: Path, __: str) -> list[Step]:
    return [
        *LISTS,
        call("get_current_time", timezone="UTC"),
        call("convert_time", source_timezone="UTC", time="12:00", target_timezone="Asia/Tokyo"),
        call("get_current_time", timezone="Mars/Olympus"),
        call("get_current_time"),
        NO_SUCH_TOOL,
        Step("prompts/list"),
        Step("resources/list"),
    ]


_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A"), ("EMAIL", "a@example.com"), ("DATE", "2026-01-02T03:04:05+00:00"))
}


def _repository(folder: Path) -> None:
    env = {**os.environ, **_AUTHOR, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", folder, *arguments], env=env, check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch=main")
    (folder / "a.txt").write_text("one\n")
    git("add", "a.txt")
    git("commit", "--quiet", "--message", "First")
    (folder / "a.txt").write_text("one\ntwo ✓\n")


def _git(folder: Path, _: str) -> list[Step]:
    here = str(folder)
    return [
        *LISTS,
        call("git_status", repo_path=here),
        call("git_diff_unstaged", repo_path=here),
        call("git_log", repo_path=here, max_count=3),
        call("git_show", repo_path=here, revision="HEAD"),
        call("git_show", repo_path=here, revision="no-such-revision"),
        call("git_add", repo_path=here, files=["a.txt"]),
        call("git_diff_staged", repo_path=here),
        call("git_create_branch", repo_path=here, branch_name="other"),
        call("git_branch", repo_path=here, branch_type="local"),
        call("git_status", repo_path=str(folder.parent)),
        NO_SUCH_TOOL,
    ]


def _fetch(_: Path, page: str) -> list[Step]:
    return [
        *LISTS,
        Step("prompts/list"),
        call("fetch", url=f"{page}/plain", raw=True),
        call("fetch", url=f"{page}/plain", raw=True, max_length=20, start_index=5),
        call("fetch", url=f"{page}/missing", raw=True),
        call("fetch", url="not a url"),
        Step("prompts/get", {"name": "fetch", "arguments": {"url": f"{page}/plain"}}),
    ]


def everything(_: Path, __: str) -> list[Step]:
    """What server-everything is asked over every transport it has."""
    return [
        *LISTS,
        call("echo", message="Grüße, 世界 \u2028 🐟"),
        call("get-sum", a=2, b=40.5),
        call("get-sum", a="two"),
        call("get-tiny-image"),
        call("get-structured-content", location="Chicago"),
        call("get-annotated-message", messageType="error", includeImage=True),
        call("get-resource-links", count=3),
        call("get-resource-reference", resourceType="Text", resourceId=1),
        call("trigger-long-running-operation", duration=0.2, steps=2),
        call("trigger-sampling-request", prompt="Say something", maxTokens=10),
        call("trigger-elicitation-request"),
        NO_SUCH_TOOL,
        Step("resources/list"),
        Step("resources/templates/list"),
        Step("resources/read", {"uri": "demo://resource/dynamic/text/1"}),
        Step("resources/read", {"uri": "demo://nothing/here"}),
        Step("resources/subscribe", {"uri": "demo://resource/dynamic/text/1"}),
        Step("resources/unsubscribe", {"uri": "demo://resource/dynamic/text/1"}),
        Step("prompts/list"),
        Step("prompts/get", {"name": "simple-prompt"}),
        Step("prompts/get", {"name": "args-prompt", "arguments": {"city": "Paris"}}),
        Step("prompts/get", {"name": "no-such-prompt"}),
        Step(
            "completion/complete",
            {
                "ref": {"type": "ref/prompt", "name": "completable-prompt"},
                "argument": {"name": "department", "value": "E"},
            },
        ),
        Step("logging/setLevel", {"level": "warning"}),
        Step("ping"),
    ]


def _files(folder: Path, _: str) -> list[Step]:
    here = str(folder)
    return [
        *LISTS,
        call("list_allowed_directories"),
        call("write_file", path=f"{here}/new.txt", content="first\nsecond\n"),
        call("edit_file", path=f"{here}/new.txt", edits=[{"oldText": "second", "newText": "2."}]),
        call("read_text_file", path=f"{here}/new.txt"),
        call("read_multiple_files", paths=[f"{here}/new.txt", f"{here}/missing.txt"]),
        call("create_directory", path=f"{here}/deep"),
        call("move_file", source=f"{here}/new.txt", destination=f"{here}/deep/new.txt"),
        call("directory_tree", path=here),
        call("search_files", path=here, pattern="**/*.txt"),
        call("get_file_info", path=f"{here}/deep/new.txt"),
        call("read_text_file", path="/etc/hostname"),
        call("read_text_file", path=f"{here}/../outside.txt"),
        NO_SUCH_TOOL,
    ]


def _memory(_: Path, __: str) -> list[Step]:
    fish = {"name": "Fish", "entityType": "animal", "observations": ["swims"]}
    sea = {"name": "Sea", "entityType": "place", "observations": []}
    return [
        *LISTS,
        call("create_entities", entities=[fish, sea]),
        call("create_relations", relations=[{"from": "Fish", "to": "Sea", "relationType": "lives in"}]),
        call("add_observations", observations=[{"entityName": "Fish", "contents": ["has fins"]}]),
        call("add_observations", observations=[{"entityName": "Bird", "contents": ["flies"]}]),
        call("read_graph"),
        call("search_nodes", query="fins"),
        call("delete_entities", entityNames=["Sea"]),
        call("open_nodes", names=["Fish", "Sea"]),
        NO_SUCH_TOOL,
    ]


SERVERS = [
    Server(
        "time",
        lambda _: [*_script("mcp-server-time"), "--local-timezone", "UTC"],
        _time,
        blurs=[_TIME, _WEEKDAY],
    ),
    Server("git", lambda folder: [*_script("mcp-server-git"), "-r", str(folder)], _git, prepare=_repository),
    Server(
        "fetch",
        # It refuses this machine's own addresses, and what robots.txt forbids, unless told not to.
        lambda _: [*_script("mcp-server-fetch"), "--allow-private-ips", "--ignore-robots-txt"],
        _fetch,
    ),
    Server("everything", lambda _: _npm("server-everything"), everything, blurs=[_CLOCK], node=True),
    Server(
        "filesystem",
        lambda folder: [*_npm("server-filesystem"), str(folder)],
        _files,
        blurs=[_TIME, _FILE_TIME],
        node=True,
    ),
    Server(
        "memory",
        lambda _: _npm("server-memory"),
        _memory,
        env=lambda folder: {"MEMORY_FILE_PATH": str(folder / "memory.jsonl")},
        node=True,
    ),
]
