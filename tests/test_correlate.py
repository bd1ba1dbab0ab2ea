"""Which requests are open, and whose: the table of one direction, and the ids of many clients on one instance."""

from typing import Any

import pytest

from tidegate import correlate
from tidegate.correlate import MAX_ANSWERED, MAX_OPEN, Open, Remap, Table, key_of
from tidegate.message import Id, Message
from tidegate.methods import SUBSCRIPTION_KEY
from tidegate.testing import error_of, notification, parse, request, result_of
from tidegate.wire import Rejected


def asked(identity: Id = 1, token: Any = None, method: str = "tools/call") -> Message:
    meta = {} if token is None else {"_meta": {"progressToken": token}}
    return request(method, {"name": "add", **meta}, id=identity)


def progress(token: Any) -> Message:
    return notification("notifications/progress", {"progressToken": token, "progress": 1}, sender="server")


def cancelled(identity: Any) -> Message:
    return notification("notifications/cancelled", {"requestId": identity})


def opened(table: Table, *identities: Id) -> list[Open]:
    return [table.open(asked(identity), f"flow-{identity!r}") for identity in identities]


# -- the table ------------------------------------------------------------------------------------------------------


def test_a_reply_is_told_the_method_of_its_request_and_closes_it() -> None:
    table = Table()
    (entry,) = opened(table, 7)
    reply, found = table.answer(parse('{"jsonrpc":"2.0","id":7,"result":{}}', "server"))
    assert (reply.method, found, len(table)) == ("tools/call", entry, 0)


@pytest.mark.parametrize(("one", "other"), [(1, "1"), (0, ""), (-1, "-1"), (10**30, str(10**30))])
def test_an_integer_and_the_string_that_reads_like_it_are_two_ids(one: Id, other: Id) -> None:
    table = Table()
    first, second = opened(table, one, other)
    assert table.answer(result_of(first.request, {}))[1] is first
    assert table.find(one) is None
    assert table.answer(result_of(second.request, {}))[1] is second


def test_a_second_request_of_the_same_id_is_refused_and_the_first_stays_open() -> None:
    table = Table()
    (entry,) = opened(table, "a")
    with pytest.raises(Rejected) as caught:
        table.open(asked("a"), "other")
    assert caught.value.code == "unsolicited"
    assert caught.value.id is None  # an error under that id would answer the first
    assert table.find("a") is entry


@pytest.mark.parametrize("reply", [result_of(asked(2), {}), error_of(asked(2)), result_of(asked("1"), {})])
def test_a_reply_that_answers_no_open_request_is_refused(reply: Message) -> None:
    table = Table()
    opened(table, 1)
    with pytest.raises(Rejected) as caught:
        table.answer(reply)
    assert (caught.value.code, caught.value.id, len(table)) == ("unsolicited", None, 1)


def test_an_error_without_an_id_answers_nothing() -> None:
    table = Table()
    opened(table, 1)
    with pytest.raises(Rejected, match="no open request"):
        table.answer(parse('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}', "server"))


def test_a_second_reply_to_the_same_request_is_refused() -> None:
    table = Table()
    (entry,) = opened(table, 1)
    table.answer(result_of(entry.request, {}))
    for again in (False, True):  # not even a stream that repeats itself may bring it, where it had no event ids
        with pytest.raises(Rejected):
            table.answer(result_of(entry.request, {}), again=again)


def test_a_reply_of_a_resumable_stream_may_come_again_on_a_stream_that_repeats_and_on_no_other() -> None:
    table = Table()
    (entry,) = opened(table, 1)
    entry.replayable = True
    table.answer(result_of(entry.request, {}))
    assert table.answer(result_of(entry.request, {}), again=True)[1] is entry
    assert table.answer(result_of(entry.request, {}), again=True)[0].method == "tools/call"
    with pytest.raises(Rejected):
        table.answer(result_of(entry.request, {}))


def test_a_replayed_reply_never_answers_a_newer_request_of_its_id() -> None:
    table = Table()
    (entry,) = opened(table, 1)
    entry.replayable = True
    table.answer(result_of(entry.request, {}))
    (newer,) = opened(table, 1)
    assert table.answer(result_of(entry.request, {}), again=True)[1] is newer
    with pytest.raises(Rejected):  # the newer one isn't replayable, and the older one is forgotten
        table.answer(result_of(entry.request, {}), again=True)


def test_only_the_latest_answered_requests_are_remembered() -> None:
    table = Table()
    for entry in opened(table, *range(MAX_ANSWERED + 1)):
        entry.replayable = True
        table.answer(result_of(entry.request, {}))
    with pytest.raises(Rejected):
        table.answer(result_of(asked(0), {}), again=True)
    assert table.answer(result_of(asked(1), {}), again=True)[1].request.id == 1


def test_a_cancelled_request_may_still_be_answered() -> None:
    table = Table()
    (entry,) = opened(table, 1)
    assert table.cancel(cancelled(1)) is entry
    assert entry.cancelled
    assert table.answer(result_of(entry.request, {}))[1] is entry


@pytest.mark.parametrize("identity", ["1", 2, None, 1.0, True, [1], {"id": 1}])
def test_what_cancels_no_open_request_changes_nothing(identity: Any) -> None:
    table = Table()
    (entry,) = opened(table, 1)
    assert table.cancel(cancelled(identity)) is None
    assert not entry.cancelled


def test_progress_belongs_to_the_request_that_asked_for_it_as_long_as_that_is_open() -> None:
    table = Table()
    entry = table.open(asked(1, "t"), "flow")
    assert table.progress(progress("t")) is entry
    for other in ("T", 1, None, True, ["t"]):
        assert table.progress(progress(other)) is None
    assert table.progress(notification("notifications/message", {"progressToken": "t"}, sender="server")) is None
    table.answer(result_of(entry.request, {}))
    assert table.progress(progress("t")) is None


@pytest.mark.parametrize("closes_first", [1, 2])
def test_of_two_requests_with_one_token_the_later_has_the_progress_until_it_closes(closes_first: int) -> None:
    table = Table()
    table.open(asked(1, "t"), "one")
    later = table.open(asked(2, "t"), "two")
    assert table.progress(progress("t")) is later
    table.drop(closes_first)
    assert table.progress(progress("t")) is (later if closes_first == 1 else None)
    table.drop(3 - closes_first)
    assert not table._tokens


def test_dropping_what_is_not_open_does_nothing() -> None:
    table = Table()
    (entry,) = opened(table, 1)
    assert table.drop(None) is None
    assert table.drop("1") is None
    assert table.drop(1) is entry
    assert table.drop(1) is None


def test_no_more_requests_are_open_than_the_bound_and_cancelled_ones_make_room() -> None:
    table = Table()
    opened(table, *range(MAX_OPEN))
    with pytest.raises(Rejected) as caught:
        table.open(asked("one too many"), "flow")
    assert (caught.value.code, caught.value.id) == ("limit", "one too many")
    table.cancel(cancelled(5))
    table.cancel(cancelled(6))
    opened(table, "one more")
    assert len(table) == MAX_OPEN - 1
    assert table.find(5) is None
    assert [entry.request.id for entry in table.entries()][-1] == "one more"


# -- the ids of many clients on one instance --------------------------------------------------------------------------


def test_requests_of_the_same_id_and_token_get_different_ones_of_the_same_types() -> None:
    remap = Remap()
    given: list[tuple[Id, Id]] = [(1, "t"), (1, "t"), ("1", 5), ("1", 5)]
    out = [remap.outward(asked(identity, token)) for identity, token in given]
    assert [type(message.id) for message in out] == [int, int, str, str]
    tokens = [correlate.progress_token(message) for message in out]
    assert [type(token) for token in tokens] == [str, str, int, int]
    assert len({key_of(message.id) for message in out if message.id is not None}) == 4
    assert len({key_of(token) for token in tokens if token is not None}) == 4


def test_what_is_judged_and_sent_has_the_minted_id_and_nothing_else_changed() -> None:
    original = request("tools/call", {"name": "x", "_meta": {"progressToken": "t", "a": 1}}, id="mine", extra=1)
    sent = Remap().outward(original)
    assert parse(sent.encoded).tree == {
        **original.tree,
        "id": sent.id,
        "params": {"name": "x", "_meta": {"progressToken": correlate.progress_token(sent), "a": 1}},
    }
    assert original.id == "mine"
    assert correlate.progress_token(original) == "t"


def test_replies_progress_and_subscriptions_come_back_under_the_clients_own_ids() -> None:
    remap = Remap()
    sent = remap.outward(asked("mine", 9))
    assert remap.inward(result_of(sent, {"a": 1})).tree == {"jsonrpc": "2.0", "id": "mine", "result": {"a": 1}}
    assert remap.inward(error_of(sent)).id == "mine"
    told = remap.inward(progress(correlate.progress_token(sent)))
    assert told.get("/params/progressToken") == 9
    tagged = notification("notifications/tools/list_changed", {"_meta": {SUBSCRIPTION_KEY: sent.id}})
    assert correlate.subscription_id(remap.inward(tagged)) == "mine"
    assert correlate.subscription_id(remap.inward(result_of(sent, {"_meta": {SUBSCRIPTION_KEY: sent.id}}))) == "mine"


@pytest.mark.parametrize(
    "message",
    [
        progress("t1"),
        progress(1),
        notification("notifications/message", {"progressToken": 1}, sender="server"),
        request("sampling/createMessage", {}, id=1),
        result_of(asked(3), {"_meta": {SUBSCRIPTION_KEY: 3}}),
        result_of(asked("1"), []),
        parse('{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}', "server"),
    ],
)
def test_ids_that_were_never_minted_stay_as_they_are(message: Message) -> None:
    remap = Remap()
    remap.outward(asked(7))  # is 1 on the wire, and has no token
    assert remap.inward(message).encoded == message.encoded


def test_a_closed_request_leaves_nothing_behind_even_if_a_transform_took_its_token() -> None:
    remap = Remap()
    sent = remap.outward(asked(1, "t"))
    remap.forget(sent.replace("/params", {"name": "add"}, label="no _meta"))
    assert not remap._ids
    assert not remap._tokens
    other = remap.outward(asked(1, "t"))
    remap.forget(other)
    remap.forget(other)  # twice does no harm
    assert not remap._ids
    assert not remap._tokens


def test_a_late_reply_to_a_forgotten_request_is_given_to_no_other() -> None:
    remap = Remap()
    first = remap.outward(asked(1, "t"))
    remap.forget(first)
    second = remap.outward(asked(1, "t"))
    assert second.id != first.id
    assert remap.inward(result_of(first, {})).id == first.id
    assert remap.inward(progress(correlate.progress_token(first))).tree["params"]["progressToken"] != "t"
