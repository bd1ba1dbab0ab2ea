"""Mounts of the sandbox: their form."""

import pytest

from tidegate.box_settings import Bind
from tidegate.sandbox.mounts import parse, within


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("data:/data", Bind("data", "/data", writable=False)),
        ("/srv/a:/b:ro", Bind("/srv/a", "/b", writable=False)),
        ("./a b:/c/d/:rw", Bind("./a b", "/c/d", writable=True)),
        ("/etc/mine:/etc/mine", Bind("/etc/mine", "/etc/mine", writable=False)),
    ],
)
def test_a_mount_is_read_only_unless_it_says_otherwise(text: str, mount: Bind) -> None:
    assert parse(text) == mount


@pytest.mark.parametrize("text", ["", "a", "a:", ":/b", "a:b", "a:/b:rx", "a:/b:rw:ro", "a:/b:"])
def test_what_is_no_mount_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not of the form HOST:TARGET"):
        parse(text)


@pytest.mark.parametrize("target", ["/", "/usr", "/proc", "/proc/sys", "/dev/null", "/etc/", "/lib64", "/sys/fs"])
def test_what_the_server_needs_cant_be_hidden_by_a_mount(target: str) -> None:
    with pytest.raises(ValueError, match="would hide"):
        parse(f"a:{target}")


def test_a_name_that_begins_like_another_isnt_below_it() -> None:
    assert within("/a/b", "/a")
    assert within("/a", "/a")
    assert within("/a", "/")
    assert not within("/ab", "/a")
