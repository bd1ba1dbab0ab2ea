"""What a server is started in: what the settings refuse, what shows, and what happens where there is no bubblewrap."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.proxy import audit_to, running_tidegate, tidegate, write_settings
from tidegate import sandbox
from tidegate.settings import ServerSettings, Settings, SettingsError, build

IMAGE = f"sha256:{1:064x}"
TIME = [str(Path(sys.executable).with_name("mcp-server-time")), "--local-timezone", "UTC"]


def server(**members: Any) -> ServerSettings:
    return ServerSettings.model_validate({"command": ["true"], **members})


def settings(least: str, **servers: dict[str, Any]) -> Settings:
    return build({"proxy": {"min_isolation": least}, "servers": servers}, folder=Path("/srv"))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"sandbox": "firejail"}, "sandbox: input should be 'auto', 'bubblewrap' or 'none'"),
        ({"egress": "some"}, 'egress is a list of "HOST:PORT", or "unrestricted"'),
        ({"egress": ["example.com:443"]}, "or nothing: a sandbox has the whole network or none"),
        ({"sandbox": "none", "egress": "unrestricted"}, 'egress has no meaning with sandbox = "none"'),
        ({"sandbox": "none", "mounts": ["a:/b"]}, 'mounts has no meaning with sandbox = "none"'),
        ({"mounts": ["a"]}, "the mount a is not of the form HOST:TARGET[:ro|rw]"),
        (
            {"mounts": ["/etc/shadow:/a"]},
            "servers.a.mounts: the mount /etc/shadow:/a is refused, as /etc/shadow is keys or",
        ),
        ({"mounts": ["/:/host"]}, "the mount /:/host is refused, as / holds"),
        ({"memory": "1g"}, "memory has no meaning for a server with command"),
        ({"pids": 5}, "pids has no meaning for a server with command"),
    ],
)
def test_a_mistake_about_the_sandbox_is_told_in_one_sentence(members: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings("none", a={"command": ["true"], **members})
    assert said in str(error.value)


def test_keys_of_the_sandbox_are_for_local_processes() -> None:
    for kind in ({"image": IMAGE}, {"url": "http://127.0.0.1/mcp"}):
        with pytest.raises(SettingsError, match="sandbox has no meaning for a server with"):
            settings("none", a={**kind, "sandbox": "none"})
    with pytest.raises(SettingsError, match="egress has no meaning for a server with url"):
        settings("none", a={"url": "http://127.0.0.1/mcp", "egress": "unrestricted"})


def test_the_least_isolation_refuses_what_is_less_with_a_sentence_for_each() -> None:
    remote, boxed, plain = {"url": "http://127.0.0.1/mcp"}, {"command": ["x"]}, {"command": ["x"], "sandbox": "none"}
    settings("sandbox", remote=remote, boxed=boxed, container={"image": IMAGE})
    settings("container", remote=remote, container={"image": IMAGE})
    with pytest.raises(SettingsError) as error:
        settings("sandbox", boxed=boxed, one=plain, two=plain)
    assert str(error.value) == (
        'settings: servers.one: sandbox = "none" is less than min_isolation = "sandbox" wants; '
        'servers.two: sandbox = "none" is less than min_isolation = "sandbox" wants'
    )
    with pytest.raises(SettingsError, match='boxed: it is a local process, and min_isolation = "container" wants'):
        settings("container", boxed=boxed, container={"image": IMAGE})


def test_what_has_no_process_of_ours_is_told_as_what_it_is() -> None:
    assert sandbox.isolation(ServerSettings(image=IMAGE)) == "container"
    assert sandbox.isolation(ServerSettings(url="http://127.0.0.1/mcp")) == ""
    assert sandbox.loosened(ServerSettings(image=IMAGE)) == []


def test_who_wants_no_sandbox_gets_none_and_it_shows() -> None:
    plain = server(sandbox="none")
    assert sandbox.isolation(plain) == "unsandboxed"
    assert sandbox.box("a", plain, Path("/"), "none") is None
    assert sandbox.loosened(plain) == ['it runs unsandboxed (sandbox = "none")']


@pytest.mark.bubblewrap
def test_where_bubblewrap_works_a_process_is_sandboxed_and_what_is_looser_shows() -> None:
    assert sandbox.isolation(server()) == sandbox.isolation(server(sandbox="bubblewrap")) == "sandboxed"
    assert sandbox.loosened(server()) == []
    assert sandbox.loosened(server(mounts=["/srv/a:/a:rw", "b:/b"], egress="unrestricted")) == [
        "it may write to /srv/a",
        "it has the whole network, this machine's own addresses too",
    ]
    box = sandbox.box("a", server(mounts=["a:/a"], env={"HOME": "/h", "KEY": "v"}), Path("/srv"), "sandbox")
    assert box is not None
    assert (box.folder, box.network, box.given) == (Path("/srv"), False, {"HOME": "/h"})


def check(folder: Path, *, bubblewrap: bool) -> Any:
    """What `tidegate check --json` says, where bwrap is in PATH or isn't."""
    env = {**os.environ, "PATH": os.environ["PATH"] if bubblewrap else str(folder)}
    done = subprocess.run(
        tidegate("check", folder / "tidegate.toml", "--json"), env=env, capture_output=True, timeout=60, check=False
    )
    assert not done.stderr
    return {told["name"]: told for told in json.loads(done.stdout)["servers"]}


@pytest.mark.bubblewrap
def test_a_check_tells_what_each_server_is_started_in(tmp_path: Path) -> None:
    servers: dict[str, dict[str, Any]] = {"boxed": {"command": TIME}, "plain": {"command": TIME, "sandbox": "none"}}
    write_settings(tmp_path / "tidegate.toml", servers, [], {})
    told = check(tmp_path, bubblewrap=True)
    assert {name: (each["isolation"], each["ok"]) for name, each in told.items()} == {
        "boxed": ("sandboxed", True),
        "plain": ("unsandboxed", True),
    }
    assert told["boxed"]["loosened"] == []


def test_without_bubblewrap_only_what_leaves_it_open_starts(tmp_path: Path) -> None:
    servers: dict[str, dict[str, Any]] = {
        "auto": {"command": TIME},
        "wanted": {"command": TIME, "sandbox": "bubblewrap"},
        "mounted": {"command": TIME, "mounts": [f"{tmp_path}/data:/data"]},
    }
    write_settings(tmp_path / "tidegate.toml", servers, [], {})
    told = check(tmp_path, bubblewrap=False)
    missing = "it is for Linux only" if sys.platform != "linux" else "bwrap is not installed"
    assert (told["auto"]["ok"], told["auto"]["isolation"]) == (True, "unsandboxed")
    assert told["auto"]["loosened"] == [f"it runs unsandboxed, because bubblewrap isn't usable: {missing}"]
    assert (
        f"The server 'wanted' isn't started: sandbox = \"bubblewrap\" asks for it, and bubblewrap isn't usable here "
        f"({missing})." in told["wanted"]["detail"]
    )
    assert "its mounts have a meaning in a sandbox only" in told["mounted"]["detail"]
    write_settings(tmp_path / "tidegate.toml", {"auto": {"command": TIME}}, [], {"min_isolation": "sandbox"})
    assert 'min_isolation = "sandbox" asks for a sandbox' in check(tmp_path, bubblewrap=False)["auto"]["detail"]


@pytest.mark.bubblewrap
async def test_the_record_and_the_log_of_a_start_say_what_it_was_started_in(tmp_path: Path) -> None:
    write_settings(tmp_path / "tidegate.toml", {}, [audit_to(tmp_path / "audit.jsonl")], {})
    async with running_tidegate({"boxed": {"command": TIME}, "plain": {"command": TIME, "sandbox": "none"}}) as proxy:
        import httpx

        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        async with httpx.AsyncClient(timeout=30) as client:
            for name in ("boxed", "plain"):
                accept = {"accept": "application/json, text/event-stream"}
                said = await client.post(proxy.endpoint(name), json=body, headers=accept)
                assert said.status_code == 200
        notes = [record["reason"] for record in proxy.records() if "started in" in str(record["reason"])]
        told = proxy.told()
    assert [note.split(", ")[1] for note in notes] == ["sandboxed", "unsandboxed"]
    assert "isolation=sandboxed" in told or '"isolation":"sandboxed"' in told.replace(" ", "")
    assert "unsandboxed" in told
