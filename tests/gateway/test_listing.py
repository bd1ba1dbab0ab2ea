"""The lists of many servers as one: whole, in order, page by page, and honest about what is missing."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from support.gateways import CI, DEV, gateway, missing, names, said
from support.pipes import is_denied
from support.toys import LEGACY, Toy, tool
from support.web import Exchange, within
from tidegate import methods

both = pytest.mark.parametrize("version", [LEGACY, methods.MODERN])


def paged(member: str, pages: list[tuple[Any, Any]]) -> Any:
    """Return an answer in pages: for each, the items and the next cursor; the cursors asked for are its attribute."""
    asked: list[Any] = []

    async def answer(exchange: Exchange) -> None:
        cursor = exchange.json.get("params", {}).get("cursor")
        asked.append(cursor)
        items, following = pages[min(len(asked) - 1, len(pages) - 1)]
        more = {} if following is None else {"nextCursor": following}
        await exchange.result({member: items, **more})

    answer.asked = asked  # type: ignore[attr-defined]  # so that a test can look
    return answer


@both
async def test_all_pages_of_all_servers_make_one_list_in_the_order_of_the_settings(version: str) -> None:
    pages = [([tool("a"), tool("b")], ""), ([tool("c")], "x"), ([], "y"), ([tool("d")], None)]
    one = Toy("one", answers={"tools/list": paged("tools", pages)})
    two = Toy("two", "z", "y")
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        wanted = [f"one__{name}" for name in "abcd"] + ["two__z", "two__y"]
        assert await talk.listed() == wanted
        assert one.answers["tools/list"].asked == [None, "", "x", "y"]  # type: ignore[attr-defined]  # see paged


@both
async def test_pages_are_of_the_size_of_the_settings_and_cursors_lead_through_one_list(version: str) -> None:
    one, two = Toy("one", *[f"t{n}" for n in range(5)]), Toy("two", *[f"t{n}" for n in range(5)])
    async with gateway(toys=[one, two], gateway={"page": 4}) as made:
        talk = await made.client(version)
        first = await talk.ask("tools/list")
        assert len(names(first)) == 4
        one.lists["tools"] = []
        second = await talk.ask("tools/list", cursor=first["result"]["nextCursor"])
        third = await talk.ask("tools/list", cursor=second["result"]["nextCursor"])
        found = names(first) + names(second) + names(third)
        assert found == [f"{server}__t{n}" for server in ("one", "two") for n in range(5)]
        assert "nextCursor" not in third["result"]


@pytest.mark.requirement("principals-apart")
@both
async def test_cursors_are_good_for_whoever_got_them_and_their_list_only(version: str) -> None:
    toy = Toy("one", *"abcdef", prompts=[{"name": name} for name in "abcdef"])
    async with gateway(toys=[toy], gateway={"page": 2}, profiles={"work": {"servers": ["one"]}}) as made:
        talk = await made.client(version, CI)
        others = [await made.client(version, DEV), await made.client(version, CI, "work")]
        if version == LEGACY:
            others.append(await made.client(version, CI))
        cursor = (await talk.ask("tools/list"))["result"]["nextCursor"]
        for other in others:
            assert is_denied(await other.ask("tools/list", cursor=cursor), "cursor")
        assert is_denied(await talk.ask("prompts/list", cursor=cursor), "cursor")
        for odd in (cursor + "x", "", "x", 7):
            assert is_denied(await talk.ask("tools/list", cursor=odd), "cursor")
        assert len(names(await talk.ask("tools/list", cursor=cursor))) == 2


@both
@pytest.mark.parametrize(
    ("pages", "shown"),
    [
        ([([tool("a")], "again"), ([tool("b")], "again"), ([tool("c")], "again")], ["one__a", "one__b"]),
        ([([tool("a")], 7)], ["one__a"]),
        ([({"a": 1}, None)], []),
        ([(["a", "b"], None)], []),
        ([(None, None)], []),
        ([([tool("a")], "x"), ("odd", None)], ["one__a"]),
    ],
)
async def test_a_malformed_or_endless_list_is_cut_and_named_and_the_others_are_whole(
    version: str, pages: Any, shown: list[str]
) -> None:
    one, two = Toy("one", answers={"tools/list": paged("tools", pages)}), Toy("two", "z")
    async with gateway(toys=[one, two]) as made:
        talk = await made.client(version)
        with capture_logs():
            reply = await talk.ask("tools/list")
        assert names(reply) == [*shown, "two__z"]
        assert list(missing(reply)) == ["one"]
        assert said(await talk.call("two__z")) == "two: z {}"


@both
async def test_a_server_that_pages_forever_is_cut_at_the_limit_of_the_settings(version: str) -> None:
    numbers = iter(range(10**9))

    async def endless(exchange: Exchange) -> None:
        number = next(numbers)
        await exchange.result({"tools": [tool(f"t{number}_{n}") for n in range(10)], "nextCursor": str(number)})

    one, two = Toy("one", answers={"tools/list": endless}), Toy("two", "z")
    async with gateway(toys=[one, two], gateway={"max_items": 95}) as made:
        talk = await made.client(version)
        reply = await talk.ask("tools/list")
        assert len(names(reply)) == 96
        assert missing(reply) == {"one": "The list has more than 95 items."}
        assert len(one.asked("tools/list")) == 10


@both
async def test_a_server_that_pages_forever_without_items_or_slowly_is_cut_too(version: str) -> None:
    numbers = iter(range(10**9))

    async def empty(exchange: Exchange) -> None:
        await exchange.result({"tools": [], "nextCursor": str(next(numbers))})

    one, two = Toy("one", answers={"tools/list": empty}), Toy("two", "z")
    async with gateway(toys=[one, two], gateway={"patience": 0.5}) as made:
        talk = await made.client(version)
        reply = await within(talk.ask("tools/list"), 5)
        assert names(reply) == ["two__z"]
        assert list(missing(reply)) == ["one"]


@both
async def test_a_list_of_ten_thousand_tools_comes_in_pages_and_one_more_is_cut(version: str) -> None:
    one = Toy("one", *[f"t{n}" for n in range(10_001)])
    async with gateway(toys=[one, Toy("two", "z")], gateway={"page": 2000}) as made:
        talk = await made.client(version)
        first = await talk.ask("tools/list")
        assert missing(first) == {"one": "The list has more than 10000 items."}
        found = await talk.listed()
        assert found == [*[f"one__t{n}" for n in range(10_000)], "two__z"]


@both
async def test_a_list_that_a_server_does_not_answer_is_missing_after_the_patience_of_the_settings(version: str) -> None:
    async def never(exchange: Exchange) -> None:
        await exchange.gone.wait()

    one, two = Toy("one", "a", answers={"tools/list": never}), Toy("two", "z")
    async with gateway(toys=[one, two], gateway={"patience": 0.3}) as made:
        talk = await made.client(version)
        reply = await within(talk.ask("tools/list"), 5)
        assert names(reply) == ["two__z"]
        assert missing(reply) == {"one": "The server didn't answer within 0.3 seconds."}


@both
async def test_what_stands_twice_in_a_servers_list_is_served_once_and_the_last_counts(version: str) -> None:
    one = Toy("one")
    one.lists["tools"] = [tool("a", description="first"), tool("b"), tool("a", description="last"), {"name": 7}, {}]
    async with gateway(toys=[one]) as made:
        talk = await made.client(version)
        reply = await talk.ask("tools/list")
        assert [(item["name"], item.get("description")) for item in reply["result"]["tools"]] == [
            ("one__a", "last"),
            ("one__b", None),
        ]


@both
async def test_names_that_clients_would_refuse_a_list_for_are_not_served_and_the_log_says_so(version: str) -> None:
    one = Toy("one", "good", "has space", "x" * 130, "", "ümlaut")
    async with gateway(toys=[one]) as made:
        talk = await made.client(version)
        with capture_logs() as logged:
            assert await talk.listed() == ["one__good"]
            assert await talk.listed() == ["one__good"]
        told = [line["reason"] for line in logged if line["event"] == "a name is not as its server has it"]
        assert len(told) == 4


@both
async def test_a_server_that_refuses_a_list_it_says_it_has_is_named_unless_it_has_no_such_method(version: str) -> None:
    one = Toy("one", "a", capabilities={"tools": {}, "prompts": {}, "resources": {}})

    def refusing(code: int) -> Any:
        async def answer(exchange: Exchange) -> None:
            await one.error(exchange, code)

        return answer

    one.answers = {"prompts/list": refusing(-32601), "resources/list": refusing(-32000)}
    async with gateway(toys=[one, Toy("two", "z")]) as made:
        talk = await made.client(version)
        assert missing(await talk.ask("prompts/list")) == {}
        assert list(missing(await talk.ask("resources/list"))) == ["one"]


async def test_lists_asked_for_at_the_same_time_are_the_same() -> None:
    toys = [Toy(f"s{n}", "a", "b") for n in range(5)]
    async with gateway(toys=toys) as made:
        talk = await made.session()
        found = await within(asyncio.gather(*(talk.listed() for _ in range(10))))
        assert found == [[f"s{n}__{name}" for n in range(5) for name in "ab"]] * 10
