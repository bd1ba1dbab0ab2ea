"""Who processes in a container are: a name is looked up in the list of the image, read strictly."""

import io
import tarfile

import pytest

from tidegate.containers.users import content, find

LIST = "root:x:0:0::/:/bin/sh\nnode:x:1000:1001::/:/bin/sh\n toor :x:0:0::/:\n\nshort\n"


def packed(text: str, kind: bytes = tarfile.REGTYPE) -> list[bytes]:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo("passwd")
        entry.type, entry.linkname = kind, "/srv/other"
        entry.size = len(text) if kind == tarfile.REGTYPE else 0
        tar.addfile(entry, io.BytesIO(text.encode()))
    return [file.getvalue()]


def test_a_name_is_looked_up() -> None:
    text = content(packed(LIST))
    assert find("node", text) == ("1000", "1001")
    assert find("root", text) == ("0", "0")
    assert find("nobody", text) is None


@pytest.mark.parametrize(
    "ids", ["", "0", ":5", "5:", "+5:5", "5x:5", "-5:5", "05:5", " 5:5", "٣:5", "5:5x", "1" * 11 + ":5"]
)
def test_a_user_whose_ids_are_no_numbers_is_none(ids: str) -> None:
    assert find("a", f"a:x:{ids}\n".encode()) is None
    assert find("a", b"a") is None


def test_the_first_line_of_a_name_counts() -> None:
    assert find("a", b"a:x:7:7\na:x:0:0\n") == ("7", "7")


def test_what_is_no_list_has_no_users() -> None:
    assert content([b"x" * 100]) == b""
    assert content(packed("a:x:7:7", tarfile.SYMTYPE)) == b""
    assert content(packed("a:x:7:7\n" + "x" * (1 << 20))) == b""
