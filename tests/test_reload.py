"""Changed settings, taken over whole or not at all, with interceptors that tell what becomes of them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from support.clock import fast
from support.plugging import Install
from support.reloading import ANN, PROBE, SERVERS, Rig, probe
from support.web import Exchange, ScriptedServer, until, within
from tidegate.relay import Relay
from tidegate.reload import Reloader
from tidegate.testing import flow, request
from tidegate.upstream import Context, Unavailable

CALL = request("tools/call", {"name": "add"})


@pytest_asyncio.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    Install(tmp_path, monkeypatch)("tg_probe", PROBE, "probe = tg_probe:Probe")
    __import__("tg_probe")
    rig = Rig(tmp_path / "tidegate.toml")
    rig.write(probe("a"))
    await rig.start()
    rig.told()
    try:
        yield rig
    finally:
        rig.probe.GO.set()
        await rig.stop()
        for task in rig.reloader._draining:
            task.cancel()
        if rig.reloader._draining:
            await asyncio.wait(rig.reloader._draining)
        del sys.modules["tg_probe"]


# -- taken over -------------------------------------------------------------------------------------------------------


async def test_settings_and_interceptors_are_swapped_together_and_that_is_recorded(rig: Rig) -> None:
    before = rig.core.now
    rig.write(probe("a"), probe("b", denies=True), max_depth=20)
    done, logged = await rig.reload()
    assert done
    assert rig.core.now is not before
    assert rig.core.now.settings.proxy.max_depth == 20
    assert list(rig.instances()) == ["a", "b"]
    assert rig.told() == [("started", "b"), ("settings reloaded", "a"), ("settings reloaded", "b")]
    assert [line["event"] for line in logged] == ["the settings were reloaded"]
    decision = await rig.core.now.pipeline.judge(CALL, flow(CALL))
    assert decision.stopper is not None
    assert decision.stopper[0] == "b"


async def test_a_message_is_judged_by_one_set_of_interceptors_from_beginning_to_end(rig: Rig) -> None:
    rig.write(probe("a", waits=True), probe("b", denies=True))
    assert (await rig.reload())[0]
    rig.told()
    old = rig.core.now.pipeline
    judging = asyncio.create_task(old.judge(CALL, flow(CALL)))
    await until(lambda: ("waits", "a") in rig.told())
    rig.write()
    assert (await rig.reload())[0]
    assert (await rig.core.now.pipeline.judge(CALL, flow(CALL))).allowed
    rig.probe.GO.set()
    decision = await within(judging)
    assert decision.stopper is not None
    assert decision.stopper[0] == "b"


async def test_an_entry_that_did_not_change_keeps_its_instance_wherever_it_now_stands(rig: Rig) -> None:
    rig.write(probe("a"), probe("b"), probe("c"))
    await rig.reload()
    before = rig.instances()
    rig.told()
    rig.write(probe("c"), probe("b", denies=True), probe("a"), max_depth=20)
    assert (await rig.reload())[0]
    after = rig.instances()
    assert list(after) == ["c", "b", "a"]
    assert after["a"] is before["a"]
    assert after["c"] is before["c"]
    assert after["b"] is not before["b"]
    assert [what for what in rig.told() if what[0] == "started"] == [("started", "b")]


@pytest.mark.parametrize(
    "changed",
    [
        {"deadline": 1},
        {"servers": {"server": SERVERS["server"]}},
        {"servers": {**SERVERS, "other": {**SERVERS["other"], "trust": "high"}}},
        {"tables": {"auth": {"tokens": [{"name": "ann", "sha256": "0" * 64}]}}},
    ],
)
async def test_what_interceptors_were_told_at_their_start_is_told_anew_where_it_changed(
    rig: Rig, changed: dict[str, Any]
) -> None:
    before = rig.instances()
    rig.write(probe("a"), **changed)
    assert (await rig.reload())[0]
    assert rig.instances()["a"] is not before["a"]
    names = ("ann",) if "tables" in changed else ()
    assert ("started", "a", names) in rig.probe.TOLD


async def test_a_new_token_of_a_known_principal_changes_no_interceptor(rig: Rig) -> None:
    for digest in ("0", "1"):
        before = rig.instances()
        rig.write(probe("a"), tables={"auth": {"tokens": [{"name": "ann", "sha256": digest * 64}]}})
        assert (await rig.reload())[0]
    assert rig.instances()["a"] is before["a"]


def test_what_was_taken_away_or_replaced_is_shut_down_once_and_not_before_its_messages_had_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        Install(tmp_path, monkeypatch)("tg_probe", PROBE, "probe = tg_probe:Probe")
        __import__("tg_probe")
        rig = Rig(tmp_path / "tidegate.toml")
        rig.write(probe("kept"), probe("changed"), probe("gone"))
        await rig.start()
        rig.write(probe("kept"), probe("changed", denies=True))
        assert (await rig.reload())[0]
        assert not [what for what in rig.told() if what[0] == "stopped"]
        rig.write(probe("kept"))  # again, before the first is drained
        assert (await rig.reload())[0]
        await asyncio.wait(rig.reloader._draining)
        stopped = sorted(tag for what, tag in rig.told() if what == "stopped")
        assert stopped == ["changed", "changed", "gone"]
        await rig.stop()
        assert rig.told() == [("stopped", "kept")]

    fast(run())
    del sys.modules["tg_probe"]


# -- not taken over ---------------------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any] | str | None, str]] = [
    (None, "no such file"),
    ("[proxy", "not TOML"),
    ("a = 1", "a: there is no such setting"),
    ({"listen": "127.0.0.1:9"}, "proxy.listen can't change while Tidegate runs; restart it"),
    ({"admin": "127.0.0.1:0"}, "proxy.admin can't change while Tidegate runs; restart it"),
    ({"tables": {"session": {"ttl": 5}}}, "session.ttl can't change while Tidegate runs; restart it"),
    ({"interceptors": [{"use": "nowhere"}]}, "interceptors: 'nowhere' is not installed"),
    ({"interceptors": [probe("a", fails=True)]}, "interceptor 'a' can't start: it won't"),
    ({"interceptors": [probe("a"), probe("b"), probe("c", fails=True)]}, "interceptor 'c' can't start: it won't"),
    ({"interceptors": [probe("a", tagg=1)]}, "interceptor 'probe' has no setting 'tagg'"),
    (
        {"servers": {"server": {"url": "http://h/", "headers": {"A": "env:TIDEGATE_TEST_UNSET"}}}},
        "servers.server.headers.A: the environment variable TIDEGATE_TEST_UNSET is not set",
    ),
]


@pytest.mark.parametrize(("change", "why"), REFUSED, ids=[why for _, why in REFUSED])
async def test_settings_that_are_not_well_change_nothing_and_the_log_says_why(
    rig: Rig, change: dict[str, Any] | str | None, why: str
) -> None:
    entry = rig.begin()
    if change is None:
        rig.path.unlink()
    elif isinstance(change, str):
        rig.path.write_text(change)
    else:
        more = {key: value for key, value in change.items() if key != "interceptors"}
        rig.write(*change.get("interceptors", [probe("a")]), **more)
    assert why in await rig.refused()
    assert rig.found("server") is entry
    told = rig.told()
    assert {tag for what, tag in told if what == "started"} == {tag for what, tag in told if what == "stopped"}
    rig.write(probe("a"), probe("b"))
    assert (await rig.reload())[0]  # and once they are well, they are taken over


async def test_a_pipe_in_the_place_of_the_settings_is_not_waited_for(rig: Rig) -> None:
    rig.path.unlink()
    os.mkfifo(rig.path)
    assert await rig.refused() == f"{rig.path}: is no regular file"


async def test_without_a_file_there_is_nothing_to_reload(rig: Rig) -> None:
    rig.reloader = Reloader(rig.core, rig.sessions, None)
    done, logged = await rig.reload()
    assert not done
    assert [line["event"] for line in logged] == ["there is no settings file to read again"]


# -- what only clients see --------------------------------------------------------------------------------------------


async def test_another_prefix_ends_no_session_and_changes_no_interceptor(rig: Rig) -> None:
    entry, before, pool = rig.begin(), rig.instances(), rig.sessions.fleet.pool("server")
    rig.write(probe("a"), servers={**SERVERS, "server": {**SERVERS["server"], "prefix": "s_"}})
    assert (await rig.reload())[0]
    assert rig.core.now.settings.servers["server"].prefix == "s_"
    assert rig.sessions.fleet.pool("server") is pool
    assert rig.found("server") is entry
    assert rig.instances()["a"] is before["a"]


# -- sessions ---------------------------------------------------------------------------------------------------------


async def test_sessions_of_changed_and_removed_servers_end_and_the_others_go_on(rig: Rig) -> None:
    third = {"third": {"url": "http://127.0.0.1:3/mcp"}}
    rig.write(servers={**SERVERS, **third})
    await rig.reload()
    entries = {name: rig.begin(name) for name in ("server", "other", "third")}
    shared = {name: rig.sessions.stateless(name, ANN) for name in entries}
    rig.write(servers={"server": SERVERS["server"], "other": {"url": "http://127.0.0.1:9/mcp"}})
    assert (await rig.reload())[0]
    assert rig.found("server") is entries["server"]
    assert rig.sessions.stateless("server", ANN) is shared["server"]
    assert rig.found("other") is None
    assert rig.found("third") is None
    assert rig.sessions.stateless("other", ANN) is not shared["other"]
    closed = [entries["other"], entries["third"], shared["other"], shared["third"]]
    assert all(entry.relay.over.is_set() for entry in closed)
    assert not entries["server"].relay.over.is_set()


async def test_the_sessions_of_whose_token_is_for_another_profile_now_end(rig: Rig) -> None:
    profiles = {"work": {"servers": ["server"]}, "play": {"servers": ["server"]}}
    for profile, ends in (("work", False), ("work", False), ("play", True)):
        entry = rig.begin()
        token = {"name": "ann", "sha256": "0" * 64, "profile": profile}
        rig.write(tables={"profiles": profiles, "auth": {"tokens": [token]}})
        assert (await rig.reload())[0]
        assert entry.relay.over.is_set() == ends
        rig.sessions._open.clear()


async def test_a_session_that_ended_sends_nothing_more_even_if_its_client_is_still_there(rig: Rig) -> None:
    entry = rig.begin()
    rig.write(servers={"other": SERVERS["other"]})
    assert (await rig.reload())[0]
    assert isinstance(entry.relay, Relay)
    with pytest.raises(Unavailable, match="was closed"):
        await within(entry.relay.upstream.send(CALL, Context()))


async def test_what_begins_while_old_sessions_are_closed_is_not_closed_with_them(rig: Rig) -> None:
    leaving = asyncio.Event()

    async def slow_to_end(exchange: Exchange) -> None:
        leaving.set()
        await within(exchange.gone.wait())

    async with ScriptedServer(slow_to_end) as server:
        rig.write(servers={"server": {"url": server.url}})
        await rig.reload()
        old = rig.begin()
        old.relay.upstream._session_id = "s"  # type: ignore[attr-defined]  # as after an initialize
        rig.write(servers={"server": {"url": server.url, "labels": ["changed"]}})
        reloading = asyncio.create_task(rig.reload())
        await within(leaving.wait())
        new, shared = rig.begin(), rig.sessions.stateless("server", ANN)
        assert (await within(reloading))[0]
        assert rig.found("server") is new
        assert not new.relay.over.is_set()
        assert not shared.relay.over.is_set()
        assert old.relay.over.is_set()


async def test_a_session_that_began_before_and_is_agreed_on_after_a_change_is_refused(rig: Rig) -> None:
    changing, staying = rig.sessions.new("other", ANN), rig.sessions.new("server", ANN)
    rig.write(servers={**SERVERS, "other": {"url": "http://127.0.0.1:9/mcp"}})
    assert (await rig.reload())[0]
    with pytest.raises(Unavailable, match="were changed"):
        rig.sessions.register("other", changing, "x")
    rig.sessions.register("server", staying, "y")


async def test_a_server_that_was_taken_away_since_a_request_came_is_said_so(rig: Rig) -> None:
    rig.write(servers={**SERVERS, "process": {"command": [sys.executable]}})
    assert (await rig.reload())[0]
    begun = rig.sessions.new("process", ANN)
    rig.write()
    assert (await rig.reload())[0]
    for work in (rig.sessions.new, rig.sessions.stateless):
        with pytest.raises(Unavailable, match="There is no server 'process' any more"):
            work("process", ANN)
    with pytest.raises(Unavailable, match="There is no server 'process' any more"):
        rig.sessions.register("process", begun, "x")
    assert isinstance(begun.relay, Relay)
    with pytest.raises(Unavailable, match="There is no server 'process' any more"):
        await within(begun.relay.upstream.send(CALL, Context()))


# -- when -------------------------------------------------------------------------------------------------------------


async def reloaded(rig: Rig) -> None:
    before = rig.core.now
    await until(lambda: rig.core.now is not before)


async def test_a_signal_reloads_and_many_at_once_reload_once_more_at_most(rig: Rig) -> None:
    async with rig.reloader.running(watch=False):
        rig.write(probe("b"))
        os.kill(os.getpid(), signal.SIGHUP)
        await reloaded(rig)
        assert list(rig.instances()) == ["b"]
        rig.told()
        for _ in range(20):
            os.kill(os.getpid(), signal.SIGHUP)
        await reloaded(rig)
        assert rig.told().count(("settings reloaded", "b")) <= 2
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


async def test_a_watched_file_is_reloaded_when_it_changes_or_is_replaced_or_comes_back(rig: Rig) -> None:
    async with rig.reloader.running(watch=True):
        await asyncio.sleep(0)
        for number, way in enumerate(("in place", "replaced", "removed")):
            if way == "replaced":
                fresh = rig.path.with_name("fresh.toml")
                rig.path, there = fresh, rig.path
                rig.write(probe(f"p{number}"))
                rig.path = fresh.replace(there)
            else:
                if way == "removed":
                    rig.path.unlink()
                rig.write(probe(f"p{number}"))
            await reloaded(rig)
            assert list(rig.instances()) == [f"p{number}"]


async def test_an_interceptor_that_fails_in_an_unknown_way_does_not_end_the_reloading(rig: Rig) -> None:
    with capture_logs() as logged:
        async with rig.reloader.running(watch=False):
            rig.write(probe("b", odd=True))
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: logged)
            rig.write(probe("c"))
            os.kill(os.getpid(), signal.SIGHUP)
            await reloaded(rig)
    assert list(rig.instances()) == ["c"]
    assert (logged[0]["log_level"], logged[0]["error"]) == ("error", "Odd")


async def test_stopping_shuts_down_what_was_still_to_be_drained(rig: Rig) -> None:
    async with rig.reloader.running(watch=False):
        rig.write(probe("b"))
        await rig.reload()
        assert ("stopped", "a") not in rig.told()
    assert rig.told() == [("stopped", "a")]


# -- secrets ----------------------------------------------------------------------------------------------------------

WITH_SECRET = {**SERVERS, "server": {**SERVERS["server"], "headers": {"Authorization": "Bearer secret:a"}}}


@pytest.mark.requirement("secrets-stay-in")
async def test_changed_secrets_end_the_sessions_of_their_server_and_are_told_to_interceptors(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.write(probe("a"), servers=WITH_SECRET, tables={"secrets": {"stores": [{"use": "env"}]}})
    _, logged = await rig.reload()
    assert "the secret a is not set" in next(line["reason"] for line in logged if line["log_level"] == "warning")
    monkeypatch.setenv("TIDEGATE_SECRET_A", "the first one")
    await rig.reload()
    rig.begin()
    rig.begin("other")
    rig.told()
    await rig.reload()
    assert rig.found("server") is not None
    assert ("started", "a") not in rig.told()
    monkeypatch.setenv("TIDEGATE_SECRET_A", "the second one")
    _, logged = await rig.reload()
    assert logged[-1]["closed"] == ["server"]
    assert (rig.found("server"), rig.found("other") is None) == (None, False)
    assert ("started", "a") in rig.told()
    assert rig.core.now.pipeline.secrets.values() == ("the second one",)


async def test_a_store_that_is_down_leaves_what_is_known(rig: Rig) -> None:
    vault = {"use": "vault", "address": "http://127.0.0.1:1", "token": "env:PATH"}
    rig.write(probe("a"), servers=WITH_SECRET, tables={"secrets": {"stores": [vault]}})
    assert (await rig.refused()).startswith("the secret store 'vault': Vault can't be reached")
