"""What sidecars tell becomes a record, and is answered with whether it did."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.rig import Witness, running_core
from tidegate import Decision, Flow
from tidegate.egress_notes import EgressNotes
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.http1 import HttpClient
from tidegate.flow import Principal
from tidegate.flows import Core
from tidegate.servers import Starter

if TYPE_CHECKING:
    from tidegate.containers.client import LauncherClient

INSTANCE = "0123456789ab"
SECRET = "sk-Very-Secret-Value-1"
SERVERS = {"files": {"image": f"sha256:{1:064x}", "egress": ["api.test:443"], "env": {"API_KEY": SECRET}}}


class Answers:
    """Takes the answers that are for the launcher."""

    def __init__(self) -> None:
        self.given: asyncio.Queue[tuple[str, int, bool]] = asyncio.Queue()

    def recorded(self, instance: str, number: int, *, ok: bool) -> None:
        self.given.put_nowait((instance, number, ok))


def told(**more: Any) -> dict[str, Any]:
    event: dict[str, Any] = {"event": "egress", "server": "files", "instance": INSTANCE, "n": 7, "verdict": "allow"}
    event |= {"how": "proxy", "host": "api.test", "port": 443, "address": "192.0.2.7", "reason": "allowed"}
    return event | {"sent": 0, "received": 0, "omitted": 0} | more


def notes_of(core: Core) -> tuple[EgressNotes, Answers]:
    answers = Answers()
    core.boxes = cast("LauncherClient", answers)  # all that is asked of it here
    return EgressNotes(core), answers


class Log:
    """Keeps what is observed, or fails to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.kept: list[tuple[Decision, Flow]] = []
        self._fails = fails

    def observe(self, decision: Decision, flow: Flow) -> None:
        if self._fails:
            raise OSError
        self.kept.append((decision, flow))


@pytest.mark.parametrize(
    ("event", "verdict", "target", "note", "size"),
    [
        (told(), "allow", "api.test:443", f"instance {INSTANCE}, address 192.0.2.7, by the proxy: allowed", 0),
        (
            told(verdict="closed", reason="closed", how="name", sent=3, received=40),
            "allow",
            "api.test:443",
            f"instance {INSTANCE}, address 192.0.2.7, by its name: ended (closed), 3 bytes sent, 40 received",
            43,
        ),
        (
            told(verdict="deny", host="evil.test", address="", reason="no"),
            "deny",
            "evil.test:443",
            f"instance {INSTANCE}, by the proxy: no",
            0,
        ),
        (
            told(verdict="deny", host="2600::1", address="", reason="no"),
            "deny",
            "[2600::1]:443",
            f"instance {INSTANCE}, by the proxy: no",
            0,
        ),
        (
            told(verdict="deny", host="evil.test", port=0, address="", how="dns", reason="no"),
            "deny",
            "evil.test",
            f"instance {INSTANCE}, looked up: no",
            0,
        ),
        (
            told(verdict="deny", host="", port=0, address="", how="", reason="too many", omitted=12),
            "deny",
            "",
            f"instance {INSTANCE}: 12 more refused, too many",
            0,
        ),
    ],
)
async def test_each_is_one_event_with_its_host_and_a_sentence(
    event: dict[str, Any], verdict: str, target: str, note: str, size: int
) -> None:
    log = Log()
    async with running_core(({"observe": log.observe}, {"required": True}), servers=SERVERS) as core:
        notes, answers = notes_of(core)
        notes.hear(event)
        assert await answers.given.get() == (INSTANCE, 7, True)
    ((decision, flow),) = log.kept
    assert (decision.event, decision.verdict, decision.note, decision.size) == ("egress", verdict, note, size)
    assert [each.name for each in flow.targets] == ([target] if target else [])
    assert (flow.server.name, flow.server.kind) == ("files", "container")


@pytest.mark.requirement("no-audit-no-traffic")
@pytest.mark.parametrize("verdict", ["allow", "deny", "closed"])
async def test_what_cant_be_recorded_is_answered_with_no(verdict: str) -> None:
    async with running_core(({"observe": Log(fails=True).observe}, {"required": True}), servers=SERVERS) as core:
        notes, answers = notes_of(core)
        notes.hear(told(verdict=verdict))
        assert await answers.given.get() == (INSTANCE, 7, False)


async def test_a_server_that_is_no_more_in_the_settings_connects_to_nothing() -> None:
    async with running_core(Witness().entry()) as core:
        notes, answers = notes_of(core)
        notes.hear(told())
        assert await answers.given.get() == (INSTANCE, 7, False)


async def test_other_news_of_the_launchers_is_let_be() -> None:
    async with running_core(Witness().entry()) as core:
        notes, answers = notes_of(core)
        notes.hear({"event": "something else"})
        await asyncio.sleep(0)
        assert answers.given.empty()


async def test_it_is_the_principals_on_whose_behalf_the_instance_runs() -> None:
    log = Log()
    client = HttpClient()
    async with running_core(({"observe": log.observe}, {}), servers=SERVERS) as core:
        notes, answers = notes_of(core)
        starter = Starter(core, "files", Principal("ci", "token"), client)
        pipe = ContainerPipe("files", cast("LauncherClient", answers))
        notes.watch(pipe, starter)
        notes.hear(told(instance=pipe.instance))
        await answers.given.get()
    await client.close()
    assert [flow.principal.name for _, flow in log.kept] == ["ci"]


@pytest.mark.requirement("secrets-stay-in")
async def test_a_secret_that_a_server_puts_into_a_name_is_masked() -> None:
    log = Log()
    async with running_core(({"observe": log.observe}, {}), servers=SERVERS) as core:
        notes, answers = notes_of(core)
        notes.hear(told(verdict="deny", host=f"{SECRET.lower()}.evil.test", reason="no"))
        await answers.given.get()
    ((decision, flow),) = log.kept
    assert SECRET.lower() not in repr((decision, flow.targets)).lower()
    assert flow.targets[0].name == "[masked]:443"
