"""The store `keyring`: what it asks of a backend, and what it says where there is none, or none that works."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from secret_stores.storing import VALUE, stores, value_of
from support.keyrings import Memory
from tidegate.secret_stores import Secret, StoreError


@pytest.fixture(autouse=True)
def kept() -> Iterator[dict[tuple[str, str], str]]:
    Memory.kept.clear()
    yield Memory.kept
    Memory.kept.clear()


def entry(backend: str = "Memory") -> dict[str, str]:
    return {"use": "keyring", "backend": f"support.keyrings.{backend}"}


def test_secrets_are_kept_and_removed_under_the_service(tmp_path: Path, kept: dict[tuple[str, str], str]) -> None:
    opened = stores(tmp_path, entry())
    assert value_of(opened, "a") is None
    opened.set("a", Secret(VALUE))
    assert kept == {("tidegate", "a"): VALUE}
    assert (value_of(opened, "a"), opened.names()) == (VALUE, {})
    assert opened.remove("a") == "keyring"
    assert opened.remove("a") is None


@pytest.mark.requirement("secrets-stay-in")
@pytest.mark.parametrize(("backend", "said"), [("Locked", "is locked"), ("Broken", "can't be used (RuntimeError)")])
def test_a_keyring_that_fails_is_down_and_its_own_words_are_not_repeated(
    tmp_path: Path, backend: str, said: str
) -> None:
    with pytest.raises(StoreError) as caught:
        stores(tmp_path, entry(backend)).set("a", Secret(VALUE))
    assert said in str(caught.value)
    assert VALUE not in str(caught.value)
    assert caught.value.down


def test_a_keyring_that_is_not_installed_is_a_mistake(tmp_path: Path) -> None:
    for named in ("support.keyrings.Nothing", "no_such_module.Keyring", "support.keyrings.os"):
        with pytest.raises(StoreError, match="is no keyring that is installed"):
            stores(tmp_path, {"use": "keyring", "backend": named}).find("a")


def test_where_no_keyring_runs_that_is_said_and_nothing_is_kept_elsewhere(tmp_path: Path) -> None:
    """In a process of its own, because `keyring` looks once for what there is."""
    program = "import sys\nfrom tidegate.cli import main\nmain(['secret', 'set', 'a', '--settings', sys.argv[1]])"
    settings = tmp_path / "tidegate.toml"
    settings.write_text('[[secrets.stores]]\nuse = "keyring"\n')
    for backend in ("keyring.backends.fail.Keyring", "keyring.backends.null.Keyring"):
        env = {**os.environ, "PYTHON_KEYRING_BACKEND": backend, "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", program, str(settings)],
            input=VALUE, capture_output=True, text=True, env=env, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 3, done.stderr
        assert "there is no keyring that can be used" in done.stderr
        assert VALUE not in done.stdout + done.stderr
