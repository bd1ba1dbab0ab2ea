"""Mounts: their form, and the places that none may show."""

from pathlib import Path

import pytest

from tidegate.sandbox.mounts import Mount, parse, sensitive, within


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("data:/data", Mount("data", "/data", writable=False)),
        ("/srv/a:/b:ro", Mount("/srv/a", "/b", writable=False)),
        ("./a b:/c/../d/:rw", Mount("./a b", "/d", writable=True)),
        ("/etc/mine:/etc/mine", Mount("/etc/mine", "/etc/mine", writable=False)),
    ],
)
def test_a_mount_is_read_only_unless_it_says_otherwise(text: str, mount: Mount) -> None:
    assert parse(text) == mount


@pytest.mark.parametrize("text", ["", "a", "a:", ":/b", "a:b", "a:/b:rx", "a:/b:rw:ro", "a:/b:"])
def test_what_is_no_mount_is_told(text: str) -> None:
    if text == "a:/b:":
        assert parse(text).target == "/b"
        return
    with pytest.raises(ValueError, match="is not of the form HOST:TARGET"):
        parse(text)


@pytest.mark.parametrize("target", ["/", "/usr", "/proc", "/proc/sys", "/dev/null", "/a/../etc", "/lib64", "/sys/fs"])
def test_what_the_server_needs_cant_be_hidden_by_a_mount(target: str) -> None:
    with pytest.raises(ValueError, match="would hide"):
        parse(f"a:{target}")


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/etc", "/etc/shadow", "/proc", "/proc/1/root", "/sys/kernel", "/dev/sda", "/run/docker.sock"),
        *("/var/run/docker.sock", "/var", "/var/lib/docker/volumes", "/home/somebody", "/root", "/boot"),
    ],
)
def test_the_machines_own_places_are_sensitive_and_all_above_them(path: str) -> None:
    assert sensitive(path)


@pytest.mark.parametrize("name", [".ssh", ".ssh/id_ed25519", ".aws", ".config", ".config/gcloud", ".netrc", "", "a/.."])
def test_a_home_and_its_keys_are_sensitive(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sensitive(f"{tmp_path}/{name}")
    assert sensitive(str(tmp_path.parent))
    assert not sensitive(f"{tmp_path}/work")


def test_a_link_to_a_sensitive_place_is_as_sensitive(tmp_path: Path) -> None:
    (tmp_path / "harmless").symlink_to("/etc/ssl/private")
    assert sensitive(str(tmp_path / "harmless"))
    assert sensitive(str(tmp_path / "harmless" / "key"))


def test_a_name_that_begins_like_another_isnt_below_it() -> None:
    assert within("/a/b", "/a")
    assert within("/a", "/a")
    assert within("/a", "/")
    assert not within("/ab", "/a")
