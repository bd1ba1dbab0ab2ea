"""Reading policies: folders, files and OPA's bundles, signed or not; made by the opa program where it matters."""

import contextlib
import gzip
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.policy.bundling import DATA, HELPERS, POLICY, TESTS, a_folder, archive, opa, refused, write
from tidegate_policy import bundles
from tidegate_policy.bundles import read, stamp
from tidegate_policy.sources import PolicyError, revision_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path)


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_a_folder_is_modules_tests_and_data_by_their_folders(folder: Path) -> None:
    found = read(folder)
    assert found.sources.modules == (("lib/text.rego", HELPERS), ("main.rego", POLICY))
    assert found.tests == (("main_test.rego", TESTS),)
    assert found.sources.data == {**DATA, "teams": {"red": {"members": ["x"]}}}
    assert found.sources.revision == revision_of(found.sources.modules, found.sources.data)


def test_one_file_is_a_policy(tmp_path: Path) -> None:
    write(tmp_path, main=POLICY, other=HELPERS)
    found = read(tmp_path / "main.rego")
    assert found.sources.modules == (("main.rego", POLICY),)
    assert found.sources.data == {}


def test_an_archive_reads_as_the_folder_does(folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "bundle.tar.gz"
    with tarfile.open(packed, "w:gz") as out:
        out.add(folder, "./")
    assert read(packed) == read(folder)


def test_the_manifest_gives_the_revision(folder: Path) -> None:
    write(folder, manifest='{"revision": "r7", "metadata": {"x": 1}}')
    assert read(folder).sources.revision == "r7"


def test_the_revision_is_another_when_modules_or_data_are(folder: Path) -> None:
    first = read(folder).sources.revision
    write(folder, teams__red__data='{"members": []}')
    second = read(folder).sources.revision
    write(folder, main=POLICY + "\nx := 1\n")
    assert len({first, second, read(folder).sources.revision}) == 3


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"main": POLICY, "data": '{"a": 1,\n"b": }'}, "data.json:2: it is not JSON"),
        ({"main": POLICY, "data": '{"a": NaN}'}, "data.json: it is not JSON: NaN"),
        ({"main": POLICY, "data": '{"a": 1, "a": 2}'}, "twice"),
        ({"main": POLICY, "data": "[1]"}, "the data at the root is an object"),
        ({"main": POLICY, "data": '{"a": "\\ud800"}'}, "not UTF-8"),
        ({"main": POLICY, "data": "[" * 100_000}, "nested too deep"),
        ({"main": POLICY, "data": '{"a": {"b": 1}}', "a__b__data": "2"}, "a/b/data.json: 'b' has a value already"),
        ({"main": POLICY, "manifest": "[]"}, ".manifest is an object"),
        ({"main": POLICY, "manifest": '{"revision": 5}'}, ".manifest is an object"),
        ({"main": POLICY, "manifest": '{"rego_version": 0}'}, "Rego v0"),
        ({"main": POLICY, "manifest": '{"file_rego_versions": {"/main.rego": 0}}'}, "Rego v0"),
        ({"main": POLICY, "manifest": '{"wasm": [{}]}'}, "WebAssembly"),
        ({"main": "# first\n" + POLICY, "manifest": '{"roots": ["a"]}'}, "main.rego:2: package tidegate is outside"),
        (
            {"main": POLICY, "manifest": '{"roots": ["tidegate", "a/b"]}', "data": '{"a": {"c": 1}}'},
            "the data at /a/c is",
        ),
        ({"main_test": TESTS}, "no .rego file"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, files: dict[str, str], why: str) -> None:
    refused(write(tmp_path, **files), why)


def test_roots_cover_what_is_below_them(tmp_path: Path) -> None:
    write(
        tmp_path, main=POLICY, lib__x=HELPERS, data='{"a": {"b": {"c": 1}}}', manifest='{"roots": ["tidegate", "/a/b"]}'
    )
    assert read(tmp_path).sources.data == {"a": {"b": {"c": 1}}}


def test_what_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.rego").write_bytes(b"package x\n\n# \xff\n")
    refused(tmp_path, "x.rego:3: it is not UTF-8")


@pytest.mark.parametrize("name", ["data.yaml", "data.yml", "patch.json"])
def test_what_would_count_elsewhere_is_not_passed_over(folder: Path, name: str) -> None:
    (folder / "teams" / name).write_text("{}")
    refused(folder, f"teams/{name}")


def test_what_is_not_there_or_no_policy_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "can't be read")
    refused(tmp_path / "nowhere.tar.gz", "can't be read")
    (tmp_path / "policy.txt").write_text(POLICY)
    refused(tmp_path / "policy.txt", "a policy is a folder")


def test_hidden_folders_and_pipes_are_not_read(folder: Path) -> None:
    """A configuration map's files are links into hidden folders."""
    hidden = write(folder / "..2026", linked=HELPERS.replace("text", "linked"))
    (folder / "linked.rego").symlink_to(hidden / "linked.rego")
    os.mkfifo(folder / "pipe.rego")
    assert [name for name, _ in read(folder).sources.modules] == ["lib/text.rego", "linked.rego", "main.rego"]


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (("../evil.rego", b"x"), "no name for a file"),
        (("a/../../evil.rego", b"x"), "no name for a file"),
        (("a//b.rego", b"x"), "no name for a file"),
        (("a\\b.rego", b"x"), "no name for a file"),
        (("a\nb.rego", b"x"), "no name for a file"),
        (("/", b""), "no name for a file"),
        ((special("link.rego", tarfile.SYMTYPE, "/etc/passwd"), b""), "neither a file nor a folder"),
        ((special("hard.rego", tarfile.LNKTYPE, "main.rego"), b""), "neither a file nor a folder"),
        ((special("pipe.rego", tarfile.FIFOTYPE), b""), "neither a file nor a folder"),
        ((special("device", tarfile.CHRTYPE), b""), "neither a file nor a folder"),
        (("main.rego", b"x"), "twice"),
        (("/main.rego", b"x"), "twice"),
    ],
)
def test_an_archive_with_a_trick_in_it_is_refused(tmp_path: Path, member: Any, why: str) -> None:
    path = archive(tmp_path / "b.tar.gz", ("main.rego", POLICY.encode()), member)
    refused(path, why)
    assert [each.name for each in tmp_path.iterdir()] == ["b.tar.gz"]


def test_an_archive_over_a_limit_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    big = special("big.bin", tarfile.REGTYPE)
    big.size = bundles.MAX_BYTES + 1
    with gzip.open(path, "wb", 1) as out:
        out.write(big.tobuf())
        for _ in range(big.size // (1 << 20) + 1):
            out.write(bytes(1 << 20))
    refused(path, "larger than")
    long = special("a.rego", tarfile.REGTYPE)
    long.pax_headers = {"comment": "x" * (bundles.MAX_BYTES + bundles.MAX_FILES * 1024)}
    with gzip.open(path, "wb", 1) as out:
        out.write(long.tobuf(tarfile.PAX_FORMAT))
    refused(path, "larger than")
    archive(path, *((f"{n}.txt", b"") for n in range(bundles.MAX_FILES + 1)))
    refused(path, "more than 10000 files")


@pytest.mark.parametrize("cut", [0, 10, 60, -9])
def test_an_archive_that_is_cut_or_none_is_refused(tmp_path: Path, folder: Path, cut: int) -> None:
    path = archive(tmp_path / "b.tar.gz", ("main.rego", POLICY.encode()))
    path.write_bytes(path.read_bytes()[:cut])
    refused(path, "no whole .tar.gz" if cut else "")
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    refused(path, "no whole .tar.gz")


def test_the_stamp_changes_with_the_files_that_count(folder: Path) -> None:
    stamps = [stamp(folder)]
    (folder / "README.md").write_text("x")
    assert stamp(folder) == stamps[0]
    for change in (
        lambda: (folder / "main.rego").write_text(POLICY + "#"),
        lambda: (folder / "new.rego").write_text(HELPERS),
        (folder / "teams" / "red" / "data.json").unlink,
        lambda: (folder / ".manifest").write_text("{}"),
        lambda: (folder / "new.rego").rename(folder / "newer.rego"),
        lambda: os.utime(folder / "main.rego", ns=(1, 1)),
    ):
        change()
        assert stamp(folder) not in stamps
        stamps.append(stamp(folder))
    assert stamp(folder / "main.rego") != stamp(folder / "newer.rego")
    assert stamp(folder / "nowhere") == stamp(folder / "nowhere.rego")


@pytest.mark.opa
def test_a_bundle_that_opa_built_reads_as_its_folder(folder: Path, tmp_path: Path) -> None:
    opa("build", "-b", "policies", "-o", "b.tar.gz", "--revision", "r1", "--ignore", "*_test.rego", cwd=tmp_path)
    found = read(tmp_path / "b.tar.gz").sources
    assert found.data == read(folder).sources.data
    assert found.revision == "r1"
    assert [name.removeprefix("policies/") for name, _ in found.modules] == ["lib/text.rego", "main.rego"]


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6), st.integers(0, 4000) | st.none())
def test_a_broken_archive_is_refused_in_one_way_only(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int | None
) -> None:
    """Whatever its bytes are: checksums are mended, so that the changes are looked at."""
    folder = tmp_path_factory.mktemp("broken")
    members = ((f"{'l' * 120}/a.rego", POLICY.encode()), ("data.json", b'{"a": 1}'), (".manifest", b"{}"))
    data = bytearray(gzip.decompress(archive(folder / "b.tar.gz", *members).read_bytes()))[:cut]
    for at, value in changes:
        if at < len(data):
            data[at] = value
            head = at // 512 * 512
            if len(data) >= head + 512 and at % 512 < 400:
                data[head + 148 : head + 156] = b" " * 8
                data[head + 148 : head + 156] = b"%06o\0 " % sum(data[head : head + 512])
    (folder / "b.tar.gz").write_bytes(gzip.compress(data, 1))
    with contextlib.suppress(PolicyError):
        assert read(folder / "b.tar.gz").sources.modules
