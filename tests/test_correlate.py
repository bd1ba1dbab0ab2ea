"""Which requests are open: the bounds. The rest is in ``properties/test_correlate_machine.py``."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate import correlate
from tidegate.correlate import MAX_ANSWERED, MAX_OPEN, Remap, Table
from tidegate.message import Id, Message
from tidegate.testing import notification, parse, request
from tidegate.wire import Rejected


def asking(identity: Id, token: Id | None = None, method: str = "tools/call") -> Message:
    params: dict[str, Any] = {"name": "add"}
    if token is not None:
        params["_meta"] = {"progressToken": token}
    return request(method, params, id=identity, sender="client")


def replying(identity: Id | None, said: Any = None) -> Message:
    said_so = {"result": {"said": said}} if identity is not None else {"error": {"code": 1, "message": "no"}}
    return parse(json.dumps({"jsonrpc": "2.0", "id": identity, **said_so}), "server")


def cancelling(identity: Any) -> Message:
    return notification("notifications/cancelled", {"requestId": identity}, sender="client")


def progressing(token: Any) -> Message:
    return notification("notifications/progress", {"progressToken": token, "progress": 1}, sender="server")


def test_a_table_is_bounded_and_cancelled_requests_make_room() -> None:
    table = Table()
    for number in range(MAX_OPEN):
        table.open(asking(number), "f")
    with pytest.raises(Rejected) as caught:
        table.open(asking(MAX_OPEN), "f")
    assert (caught.value.code, caught.value.id) == ("limit", MAX_OPEN)
    table.cancel(cancelling(5))
    table.open(asking(MAX_OPEN), "f")
    assert table.find(5) is None
    assert len(table) == MAX_OPEN


def test_a_cancelled_request_is_not_waited_for() -> None:
    table = Table()
    said = [table.waiting]
    for number in (1, 2):
        table.open(asking(number), "f")
    for number in (1, 2):
        said.append(table.waiting)
        table.cancel(cancelling(number))
    assert [*said, table.waiting] == [False, True, True, False]
    assert len(table) == 2


def test_what_was_answered_is_remembered_for_a_while_only() -> None:
    table = Table()
    for number in range(MAX_ANSWERED + 1):
        table.open(asking(number), f"f{number}").replayable = True
        table.answer(replying(number))
    assert table.answer(replying(1), again=True)[1].flow_id == "f1"
    with pytest.raises(Rejected):
        table.answer(replying(0), again=True)


def test_progress_that_comes_again_is_of_the_request_that_was_answered() -> None:
    table = Table()
    table.open(asking(1, "p"), "first").replayable = True
    table.open(asking(2, 1), "other").replayable = True
    table.answer(replying(1))
    table.answer(replying(2))
    assert table.progress(progressing("p")) is None
    about = table.progress(progressing("p"), again=True)
    assert about is not None
    assert about.flow_id == "first"
    table.open(asking(3, "p"), "later")
    about = table.progress(progressing("p"), again=True)
    assert about is not None
    assert about.flow_id == "later"
    assert table.progress(progressing("1"), again=True) is None


@given(st.dictionaries(st.text(max_size=3), st.integers(), max_size=3))
def test_what_is_not_mapped_stays_as_it_is(params: dict[str, int]) -> None:
    message = notification("notifications/vendor/x", params, sender="server")
    assert Remap().inward(message) is message


@pytest.mark.parametrize("value", [None, True, 1.5, [1], {"a": 1}])
def test_what_is_no_id_is_none(value: Any) -> None:
    assert correlate.cancelled_id(cancelling(value)) is None
    assert correlate.token_of(progressing(value)) is None
    assert correlate.progress_token(request("x", {"_meta": {"progressToken": value}})) is None
    assert correlate.progress_token(request("x", {"_meta": value})) is None
