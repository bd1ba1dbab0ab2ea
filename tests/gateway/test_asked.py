"""What servers ask one client: each question leads back to who asked it, whatever ids the servers chose."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate import wire
from tidegate.correlate import key_of
from tidegate.gateway.asked import MAX_ASKED, Asked
from tidegate.wire import Rejected

ids = st.one_of(st.integers(0, 3), st.sampled_from(["0", "1", "a", "g1"]))


def message(sender: Any, **tree: Any) -> Any:
    return wire.classify({"jsonrpc": "2.0", **tree}, sender)


def question(identity: Any, token: Any = None) -> Any:
    params = {} if token is None else {"_meta": {"progressToken": token}}
    return message("server", id=identity, method="roots/list", params=params)


def reply(identity: Any) -> Any:
    return message("client", id=identity, result={})


@given(st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), ids, st.none() | ids), max_size=30))
@pytest.mark.requirement("names-lead-back")
def test_every_answer_and_all_progress_lead_back_to_who_asked(asked: list[tuple[str, Any, Any]]) -> None:
    table: Asked[str] = Asked()
    minted = [table.mint(peer, question(identity, token)) for peer, identity, token in asked]
    assert len({(type(each.id), each.id) for each in minted}) == len(minted)
    tokens = [each.meta["progressToken"] for each in minted if "progressToken" in each.meta]
    assert len({key_of(token) for token in tokens}) == len(tokens)
    for (peer, identity, token), shown in zip(asked, minted, strict=True):
        assert type(shown.id) is type(identity)
        if token is not None:
            told = message(
                "client", method="notifications/progress", params={"progressToken": shown.meta["progressToken"]}
            )
            who, theirs = table.progress(told)
            assert (who, key_of(theirs.tree["params"]["progressToken"])) == (peer, key_of(token))
        who, theirs = table.answered(reply(shown.id))
        assert (who, type(theirs.id), theirs.id) == (peer, type(identity), identity)
        with pytest.raises(Rejected, match="no open request"):
            table.answered(reply(shown.id))
    assert len(table) == 0


def test_a_cancellation_has_the_id_that_the_client_knows_and_only_of_the_servers_own_question() -> None:
    table: Asked[str] = Asked()
    first, second = table.mint("one", question(1)), table.mint("two", question(1))
    cancel = message("server", method="notifications/cancelled", params={"requestId": 1})
    for peer, shown in (("one", first), ("two", second)):
        found = table.cancelled(peer, cancel)
        assert found is not None
        assert found.tree["params"]["requestId"] == shown.id
    assert table.cancelled("three", cancel) is None
    other = message("server", method="notifications/cancelled", params={"requestId": "1"})
    assert table.cancelled("one", other) is None


def test_what_a_server_asked_that_has_gone_is_nobodys() -> None:
    table: Asked[str] = Asked()
    gone, kept = table.mint("one", question(1, 5)), table.mint("two", question(1, 5))
    table.forget("one")
    with pytest.raises(Rejected):
        table.answered(reply(gone.id))
    told = message("client", method="notifications/progress", params={"progressToken": gone.meta["progressToken"]})
    with pytest.raises(Rejected):
        table.progress(told)
    assert table.answered(reply(kept.id))[0] == "two"


def test_progress_that_names_no_token_is_refused() -> None:
    table: Asked[str] = Asked()
    for params in ({}, {"progressToken": 7}, {"progressToken": None}, {"progressToken": [1]}):
        with pytest.raises(Rejected):
            table.progress(message("client", method="notifications/progress", params=params))


def test_the_oldest_of_who_asked_most_makes_room_so_that_a_flood_costs_its_sender_alone() -> None:
    table: Asked[str] = Asked()
    calm = table.mint("calm", question(1))
    flood = [table.mint("loud", question(number)) for number in range(MAX_ASKED + 10)]
    assert len(table) == MAX_ASKED
    assert table.answered(reply(calm.id))[0] == "calm"
    with pytest.raises(Rejected):
        table.answered(reply(flood[0].id))
    assert table.answered(reply(flood[-1].id))[0] == "loud"
