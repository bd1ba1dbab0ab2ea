"""What an older server asks while clients without sessions have several calls open that it may be about."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from support.gateways import Talk, gateway
from support.mortal import mortal
from support.web import until, within

YES = {"role": "assistant", "content": {"type": "text", "text": "yes"}, "model": "m"}


def called(talk: Talk, identity: int, name: str) -> asyncio.Task[Any]:
    """Call a tool, and go on."""
    tree = talk.request("tools/call", identity, name=f"m__{name}", arguments={"n": identity})
    return asyncio.create_task(talk.send(tree))


async def beside(talk: Talk, name: str) -> asyncio.Task[Any]:
    """Have a call open that isn't answered."""
    task = called(talk, 1, name)
    (peer,) = [await talk.front.peer("m", talk.meta()["_meta"])]
    await until(lambda: peer.busy)
    return task


async def left(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait((task,))


async def test_over_one_stream_it_is_refused_with_what_helps() -> None:
    async with gateway(toys=[], servers={"m": mortal()}) as made:
        made.sessions.shared.eras["m"] = "legacy"  # it answers whatever it is asked, server/discover too
        talk = made.stateless(declared={"sampling": {}})
        open_call = await beside(talk, "mute")
        with capture_logs() as logged:
            (reply,) = await within(called(talk, 2, "ask"))
        (heard,) = reply["result"]["heard"]
        assert 'share = "call"' in heard["error"]["message"]
        assert heard["error"]["data"]["code"] == "unsolicited"
        assert [line["server"] for line in logged if "refused" in line["event"]] == ["m"]
        await left(open_call)
        (asked,) = await within(called(talk, 3, "ask"))
        assert asked["result"]["resultType"] == "input_required"


@pytest.mark.parametrize("other", ["mute", "hang"])
async def test_with_an_instance_for_each_call_it_is_asked_of_the_one_whose_call_it_is(other: str) -> None:
    async with gateway(toys=[], servers={"m": mortal(share="call")}) as made:
        made.sessions.shared.eras["m"] = "legacy"
        talk = made.stateless(declared={"sampling": {}})
        open_call = await beside(talk, other)
        replies = [reply for (reply,) in await within(asyncio.gather(called(talk, 2, "ask"), called(talk, 3, "ask")))]
        for at, asked in enumerate(replies, 2):
            assert asked["result"]["resultType"] == "input_required"
            answers = {key: {**YES, "model": f"of {at}"} for key in asked["result"]["inputRequests"]}
            (done,) = await within(again(talk, at, answers, asked["result"]["requestState"]))
            assert done["result"]["heard"][-1]["result"]["model"] == f"of {at}"
        await left(open_call)


def again(talk: Talk, at: int, answers: Any, state: Any) -> asyncio.Task[Any]:
    """Come back with the answers, to the call of a number."""
    tree = talk.request(
        "tools/call", at + 10, name="m__ask", arguments={"n": at}, inputResponses=answers, requestState=state
    )
    return asyncio.create_task(talk.send(tree))
