"""Correlation against models: one direction's table, and many clients on one instance with colliding ids."""

from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from tidegate import correlate
from tidegate.correlate import Remap, Table, key_of
from tidegate.message import Id, Message
from tidegate.methods import SUBSCRIPTION_KEY
from tidegate.testing import error_of, notification, request, result_of
from tidegate.wire import Rejected

# Few, so that they collide, and in both types, because 1 and "1" are two ids.
ids = st.sampled_from([1, "1", 2, "2", 0, "", "t1", "t2", 3])
tokens = st.one_of(st.none(), ids)
METHODS = ("tools/call", "tools/list", "ping")


def asking(identity: Id, token: Id | None, method: str = "tools/call") -> Message:
    return request(method, {} if token is None else {"_meta": {"progressToken": token}}, id=identity)


def reply_to(identity: Id, *, good: bool) -> Message:
    about = request("ping", id=identity)
    return result_of(about, {}) if good else error_of(about)


def progress(token: Id) -> Message:
    return notification("notifications/progress", {"progressToken": token, "progress": 1}, sender="server")


class Asked(NamedTuple):
    """What the model knows of an open request."""

    serial: int
    method: str
    token: Id | None


class TableMachine(RuleBasedStateMachine):
    """A table, beside a dict of what is open and a list of what may be replayed."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.open: dict[tuple[type, Id], Asked] = {}
        self.replayable: dict[tuple[type, Id], Asked] = {}
        self.reporting: dict[tuple[type, Id], int] = {}  # of each token, the latest request, while that is open
        self.cancelled: set[int] = set()
        self.resumable: set[int] = set()
        self.serial = 0

    def _closed(self, identity: Id) -> None:
        gone = self.open.pop(key_of(identity))
        if gone.serial in self.resumable:
            self.replayable[key_of(identity)] = gone
        if gone.token is not None and self.reporting.get(key_of(gone.token)) == gone.serial:
            del self.reporting[key_of(gone.token)]

    @rule(identity=ids, token=tokens, method=st.sampled_from(METHODS))
    def ask(self, identity: Id, token: Id | None, method: str) -> None:
        message = asking(identity, token, method)
        self.serial += 1
        if key_of(identity) in self.open:
            with pytest.raises(Rejected):
                self.table.open(message, "flow", self.serial)
            return
        entry = self.table.open(message, "flow", self.serial)
        assert (entry.request, entry.owner, entry.token) == (message, self.serial, token)
        self.open[key_of(identity)] = Asked(self.serial, method, token)
        self.replayable.pop(key_of(identity), None)
        if token is not None:
            self.reporting[key_of(token)] = self.serial

    @rule(identity=ids)
    def make_resumable(self, identity: Id) -> None:
        entry = self.table.find(identity)
        assert (entry is None) == (key_of(identity) not in self.open)
        if entry is not None:
            entry.replayable = True
            self.resumable.add(entry.owner)

    @rule(identity=ids, good=st.booleans(), again=st.booleans())
    def answer(self, identity: Id, *, good: bool, again: bool) -> None:
        known = self.open.get(key_of(identity))
        expected = known or (self.replayable.get(key_of(identity)) if again else None)
        if expected is None:
            with pytest.raises(Rejected):
                self.table.answer(reply_to(identity, good=good), again=again)
            return
        reply, entry = self.table.answer(reply_to(identity, good=good), again=again)
        assert (entry.owner, reply.method, reply.id) == (expected.serial, expected.method, identity)
        if known is not None:
            self._closed(identity)

    @rule(identity=ids)
    def drop(self, identity: Id) -> None:
        entry = self.table.drop(identity)
        assert (entry.owner if entry else None) == getattr(self.open.get(key_of(identity)), "serial", None)
        if entry is not None:
            self._closed(identity)

    @rule(identity=ids)
    def cancel(self, identity: Id) -> None:
        entry = self.table.cancel(notification("notifications/cancelled", {"requestId": identity}))
        assert (entry.owner if entry else None) == getattr(self.open.get(key_of(identity)), "serial", None)
        if entry is not None:
            self.cancelled.add(entry.owner)

    @rule(token=ids)
    def report(self, token: Id) -> None:
        entry = self.table.progress(progress(token))
        assert (entry.owner if entry else None) == self.reporting.get(key_of(token))

    @invariant()
    def what_is_open_is_what_the_model_says(self) -> None:
        assert len(self.table) == len(self.open)
        assert [entry.owner for entry in self.table.entries()] == [item.serial for item in self.open.values()]
        for entry in self.table.entries():
            assert entry.cancelled == (entry.owner in self.cancelled)

    @invariant()
    def no_token_outlives_its_request(self) -> None:
        assert set(self.table._tokens) == set(self.reporting)


class Sent(NamedTuple):
    """One client's request, as it and as the server know it."""

    client: str
    own: Message
    sent: Message


class RemapMachine(RuleBasedStateMachine):
    """Many clients on one instance. The server answers what it likes, and may mix up what it says."""

    requests: Bundle[Sent] = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.remap = Remap()
        self.open: dict[tuple[type, Id], Sent] = {}
        self.minted: set[tuple[type, Id]] = set()

    @rule(target=requests, client=st.sampled_from("abc"), identity=ids, token=tokens)
    def ask(self, client: str, identity: Id, token: Id | None) -> Sent:
        own = asking(identity, token)
        sent = self.remap.outward(own)
        for one, other in ((own.id, sent.id), (token, correlate.progress_token(sent))):
            assert type(one) is type(other)
            if other is not None:
                assert key_of(other) not in self.minted
                self.minted.add(key_of(other))
        assert sent.id is not None
        self.open[key_of(sent.id)] = made = Sent(client, own, sent)
        return made

    @rule(of=requests, tag=st.one_of(st.none(), requests), good=st.booleans())
    def reply(self, of: Sent, tag: Sent | None, *, good: bool) -> None:
        """A reply reaches its own client under its own id, and names no other client's request by that one's id."""
        assert of.sent.id is not None
        said = {} if tag is None else {"_meta": {SUBSCRIPTION_KEY: tag.sent.id}}
        told = self.remap.inward(result_of(of.sent, said) if good else error_of(of.sent, 1, "x"))
        known = key_of(of.sent.id) in self.open
        assert told.id == (of.own.id if known else of.sent.id)
        assert type(told.id) is type(of.own.id)
        if tag is not None and good:
            assert correlate.subscription_id(told) == (of.own.id if known and tag is of else tag.sent.id)

    @rule(of=requests, tag=st.one_of(st.none(), requests))
    def progresses(self, of: Sent, tag: Sent | None) -> None:
        token = correlate.progress_token(of.sent)
        if token is None or of.sent.id is None:
            return
        params = {"progressToken": token, "progress": 1, "_meta": {SUBSCRIPTION_KEY: tag.sent.id if tag else 0}}
        told = self.remap.inward(notification("notifications/progress", params, sender="server"))
        known = key_of(of.sent.id) in self.open
        assert correlate.token_of(told) == (correlate.progress_token(of.own) if known else token)
        if tag is not None:
            assert correlate.subscription_id(told) == (of.own.id if known and tag is of else tag.sent.id)

    @rule(of=requests)
    def notifies(self, of: Sent) -> None:
        assert of.sent.id is not None
        tagged = notification("notifications/tools/list_changed", {"_meta": {SUBSCRIPTION_KEY: of.sent.id}})
        told = self.remap.inward(tagged)
        assert correlate.subscription_id(told) == (of.own.id if key_of(of.sent.id) in self.open else of.sent.id)

    @rule(identity=ids)
    def speaks_of_ids_it_never_got(self, identity: Id) -> None:
        if key_of(identity) in self.minted:
            return
        tagged = notification("notifications/tools/list_changed", {"_meta": {SUBSCRIPTION_KEY: identity}})
        for message in (reply_to(identity, good=True), progress(identity), tagged):
            assert self.remap.inward(message).encoded == message.encoded

    @rule(of=requests, stripped=st.booleans())
    def close(self, of: Sent, *, stripped: bool) -> None:
        """A request is forgotten as it was judged, which a transform may have changed."""
        assert of.sent.id is not None
        judged = of.sent.replace("/params", {}, label="stripped") if stripped else of.sent
        self.remap.forget(judged)
        self.open.pop(key_of(of.sent.id), None)

    @invariant()
    def nothing_is_left_of_what_was_closed(self) -> None:
        assert set(self.remap._ids) == set(self.open)
        sent = [correlate.progress_token(item.sent) for item in self.open.values()]
        assert set(self.remap._tokens) == {key_of(token) for token in sent if token is not None}


OFTEN = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestTable, TestRemap = TableMachine.TestCase, RemapMachine.TestCase
TestTable.settings = TestRemap.settings = OFTEN
