"""What of the host a container sees, and that a link which changed after the settings were read is noticed."""

from pathlib import Path

import pytest

from tidegate.containers.mounts import bind, check
from tidegate.ends.pipe import PipeError
from tidegate.settings import build


def test_a_mount_is_read_only_its_own_and_without_what_is_mounted_inside() -> None:
    assert bind("./x:/data", Path("/srv")) == {
        "Target": "/data",
        "Source": "/srv/x",
        "Type": "bind",
        "ReadOnly": True,
        "BindOptions": {"Propagation": "rprivate", "NonRecursive": True},
    }
    assert bind("/y:/data:rw", Path("/srv"))["ReadOnly"] is False


def test_a_link_that_changed_since_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    settings = build({"servers": {"a": {"image": "sha256:" + "0" * 64, "mounts": ["./data:/data"]}}}, folder=tmp_path)
    check("a", settings.servers["a"], settings)
    (tmp_path / "data").rmdir()
    (tmp_path / "data").symlink_to("/var/run")
    with pytest.raises(PipeError, match=r"^a can't be started: the mount \./data:/data is refused, as .*services\.$"):
        check("a", settings.servers["a"], settings)
