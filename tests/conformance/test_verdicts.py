"""The comparison of two runs of the suite, on results made for it."""

import json
from pathlib import Path

import pytest

from conformance.verdicts import Verdict, differences, read, tally


def write(folder: Path, scenario: str, *checks: tuple[str, str]) -> Path:
    place = folder / f"{scenario}-2026-11-22T08-43-08-793Z"
    place.mkdir(parents=True)
    listed = [{"id": name, "status": status, "errorMessage": f"{name} told"} for name, status in checks]
    (place / "checks.json").write_text(json.dumps(listed))
    return folder


def test_the_worst_of_several_verdicts_on_one_check_counts(tmp_path: Path) -> None:
    write(tmp_path, "server-ping", ("a", "SUCCESS"), ("a", "WARNING"), ("a", "SKIPPED"), ("b", "INFO"))
    assert read(tmp_path) == {("ping", "a"): Verdict("WARNING", "a told")}
    assert tally(tmp_path) == {"SUCCESS": 1, "WARNING": 1, "SKIPPED": 1}


def test_scenarios_in_folders_of_their_own_keep_their_whole_name(tmp_path: Path) -> None:
    write(tmp_path, "auth/metadata-default", ("a", "SUCCESS"))
    assert list(read(tmp_path)) == [("auth/metadata-default", "a")]


@pytest.mark.parametrize("worse", ["FAILURE", "WARNING", "SKIPPED"])
def test_a_worse_verdict_through_the_proxy_is_a_difference(tmp_path: Path, worse: str) -> None:
    direct = write(tmp_path / "direct", "server-ping", ("a", "SUCCESS"), ("b", "SUCCESS"))
    proxied = write(tmp_path / "proxied", "server-ping", ("a", "SUCCESS"), ("b", worse))
    assert differences(read(direct), read(proxied)) == [
        f"ping / b: direct SUCCESS, through Tidegate {worse}. b told",
    ]


def test_a_check_that_only_one_run_has_is_a_difference(tmp_path: Path) -> None:
    direct = write(tmp_path / "direct", "server-ping", ("a", "SUCCESS"))
    proxied = write(tmp_path / "proxied", "server-ping", ("b", "SUCCESS"))
    assert [told.split(".")[0] for told in differences(read(direct), read(proxied))] == [
        "ping / a: direct SUCCESS, through Tidegate ABSENT",
        "ping / b: direct ABSENT, through Tidegate SUCCESS",
    ]


def test_a_folder_that_is_none_of_the_suites_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "server-ping", ("a", "SUCCESS")).joinpath("odd").mkdir()
    (tmp_path / "odd" / "checks.json").write_text("[]")
    with pytest.raises(ValueError, match="not a result folder"):
        read(tmp_path)
