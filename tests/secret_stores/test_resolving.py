"""The secrets of settings are read once, and what isn't there concerns those that need it only."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from secret_stores.storing import VALUE
from support.plugging import Install
from tidegate import settings
from tidegate.secret_stores import Secret, StoreError
from tidegate.secret_stores.resolving import Resolved, read, resolve, users
from tidegate.settings import Settings, SettingsError

IMAGE = f"sha256:{1:064x}"
FILES = {"image": IMAGE, "secrets": {"API_KEY": "secret:files", "OTHER": "secret:other"}}
DOCS = {"url": "https://h/", "headers": {"A": "Bearer secret:docs", "B": "secret:other"}}


def built(folder: Path = Path("/nonexistent"), **tree: Any) -> Settings:
    stores = [{"use": "env"}]
    servers = {"files": FILES, "docs": DOCS, "plain": {"command": ["c"]}}
    return settings.build({"secrets": {"stores": stores}, "servers": servers, **tree}, folder=folder)


def test_it_is_known_who_uses_which() -> None:
    assert users(built()) == {"files": ["files"], "other": ["files", "docs"], "docs": ["docs"]}
    assert users(built(), ("docs",)) == {"docs": ["docs"], "other": ["docs"]}


async def test_each_server_is_given_its_own_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FILES", "OTHER", "DOCS", "UNUSED"):
        monkeypatch.setenv(f"TIDEGATE_SECRET_{name}", f"{VALUE} {name}")
    its = built()
    found = await resolve(its)
    given = found.given(its.servers["files"])
    assert given == {"API_KEY": Secret(f"{VALUE} FILES"), "OTHER": Secret(f"{VALUE} OTHER")}
    assert found.given(its.servers["plain"]) == {}
    assert sorted(found.values()) == [f"{VALUE} {name}" for name in ("DOCS", "FILES", "OTHER")]
    assert VALUE not in repr(found)
    assert {found.lacks(server) for server in its.servers.values()} == {None}


async def test_a_missing_secret_concerns_its_servers_only_and_the_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIDEGATE_SECRET_DOCS", VALUE)
    monkeypatch.setenv("TIDEGATE_SECRET_OTHER", VALUE)
    its = built()
    found = await resolve(its)
    said = "the secret files is not set: run `tidegate secret set files`, then start or reload"
    assert found.lacks(its.servers["files"]) == said
    assert found.lacks(its.servers["docs"]) is found.lacks(its.servers["plain"]) is None
    for act in (found.given, found.digest):
        with pytest.raises(SettingsError) as caught:
            act(its.servers["files"])
        assert str(caught.value) == said


def test_a_store_that_is_down_is_said_as_that() -> None:
    entry = {"use": "vault", "address": "http://127.0.0.1:1", "token": "env:PATH"}
    its = built(secrets={"stores": [entry]})
    found = read(its)
    assert found.lacks(its.servers["plain"]) is None
    assert "can't be read: the secret store 'vault': Vault can't be reached" in (found.lacks(its.servers["docs"]) or "")
    assert "Vault can't be reached" in (found.down or "")


def test_digests_and_changes_are_of_a_servers_own_secrets() -> None:
    its = built()
    before = Resolved({"files": Secret("a"), "other": Secret("b"), "docs": Secret("c")})
    after = Resolved({"files": Secret("changed"), "other": Secret("b"), "docs": Secret("c")})
    files, docs, plain = its.servers.values()
    assert (before.changed(after, files), before.changed(after, docs)) == (True, False)
    assert before.digest(files) != after.digest(files)
    assert before.digest(plain) == ""
    assert before != after
    assert before == Resolved({"files": Secret("a"), "other": Secret("b"), "docs": Secret("c")})
    down = Resolved({"files": StoreError("down", down=True)})
    assert down == Resolved({"files": StoreError("down", down=True)}) != Resolved()


@pytest.mark.requirement("explicit-only")
async def test_a_store_that_is_not_well_set_up_is_a_mistake_though_nobody_needs_it() -> None:
    its = settings.build({"secrets": {"stores": [{"use": "nothing"}]}}, folder=Path())
    with pytest.raises(SettingsError, match="'nothing' is not installed"):
        await resolve(its)


async def test_without_secrets_no_store_is_opened() -> None:
    assert await resolve(settings.build({}, folder=Path())) == Resolved()


HANGS = """
import threading
from tidegate.secret_stores import Model

class Hangs:
    class Config(Model):
        pass

    def __init__(self, config, folder):
        pass

    def get(self, name):
        threading.Event().wait(600)

    def names(self):
        return ()
"""


async def test_a_store_that_hangs_holds_up_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Install(tmp_path, monkeypatch)(
        "hangs_of_the_test", HANGS, "[tidegate.secret_stores]\nhangs = hangs_of_the_test:Hangs"
    )
    waiting = asyncio.create_task(resolve(built(secrets={"stores": [{"use": "hangs"}]})))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
