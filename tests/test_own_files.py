"""Mounts keep away from Tidegate's own files, and from what is sensitive: said when the settings are read."""

from pathlib import Path

import pytest

from tidegate.settings import SettingsError, load, parse

SERVER = "[servers.a]\nimage = 'x'\npull = 'tag-ok'\nmounts = ['{}:/data']\n"
PROCESS = SERVER.replace("image = 'x'\npull = 'tag-ok'", "command = ['x']")
OTHERS = """
[proxy]
launcher = "run/launcher.sock"
control = "run/control.sock"
[[interceptors]]
use = "audit"
path = "logs/audit.jsonl"
[[interceptors]]
use = "policy"
bundle = ["policies", "https://example.com/bundle"]
"""


@pytest.mark.parametrize("mount", [".", "./logs", "logs/audit.jsonl", "policies/sub", "run", "tidegate.toml", "./link"])
@pytest.mark.parametrize("server", [SERVER, PROCESS], ids=["container", "process"])
def test_a_mount_of_tidegates_own_files_stops_the_start(mount: str, server: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("logs")
    path = tmp_path / "tidegate.toml"
    path.write_text(server.format(mount) + OTHERS)
    with pytest.raises(SettingsError) as caught:
        load(path)
    begin = f"{path}: servers.a.mounts: the mount {mount}:/data is refused, as {tmp_path}"
    assert str(caught.value).startswith(begin)
    assert str(caught.value).endswith("Tidegate's own")


@pytest.mark.parametrize("mount", ["/var/run/docker.sock", "/", "/home/u", "~/../../../proc"])
def test_a_mount_of_what_is_sensitive_stops_the_start(mount: str) -> None:
    with pytest.raises(
        SettingsError, match=rf"^settings: servers\.a\.mounts: the mount {mount}:/data is refused, as /"
    ):
        parse(SERVER.format(mount), folder=Path("/srv/x"))


def test_other_mounts_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "tidegate.toml"
    path.write_text(SERVER.format("./data") + OTHERS)
    assert load(path).own_files == tuple(
        f"{tmp_path}/{name}"
        for name in ("logs/audit.jsonl", "policies", "run/launcher.sock", "run/control.sock", "tidegate.toml")
    )
