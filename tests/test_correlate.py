"""Which requests are open: against a simple model, and through a mapping of ids that must never mix two up."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tidegate import correlate
from tidegate.correlate import MAX_ANSWERED, MAX_OPEN, Remap, Table
from tidegate.message import Id, Message
from tidegate.methods import SUBSCRIPTION_KEY
from tidegate.testing import notification, parse, request
from tidegate.wire import Rejected

# Few enough to meet again, of both types, and each with a twin of the other type.
ids = st.sampled_from([0, 1, 2, "0", "1", "2", "", "a"])
tokens = st.one_of(st.none(), ids)


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


class Tables(RuleBasedStateMachine):
    """A table beside a plain dict that says what must be open."""

    @initialize()
    def start(self) -> None:
        self.table = Table()
        self.open: dict[tuple[type, Id], str] = {}  # by id: the flow
        self.tokens: dict[tuple[type, Id], tuple[type, Id]] = {}
        self.answered: dict[tuple[type, Id], str] = {}
        self.cancelled: set[tuple[type, Id]] = set()
        self.flows = 0

    def gone(self, key: tuple[type, Id]) -> None:
        del self.open[key]
        self.cancelled.discard(key)
        self.tokens = {token: owner for token, owner in self.tokens.items() if owner != key}

    @rule(identity=ids, token=tokens)
    def ask(self, identity: Id, token: Id | None) -> None:
        key = (type(identity), identity)
        if token is not None and (type(token), token) in self.tokens:
            token = None  # tokens are unique among open requests (MCP 2025-11-25, progress)
        if key in self.open:
            with pytest.raises(Rejected) as caught:
                self.table.open(asking(identity, token), "x")
            assert caught.value.code == "unsolicited"
            assert caught.value.id is None
            return
        self.flows += 1
        entry = self.table.open(asking(identity, token), f"f{self.flows}", owner=self)
        entry.replayable = self.flows % 2 == 0
        self.open[key] = f"f{self.flows}"
        self.answered.pop(key, None)
        if token is not None:
            self.tokens[type(token), token] = key

    @rule(identity=st.one_of(st.none(), ids), again=st.booleans())
    def reply(self, identity: Id | None, again: bool) -> None:  # noqa: FBT001 - Hypothesis calls it
        key = (type(identity), identity)
        wanted = self.open.get(key) or (self.answered.get(key) if again else None)  # type: ignore[arg-type]  # None is no key
        if wanted is None:
            with pytest.raises(Rejected) as caught:
                self.table.answer(replying(identity), again=again)
            assert (caught.value.code, caught.value.id) == ("unsolicited", None)
            return
        told, entry = self.table.answer(replying(identity), again=again)
        assert entry.flow_id == wanted
        assert told.method == "tools/call"
        if key in self.open:
            assert identity is not None
            replayable = int(wanted[1:]) % 2 == 0
            self.gone((type(identity), identity))
            if replayable:
                self.answered[type(identity), identity] = wanted

    @rule(identity=ids)
    def drop(self, identity: Id) -> None:
        key = (type(identity), identity)
        entry = self.table.drop(identity)
        assert (entry.flow_id if entry else None) == self.open.get(key)
        if key in self.open:
            if int(self.open[key][1:]) % 2 == 0:
                self.answered[key] = self.open[key]
            self.gone(key)

    @rule(identity=st.one_of(ids, st.sampled_from([None, True, 1.5, [1], {"a": 1}])))
    def cancel(self, identity: Any) -> None:
        entry = self.table.cancel(cancelling(identity))
        key = (type(identity), identity) if isinstance(identity, str | int) else None
        assert (entry.flow_id if entry else None) == (self.open.get(key) if key and key[0] is not bool else None)
        if entry is not None and key is not None:
            self.cancelled.add(key)

    @rule(token=st.one_of(ids, st.sampled_from([None, True, 1.5, [1], {"a": 1}])))
    def progress(self, token: Any) -> None:
        entry = self.table.progress(progressing(token))
        owner = self.tokens.get((type(token), token)) if isinstance(token, str | int) else None
        assert (entry.flow_id if entry else None) == (self.open[owner] if owner else None)

    @precondition(lambda self: len(self.open) > 4)
    @rule()
    def clear(self) -> None:
        assert [entry.flow_id for entry in self.table.clear()] == list(self.open.values())
        self.open.clear()
        self.tokens.clear()
        self.cancelled.clear()

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "table"):
            return
        assert len(self.table) == len(self.open)
        assert [entry.flow_id for entry in self.table.entries()] == list(self.open.values())
        for (_, identity), flow in self.open.items():
            entry = self.table.find(identity)
            assert entry is not None
            assert (entry.flow_id, entry.cancelled) == (flow, (type(identity), identity) in self.cancelled)


TestTables = Tables.TestCase
TestTables.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


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


def test_what_was_answered_is_remembered_for_a_while_only() -> None:
    table = Table()
    for number in range(MAX_ANSWERED + 1):
        table.open(asking(number), f"f{number}").replayable = True
        table.answer(replying(number))
    assert table.answer(replying(1), again=True)[1].flow_id == "f1"
    with pytest.raises(Rejected):
        table.answer(replying(0), again=True)


# -- mapped ids -----------------------------------------------------------------------------------------------


class Remaps(RuleBasedStateMachine):
    """Many clients on one instance, each with ids that others have too: whatever comes back is the right one's."""

    @initialize()
    def start(self) -> None:
        self.remap = Remap()
        self.open: list[tuple[Message, Message]] = []  # as the client knows it, as the server does
        self.minted: set[tuple[type, Id]] = set()
        self.closed: list[Message] = []

    @rule(identity=ids, token=tokens)
    def ask(self, identity: Id, token: Id | None) -> None:
        mine = asking(identity, token)
        sent = self.remap.outward(mine)
        assert sent.id is not None
        assert type(sent.id) is type(identity)
        assert (type(sent.id), sent.id) not in self.minted, "an id was minted twice"
        self.minted.add((type(sent.id), sent.id))
        sent_token = correlate.progress_token(sent)
        assert type(sent_token) is type(token)
        if sent_token is not None:
            assert (type(sent_token), sent_token) not in self.minted
            self.minted.add((type(sent_token), sent_token))
        assert json.loads(sent.encoded)["id"] == sent.id
        assert sent.method == mine.method
        self.open.append((mine, sent))

    @precondition(lambda self: self.open)
    @rule(source=st.data())
    def reply(self, source: st.DataObject) -> None:
        mine, sent = source.draw(st.sampled_from(self.open))
        back = self.remap.inward(replying(sent.id, "x"))
        assert type(back.id) is type(mine.id)
        assert back.id == mine.id == json.loads(back.encoded)["id"]
        self.remap.forget(sent)
        self.open.remove((mine, sent))
        self.closed.append(sent)

    @precondition(lambda self: self.closed)
    @rule(source=st.data())
    def reply_late(self, source: st.DataObject) -> None:
        sent = source.draw(st.sampled_from(self.closed))
        back = self.remap.inward(replying(sent.id))
        assert back.id == sent.id, "a closed request's id must not become an open one's"

    @precondition(lambda self: self.open)
    @rule(source=st.data())
    def progress(self, source: st.DataObject) -> None:
        mine, sent = source.draw(st.sampled_from(self.open))
        token = correlate.progress_token(sent)
        if token is not None:
            back = self.remap.inward(progressing(token))
            assert correlate.token_of(back) == correlate.progress_token(mine)
            assert type(correlate.token_of(back)) is type(correlate.progress_token(mine))

    @precondition(lambda self: self.open)
    @rule(source=st.data(), in_result=st.booleans())
    def subscription(self, source: st.DataObject, in_result: bool) -> None:  # noqa: FBT001 - Hypothesis calls it
        mine, sent = source.draw(st.sampled_from(self.open))
        tag = {"_meta": {SUBSCRIPTION_KEY: sent.id}}
        tree: dict[str, Any] = (
            {"id": sent.id, "result": tag} if in_result else {"method": "notifications/x", "params": tag}
        )
        back = self.remap.inward(parse(json.dumps({"jsonrpc": "2.0", **tree}), "server"))
        assert correlate.subscription_id(back) == mine.id
        assert type(correlate.subscription_id(back)) is type(mine.id)

    @invariant()
    def nothing_is_kept(self) -> None:
        if hasattr(self, "remap"):
            assert len(self.remap._ids) == len(self.open)


TestRemaps = Remaps.TestCase
TestRemaps.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


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
