"""Mounts of the sandbox: their form."""

import pytest

from tidegate.sandbox.mounts import Mount, parse, within


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


def test_a_name_that_begins_like_another_isnt_below_it() -> None:
    assert within("/a/b", "/a")
    assert within("/a", "/a")
    assert within("/a", "/")
    assert not within("/ab", "/a")
