"""kingfisher without what it has for the network: only its scanner is loaded, exact, bound in time, leaving nothing."""

import math
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tidegate_scan.budget import OverBudget
from tidegate_scan.foreign_kingfisher import Kingfisher

TOKEN = "glpat-" + "q7Zk3Xw9Tb2LmP5vRd8H"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Kingfisher:
    return Kingfisher(lambda _: False, tmp_path_factory.mktemp("compiled"))


@pytest.mark.parametrize(
    "text", ["{}", "ünder {} ünder", "\ufeff{}", "a\0b {} c", "t\udc00 {}", "{}\n\0\n{}", "🦊 {} 密码 {}"]
)
def test_spans_are_exact_whatever_stands_before(engine: Kingfisher, text: str) -> None:
    text = text.replace("{}", TOKEN)
    found = engine.find(text, math.inf)
    assert len(found) == text.count(TOKEN)
    assert {text[each.start : each.end] for each in found} == {TOKEN}
    assert {each.rule.id for each in found} == {"kingfisher:betterleaks-gitlab-pat"}


def test_it_undoes_no_disguise_since_that_is_done_already(engine: Kingfisher) -> None:
    assert engine.find("Z2xwYXQtcTdaazNYdzlUYjJMbVA1dlJkOEg=", math.inf) == []


def test_a_text_is_given_up_when_its_time_is_over(engine: Kingfisher) -> None:
    with pytest.raises(OverBudget):
        engine.find("key: " * 1000, time.monotonic() - 1)
    with pytest.raises(OverBudget):
        engine.find("password: secret key: eyJ " * 400_000, time.monotonic() + 0.002)


def test_neither_its_package_nor_a_socket_nor_a_file_is_opened(tmp_path: Path) -> None:
    program = f"""
        import math, os, sys
        from tidegate_scan.foreign_kingfisher import Kingfisher
        found = Kingfisher(lambda _: False, None).find("token {TOKEN}", math.inf)
        assert [each.rule.id for each in found] == ["kingfisher:betterleaks-gitlab-pat"]
        assert not [name for name in sys.modules if name.startswith("kingfisher_sdk")]
        links = [os.readlink(f"/proc/self/fd/{{fd}}") for fd in os.listdir("/proc/self/fd") if fd.isdigit() and
                 os.path.exists(f"/proc/self/fd/{{fd}}")] if os.path.isdir("/proc/self/fd") else []
        assert not [link for link in links if link.startswith("socket:")]
    """
    environment = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_it_compiles_is_kept_only_where_the_settings_say(tmp_path: Path) -> None:
    Kingfisher(lambda _: False, tmp_path / "compiled")
    assert [path.name for path in tmp_path.iterdir()] == ["compiled"]
    assert list((tmp_path / "compiled").iterdir())


def test_a_rule_that_is_off_finds_nothing(tmp_path_factory: pytest.TempPathFactory, engine: Kingfisher) -> None:
    folder = tmp_path_factory.getbasetemp() / "compiled0"
    off = Kingfisher(lambda identity: "gitlab" in identity, folder)
    assert off.find(TOKEN, math.inf) == []
    assert {rule.id for rule in off.rules} == {rule.id for rule in engine.rules}
