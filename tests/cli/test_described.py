"""What an interceptor is, in the words of its class, read without importing it."""

from pathlib import Path

import pytest

from tidegate.cli.described import first_line


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "described_here"
    package.mkdir()
    (package / "__init__.py").write_text(
        '"""The package."""\nfrom described_here.deep import Inner as Outer\nraise SystemExit\n'
    )
    (package / "deep.py").write_text(
        'class Inner:\n    """``inner``: says what\n    it is.\n\n    And more.\n    """\n'
    )
    (package / "broken.py").write_text("class\n")
    return package.name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (":Outer", "Says what it is."),
        (".deep:Inner", "Says what it is."),
        (":Missing", "The package."),
        (".broken:Inner", ""),
        (".nowhere:Inner", ""),
    ],
)
def test_the_class_speaks_for_itself_wherever_it_is_defined(module: str, name: str, said: str) -> None:
    assert first_line(f"{module}{name}") == said
