"""How effects combine, and what the sender of a stopped message is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.testing import request
from tidegate.verdict import CODES, Decision, Deny, Effect, Hold, Note, Redact, denial, rpc_error, stopper, verdict_of

effects = st.lists(
    st.one_of(
        st.builds(Deny, st.text(max_size=5)),
        st.builds(Hold, st.text(max_size=5)),
        st.builds(Redact, st.just("/params/a")),
    ),
    max_size=5,
).map(lambda found: tuple((f"i{number}", effect) for number, effect in enumerate(found)))


@given(effects)
@pytest.mark.requirement("deny-wins")
def test_denies_beat_holds_and_holds_beat_redactions_and_silence_passes(given_: tuple[tuple[str, Effect], ...]) -> None:
    kinds = {type(effect) for _, effect in given_}
    strongest = next((kind for kind in (Deny, Hold, Redact) if kind in kinds), None)
    assert verdict_of(given_) == {Deny: "deny", Hold: "hold", Redact: "redact", None: "allow"}[strongest]
    decision = Decision("d", None, given_, verdict=verdict_of(given_))
    assert decision.allowed == (strongest in (None, Redact))
    assert decision.stopper == stopper(given_) == next(
        (item for item in given_ if type(item[1]) is strongest), None
    ) or (strongest in (None, Redact) and decision.stopper is None)


def test_the_codes_of_tidegate_lie_outside_of_what_is_reserved() -> None:
    borrowed = {"parse": -32700, "invalid": -32600, "method": -32601, "meta": -32602, "cursor": -32602}
    borrowed |= {"unknown": -32602, "state": -32602, "version": -32022, "header": -32020}
    for code, (number, meaning) in CODES.items():
        assert meaning.endswith(".")
        if code in borrowed:
            assert number == borrowed[code]
        else:
            assert not -32768 <= number <= -32000
    own = [number for code, (number, _) in CODES.items() if code not in borrowed]
    assert len(set(own)) == len(own)


def denied(effect: Deny | Hold) -> Decision:
    return Decision("d-1", None, (("lists", effect),), verdict="deny" if isinstance(effect, Deny) else "hold")


@pytest.mark.parametrize("identity", ["a", 1, None])
def test_an_error_says_why_and_which_decision(identity: Any) -> None:
    assert rpc_error(denied(Deny("Not this one.", "denied", "no-delete")), identity) == {
        "jsonrpc": "2.0",
        "id": identity,
        "error": {
            "code": -31403,
            "message": "Not this one.",
            "data": {"decision": "d-1", "rule": "no-delete", "code": "denied"},
        },
    }
    assert rpc_error(denied(Hold("Ask.")), 1)["error"]["data"] == {"decision": "d-1", "rule": "lists", "code": "held"}


@pytest.mark.parametrize("modern", [False, True])
def test_a_denied_tool_call_is_answered_as_the_settings_say(modern: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    call = request("tools/call", {"name": "add"}, id="x")
    decision = denied(Deny("Not this one."))
    result = denial(decision, call, as_result=True, modern=modern)
    assert result["id"] == "x"
    assert result["result"]["isError"] is True
    assert "Not this one." in result["result"]["content"][0]["text"]
    assert ("resultType" in result["result"]) == modern
    assert "error" in denial(decision, call, as_result=False, modern=modern)
    assert "error" in denial(decision, request("resources/read", {"uri": "a"}), as_result=True, modern=modern)


@pytest.mark.parametrize(
    "parts", [{"text": 1}, {"text": "\ud800"}, {"labels": ["a"]}, {"labels": (1,)}, {"detail": b"bytes"}], ids=str
)
def test_a_note_of_the_wrong_parts_is_refused_where_it_is_made(parts: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Note(**parts)
