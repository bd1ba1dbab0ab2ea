"""What clients of both eras have in common at the gateway: names, profiles, who is apart from whom, and reloads."""

import asyncio
import dataclasses
import json
from typing import Any

import pytest

from support.gateways import CI, DEV, gateway, names, said
from support.mortal import mortal
from support.pipes import denying, is_denied
from support.rig import Witness, entry
from support.toys import LEGACY, Toy, text
from support.web import Exchange, until, within
from tidegate import Message, methods

CLIENTS = [LEGACY, methods.MODERN]
both = pytest.mark.parametrize("version", CLIENTS)


# -- names ------------------------------------------------------------------------------------------------------------


@both
async def test_a_tool_is_listed_by_the_name_by_which_it_is_called_and_the_server_hears_its_own(version: str) -> None:
    plain, short, bare = Toy("plain", "add"), Toy("short", "add"), Toy("bare", "sum")
    short.more, bare.more = {"prefix": "s_"}, {"prefix": ""}
    async with gateway(toys=[plain, short, bare]) as made:
        talk = await made.client(version)
        assert await talk.listed() == ["plain__add", "s_add", "sum"]
        assert [said(await talk.call(name)) for name in ("plain__add", "s_add", "sum")] == [
            "plain: add {}",
            "short: add {}",
            "bare: sum {}",
        ]
        for name in (
            "add",
            "bare__sum",
            "short__add",
            "PLAIN__add",
            "plain_add",
            "plain__",
            "__add",
            " plain__add",
            "",
        ):
            assert "error" in await talk.call(name), name
        for toy in (plain, short):
            assert [tree["params"]["name"] for tree in toy.asked("tools/call")] == ["add"]


@both
@pytest.mark.parametrize(
    ("clash", "shown"),
    [("prefix", ["one__add", "sub", "two__add"]), ("first", ["add", "sub", "two__add"]), ("hide", ["sub"])],
)
async def test_a_clash_of_names_is_settled_by_the_rule_of_the_settings(
    version: str, clash: str, shown: list[str]
) -> None:
    bare = {"prefix": ""}
    one, two = Toy("one", "add", "sub", settings=bare), Toy("two", "add", settings=bare)
    async with gateway(toys=[one, two], gateway={"clash": clash}) as made:
        talk = await made.client(version)
        assert sorted(await talk.listed()) == sorted(shown)
        for name in shown:
            server = "two" if name == "two__add" else "one"
            assert said(await talk.call(name)) == f"{server}: {name.removeprefix(f'{server}__')} {{}}"
        if clash != "first":
            assert "error" in await talk.call("add")


@both
async def test_prompts_and_their_completions_have_names_of_the_gateways_too(version: str) -> None:
    one, two = Toy("one", prompts=[{"name": "greet"}]), Toy("two", prompts=[{"name": "greet"}])
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        assert await talk.listed("prompts") == ["one__greet", "two__greet"]
        found = await talk.ask("prompts/get", name="two__greet")
        assert found["result"]["messages"][0]["content"]["text"] == "two: greet"
        ref = {"type": "ref/prompt", "name": "one__greet"}
        await talk.ask("completion/complete", ref=ref, argument={"name": "a", "value": ""})
        assert one.asked("completion/complete")[0]["params"]["ref"] == {"type": "ref/prompt", "name": "greet"}


@both
async def test_what_is_judged_of_a_call_has_the_servers_own_name_and_server(version: str) -> None:
    witness = Witness()
    async with gateway(witness.entry(), toys=[Toy("one", "add"), Toy("two", "add")]) as made:
        talk = await made.client(version)
        await talk.call("two__add", a=1)
        calls = [
            (flow.server.name, message.tree.get("params", {}).get("name"))
            for flow, message in zip(witness.flows, witness.decided, strict=True)
            if message.method == "tools/call" and message.kind == "request"
        ]
        assert calls == [("two", "add")]


# -- profiles ---------------------------------------------------------------------------------------------------------

WORK = {"work": {"servers": ["files", "time"], "tools": ["files/read_*", "time/now"]}}


def office() -> list[Toy]:
    files = Toy("files", "read_all", "read_one", "delete_all", settings={"prefix": "f_"})
    return [files, Toy("time", "now", "set", settings={"prefix": ""}), Toy("bank", "pay", prompts=[{"name": "beg"}])]


@both
@pytest.mark.requirement("names-lead-back")
async def test_what_is_not_in_a_profile_is_neither_listed_nor_called_by_any_spelling(version: str) -> None:
    toys = office()
    async with gateway(toys=toys, profiles=WORK) as made:
        talk = await made.client(version, profile="work")
        assert await talk.listed() == ["f_read_all", "f_read_one", "now"]
        assert said(await talk.call("f_read_all")) == "files: read_all {}"
        others = [
            "f_delete_all",
            "files__delete_all",
            "delete_all",
            "set",
            "time__set",
            "bank__pay",
            "pay",
            "f_f_read_all",
        ]
        for name in [*others, "F_delete_all", "f_delete_all ", "read_all/../delete_all", "f_read_all\u200b"]:
            assert is_denied(await talk.call(name), "unknown"), name
        for name in ("bank__beg", "beg"):
            assert "error" in await talk.ask("prompts/get", name=name)
        called = [tree["params"]["name"] for toy in toys for tree in toy.asked("tools/call")]
        assert called == ["read_all"]
        assert toys[2].got == [], "a server that isn't in the profile hears nothing of its clients"


@both
async def test_the_profile_of_a_message_is_in_what_interceptors_are_told(version: str) -> None:
    witness = Witness()
    async with gateway(witness.entry(), toys=office(), profiles=WORK) as made:
        talk = await made.client(version, profile="work")
        await talk.call("now")
        assert {flow.profile for flow in witness.flows} == {"work"}


# -- who is apart from whom -------------------------------------------------------------------------------------------


@pytest.mark.requirement("principals-apart")
async def test_lists_of_one_principal_are_never_anothers() -> None:
    def transform(message: Message, flow: Any) -> Message | None:
        if message.kind != "result" or message.method != "tools/list" or flow.principal.name == "ci":
            return None
        return message.replace("/result/tools", [], label="hidden")

    for version in CLIENTS:
        async with gateway(entry(transform=transform), toys=[Toy("one", "add"), Toy("two", "sub")]) as made:
            ci, dev = await made.client(version, CI), await made.client(version, DEV)
            for _ in range(2):
                assert await ci.listed() == ["one__add", "two__sub"]
                assert await dev.listed() == []


@pytest.mark.requirement("principals-apart")
async def test_a_session_is_nobodys_but_its_principals() -> None:
    async with gateway(toys=[Toy("one", "add")]) as made:
        talk = await made.session(CI)
        assert made.sessions.find("/", talk.identity, CI) is talk.entry
        assert made.sessions.find("/", talk.identity, DEV) is None
        assert made.sessions.find("/work", talk.identity, CI) is None


@pytest.mark.requirement("principals-apart")
@both
async def test_links_that_one_principal_was_shown_lead_nobody_else_anywhere(version: str) -> None:
    async def linking(exchange: Exchange) -> None:
        link = {"type": "resource_link", "uri": "secret://of-ci", "name": "it"}
        await toys[0].result(exchange, {"content": [link]})

    toys = [
        Toy("one", "find", resources=[], answers={"tools/call": linking}),
        Toy("two", "add", resources=[{"uri": "a://b", "name": "b"}]),
    ]
    async with gateway(toys=toys) as made:
        ci, dev = await made.client(version, CI), await made.client(version, DEV)
        await ci.call("one__find")
        assert "result" in await ci.ask("resources/read", uri="secret://of-ci")
        assert "error" in await dev.ask("resources/read", uri="secret://of-ci")
        assert len(toys[0].asked("resources/read")) == 1


@pytest.mark.requirement("principals-apart")
async def test_a_servers_own_words_for_one_session_reach_no_other() -> None:
    toy = Toy("one", "add")
    async with gateway(toys=[toy]) as made:
        ci, dev = await made.session(CI), await made.session(DEV)
        listening = [asyncio.create_task(talk.own()) for talk in (ci, dev)]
        await until(lambda: len(toy.streams) == 2)
        await toy.streams[0].event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "first"}})
        await toy.streams[1].event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "second"}})
        heard = {(await within(task))["params"]["data"] for task in listening}
        assert heard == {"first", "second"}


@pytest.mark.requirement("principals-apart")
@pytest.mark.requirement("instances-apart")
@pytest.mark.parametrize(("share", "apart"), [("principal", True), ("all", False)])
@both
async def test_two_principals_have_one_instance_of_a_server_only_where_the_settings_say_so(
    version: str,
    share: str,
    apart: bool,  # noqa: FBT001 - pytest passes by name
) -> None:
    async with gateway(toys=[], servers={"m": mortal(share=share)}) as made:
        pids = [(await (await made.client(version, who)).call("m__echo"))["result"]["pid"] for who in (CI, DEV, CI)]
        assert (pids[0] != pids[1]) is apart
        assert pids[0] == pids[2]


# -- what servers do --------------------------------------------------------------------------------------------------


@both
async def test_two_servers_requests_with_the_same_ids_and_tokens_are_told_apart(version: str) -> None:
    release = asyncio.Event()

    def working(toy: str, steps: int) -> Any:
        async def work(exchange: Exchange) -> None:
            tree = exchange.json
            token = tree["params"]["_meta"]["progressToken"]
            await exchange.stream()
            for step in range(steps):
                params = {"progressToken": token, "progress": step, "message": toy}
                await exchange.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
            await release.wait()
            more = {"resultType": "complete"} if version == methods.MODERN else {}
            await exchange.event({"jsonrpc": "2.0", "id": tree["id"], "result": {**text(toy), **more}})

        return work

    one, two = (Toy(name, "work", version=version, answers={"tools/call": working(name, 3)}) for name in ("one", "two"))
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)

        def asked(server: str, identity: int) -> dict[str, Any]:
            return talk.request("tools/call", identity, name=f"{server}__work", _meta={"progressToken": f"t{identity}"})

        tasks = [asyncio.create_task(talk.send(asked(name, at))) for at, name in enumerate(("one", "two"), 1)]
        await until(lambda: one.asked("tools/call") and two.asked("tools/call"))
        release.set()
        for at, (name, task) in enumerate(zip(("one", "two"), tasks, strict=True), 1):
            *steps, last = await within(task)
            assert [step["params"]["message"] for step in steps] == [name] * 3
            assert {step["params"]["progressToken"] for step in steps} == {f"t{at}"}
            assert last["id"] == at
            assert said(last) == name


async def test_a_server_cant_speak_of_a_request_that_another_server_works_on() -> None:
    release = asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        await release.wait()
        await exchange.result(text("mine"))

    async def lying(exchange: Exchange) -> None:
        await exchange.stream()
        params = {"progressToken": "t1", "progress": 1, "message": "a lie"}
        await exchange.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
        await exchange.event({"jsonrpc": "2.0", "id": 1, "result": text("a lie")})
        await exchange.event({"jsonrpc": "2.0", "id": exchange.json["id"], "result": text("true")})

    one, two = Toy("one", "a", answers={"tools/call": slow}), Toy("two", "b", answers={"tools/call": lying})
    async with gateway(toys=[one, two]) as made:
        talk = await made.session()
        waiting = asyncio.create_task(
            talk.send(talk.request("tools/call", 1, name="one__a", _meta={"progressToken": "t1"}))
        )
        await until(lambda: one.asked("tools/call"))
        told = await talk.send(talk.request("tools/call", 2, name="two__b"))
        assert [each.get("id") for each in told if "result" in each] == [2]
        assert all("a lie" not in json.dumps(each) for each in told)
        release.set()
        assert said((await within(waiting))[-1]) == "mine"


async def test_a_cancellation_reaches_the_server_that_works_on_the_request_and_no_other() -> None:
    async def never(exchange: Exchange) -> None:
        await exchange.gone.wait()

    one, two = Toy("one", "a", answers={"tools/call": never}), Toy("two", "b")
    async with gateway(toys=[one, two]) as made:
        talk = await made.session()
        waiting = asyncio.create_task(talk.send(talk.request("tools/call", 7, name="one__a")))
        await until(lambda: one.asked("tools/call"))
        await talk.tell("notifications/cancelled", requestId=7)
        assert [tree["params"]["requestId"] for tree in one.asked("notifications/cancelled")] == [7]
        assert two.asked("notifications/cancelled") == []
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


@both
async def test_a_server_that_crashes_is_named_when_it_is_called_and_the_next_call_works(version: str) -> None:
    one, two = Toy("one", "a"), Toy("two", "b")
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        await talk.call("one__a")
        one.down = True
        assert is_denied(await talk.call("one__a"), "unavailable")
        assert said(await talk.call("two__b")) == "two: b {}"
        listed = await talk.ask("tools/list")
        assert names(listed) == ["two__b"]
        one.down = False
        assert said(await talk.call("one__a")) == "one: a {}"
        assert await talk.listed() == ["one__a", "two__b"]


@both
@pytest.mark.requirement("no-audit-no-traffic")
async def test_what_the_gateway_puts_together_is_not_sent_where_its_record_cant_be_written(version: str) -> None:
    def observe(decision: Any, _: Any) -> None:
        message = decision.message
        if message is not None and message.kind == "result" and message.method == "tools/list" and failing:
            raise OSError("disk full")

    failing: list[bool] = []
    async with gateway(entry({"required": True}, observe=observe), toys=[Toy("one", "add"), Toy("two", "b")]) as made:
        talk = await made.client(version)
        assert await talk.listed() == ["one__add", "two__b"]
        failing.append(True)
        reply = await talk.ask("tools/list")
        assert is_denied(reply, "unrecorded") or reply["result"]["tools"] == []


@both
async def test_a_list_that_is_put_together_has_a_record_with_the_digest_of_what_is_sent(version: str) -> None:
    witness = Witness()
    async with gateway(witness.entry(), toys=[Toy("one", "add"), Toy("two", "b")]) as made:
        talk = await made.client(version)
        await talk.listed()
        recorded = {decision.message.encoded for decision in witness.recorded if decision.message and decision.allowed}
        assert talk.sent[-1] in recorded


async def test_a_list_of_a_server_that_is_denied_is_missing_and_the_others_are_served() -> None:
    def decide(message: Message, flow: Any, _: Any) -> Any:
        return inner["decide"](message, flow, ()) if flow.server.name == "two" else None

    inner, _ = denying("tools/list")
    async with gateway(entry(decide=decide), toys=[Toy("one", "add"), Toy("two", "b")]) as made:
        talk = await made.session()
        reply = await talk.ask("tools/list")
        assert names(reply) == ["one__add"]
        assert [each["server"] for each in reply["result"]["_meta"]["io.tidegate/missing"]] == ["two"]


def test_principals_of_these_tests_differ() -> None:
    assert dataclasses.replace(CI, name="dev").name == DEV.name
