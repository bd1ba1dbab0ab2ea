"""Whose a request is: by name, by URI, by template, by task; and whose what nobody, or everybody, has."""

from typing import Any

import pytest

from support.gateways import gateway, said
from support.pipes import is_denied
from support.toys import LEGACY, Toy
from support.web import Exchange
from tidegate import methods

both = pytest.mark.parametrize("version", [LEGACY, methods.MODERN])


def resource(uri: str) -> dict[str, Any]:
    return {"uri": uri, "name": uri}


def template(text: str) -> dict[str, Any]:
    return {"uriTemplate": text, "name": text}


def library(**answers: Any) -> tuple[Toy, Toy]:
    """Two servers: one URI is the first's, one the second's, one both's; each has a template."""
    one = Toy(
        "one", "find", resources=[resource("a://1"), resource("all://x")], resourceTemplates=[template("a://{n}")]
    )
    two = Toy("two", resources=[resource("b://1"), resource("all://x")], resourceTemplates=[template("b://{n}")])
    one.answers = answers
    return one, two


@both
async def test_a_resource_is_read_where_it_is_listed_or_where_a_template_makes_it(version: str) -> None:
    one, two = library()
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        for uri, server in (("a://1", "one"), ("b://1", "two"), ("a://77", "one"), ("b://77", "two")):
            reply = await talk.ask("resources/read", uri=uri)
            assert reply["result"]["contents"] == [{"uri": uri, "text": f"of {server}"}]


@both
@pytest.mark.requirement("names-lead-back")
async def test_a_resource_that_several_servers_have_is_refused_with_their_names_and_nobody_is_asked(
    version: str,
) -> None:
    one, two = library()
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        reply = await talk.ask("resources/read", uri="all://x")
        assert is_denied(reply, "unknown")
        assert "one and two" in reply["error"]["message"]
        assert one.asked("resources/read") == two.asked("resources/read") == []


@both
async def test_a_resource_that_nobody_has_is_unknown_and_nobody_is_asked(version: str) -> None:
    one, two = library()
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        for uri in ("c://1", "", 7, None, ["a://1"]):
            assert is_denied(await talk.ask("resources/read", uri=uri), "unknown")
        assert one.asked("resources/read") == two.asked("resources/read") == []


@both
@pytest.mark.parametrize("what", ["tools/call", "prompts/get"])
async def test_a_link_in_a_result_leads_to_the_server_that_gave_it(version: str, what: str) -> None:
    link = {"type": "resource_link", "uri": "hidden://1", "name": "it"}

    async def linking(exchange: Exchange) -> None:
        message = {"role": "user", "content": link}
        await one.result(exchange, {"content": [link]} if what == "tools/call" else {"messages": [message]})

    one, two = library(**{what: linking})
    one.lists["prompts"] = [{"name": "find"}]
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        assert is_denied(await talk.ask("resources/read", uri="hidden://1"), "unknown")
        await talk.ask(what, name="one__find")
        assert (await talk.ask("resources/read", uri="hidden://1"))["result"]["contents"][0]["text"] == "of one"


@both
async def test_a_completion_is_asked_of_the_server_whose_template_it_is(version: str) -> None:
    one, two = library()
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        ref = {"type": "ref/resource", "uri": "b://{n}"}
        reply = await talk.ask("completion/complete", ref=ref, argument={"name": "n", "value": "1"})
        assert reply["result"]["completion"]["values"] == ["two"]
        for odd in ({"type": "ref/resource", "uri": "c://{n}"}, {"type": "ref/prompt", "name": "x"}, {}, 7, None):
            reply = await talk.ask("completion/complete", ref=odd, argument={"name": "n", "value": "1"})
            assert is_denied(reply, "unknown")


async def test_a_task_is_asked_after_at_the_server_that_began_it() -> None:
    async def begun(exchange: Exchange) -> None:
        await exchange.result({"task": {"taskId": "t1", "status": "working"}})

    one, two = Toy("one", "a"), Toy("two", "b", answers={"tools/call": begun})
    async with gateway(toys=[one, two]) as made:
        talk = await made.session()
        await talk.ask("tools/call", name="two__b", task={"ttl": 1000})
        assert "result" in await talk.ask("tasks/get", taskId="t1")
        assert [toy.asked("tasks/get") != [] for toy in (one, two)] == [False, True]
        for odd in ("t2", 7, None):
            assert is_denied(await talk.ask("tasks/get", taskId=odd), "unknown")
        assert is_denied(await (await made.session()).ask("tasks/get", taskId="t1"), "unknown")


@both
async def test_a_method_that_nobody_knows_goes_to_the_only_server_or_to_none(version: str) -> None:
    one, two = Toy("one", "a"), Toy("two", "b")
    async with gateway(toys=[one]) as made:
        talk = await made.client(version)
        assert (await talk.ask("vendor/thing", a=1))["id"]
        assert len(one.asked("vendor/thing")) == 1
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        assert "error" in await talk.ask("vendor/thing", a=1)
        assert len(one.asked("vendor/thing")) == 1
        assert two.asked("vendor/thing") == []


@both
@pytest.mark.parametrize("name", [7, None, ["one__find"], {"name": "one__find"}, True])
async def test_a_name_that_is_no_text_is_nobodys(version: str, name: Any) -> None:
    one, two = library()
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        assert is_denied(await talk.ask("tools/call", name=name), "unknown")
        assert is_denied(await talk.ask("prompts/get", name=name), "unknown")
        assert one.asked("tools/call") == []


@both
async def test_the_definition_of_a_tool_is_found_by_the_name_that_clients_know(version: str) -> None:
    one, two = Toy("one", "add"), Toy("two", "add")
    two.lists["tools"][0]["description"] = "The second's."
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        await talk.listed()
        found = talk.front.tools.get("two__add")
        assert found is not None
        assert found["description"] == "The second's."
        assert talk.front.tools.get("three__add") is None
        assert said(await talk.call("two__add")) == "two: add {}"


@both
async def test_a_resource_of_a_server_that_was_down_is_found_when_it_is_back(version: str) -> None:
    one, two = library()
    two.down = True
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        assert is_denied(await talk.ask("resources/read", uri="b://1"), "unknown")
        two.down = False
        assert (await talk.ask("resources/read", uri="b://1"))["result"]["contents"][0]["text"] == "of two"
