"""Whether a user that settings call by a name is root: engines read the image's list, and so does Tidegate."""

import io
import tarfile

import pytest

from tidegate.containers.users import is_name, may_be_root

LIST = "root:x:0:0::/:/bin/sh\nnode:x:1000:1000::/:/bin/sh\n toor :x:0:0::/:\n\nshort\n"


def packed(text: str, kind: bytes = tarfile.REGTYPE) -> list[bytes]:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo("passwd")
        entry.type, entry.linkname = kind, "/srv/other"
        entry.size = len(text) if kind == tarfile.REGTYPE else 0
        tar.addfile(entry, io.BytesIO(text.encode()))
    return [file.getvalue()]


def test_a_name_is_looked_up() -> None:
    assert may_be_root("node", packed(LIST)) is False
    assert may_be_root("nobody", packed(LIST)) is None


@pytest.mark.parametrize(
    "line",
    ["a:x:0:5", "a:x::5", "a:x:", "a", " a:x:0", "a:x: 5:5", "a:x:+5:5", "a:x:5x:5", "a:x:-5:5", "a:x:00:5", "a:x:٣:5"],
)
def test_what_an_engine_takes_for_root_is_root(line: str) -> None:
    assert may_be_root("a", packed(f"a:x:7:7::/:\n{line}\n")) is True


def test_what_is_no_list_has_no_users() -> None:
    assert may_be_root("a", [b"x" * 100]) is None
    assert may_be_root("a", packed("a:x:7:7", tarfile.SYMTYPE)) is None
    assert may_be_root("a", packed("a:x:7:7\n" + "x" * (1 << 20))) is None


def test_numbers_and_root_are_no_names() -> None:
    assert [is_name(user) for user in ("root", "0:0", "7:7", "node")] == [False, False, False, True]
