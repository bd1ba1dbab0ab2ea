"""A secret that was found is nowhere in a record: not in a method, a target, a client, nor a key in a pointer."""

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.audit.building import call, decided, recorded
from tidegate import Client, Decision, Deny, Finding, Flow, Message
from tidegate.testing import flow, request, result_of
from tidegate_audit.record import Recorder
from tidegate_audit.words import MASK

KEY = "AKIAIOSFODNN7EXAMPLE"


def findings(message: Message, secret: str, *, spans: bool = True, kind: str = "secret") -> tuple[Any, ...]:
    """What an inspector reports that knows the secret: every string that holds it, keys too."""
    out = []
    for leaf in message.strings():
        at = leaf.value.find(secret)
        if at >= 0:
            out.append(("secrets", Finding(kind, "r", leaf.pointer, (at, at + len(secret)) if spans else None)))
    return tuple(out)


def text_of(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False)


Place = Literal["method", "target", "uri", "key", "deep key", "nested key", "client", "id", "value"]
PLACES: tuple[Place, ...] = ("method", "target", "uri", "key", "deep key", "nested key", "client", "id", "value")


def with_secret(secret: str, place: Place) -> tuple[Message, Flow]:
    holding: dict[str, dict[str, Any]] = {
        "key": {secret: "v"},
        "deep key": {"a": [{"x" + secret + "y": {"token": secret}}]},
        "nested key": {"body": json.dumps({"in": {secret: [secret]}})},
        "value": {"text": f"it is {secret}!"},
    }
    arguments = holding.get(place, {})
    identity = secret if place == "id" else 7
    info = {"name": f"app {secret}", "version": secret}
    message = {
        "method": request(f"x/{secret}", {}),
        "uri": request("resources/read", {"uri": f"https://h.example/?token={secret}"}),
        "client": request("initialize", {"clientInfo": info}),
    }.get(place) or request(
        "tools/call", {"name": secret if place == "target" else "t", "arguments": arguments}, id=identity
    )
    client = Client(f"app {secret}", secret) if place == "client" else Client("app", "1")
    return message, flow(message, client=client)


@pytest.mark.requirement("secrets-stay-in")
@pytest.mark.parametrize("spans", ["with span", "without span"])
@pytest.mark.parametrize("place", PLACES)
def test_a_secret_that_was_found_is_not_in_the_record_wherever_it_stood(place: Place, spans: str) -> None:
    message, about = with_secret(KEY, place)
    found = findings(message, KEY, spans=spans == "with span")
    assert found
    denied = decided(message, findings=found, effects=(("secrets", Deny("No.")),), verdict="deny")
    assert KEY not in text_of(recorded(denied, about))


@pytest.mark.requirement("secrets-stay-in")
@given(
    secret=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8, max_size=40),
    place=st.sampled_from(PLACES),
    spans=st.booleans(),
)
def test_no_secret_of_any_spelling_gets_into_a_record(secret: str, place: Place, *, spans: bool) -> None:
    message, about = with_secret("s3" + secret, place)
    secret = "s3" + secret
    record = recorded(decided(message, findings=findings(message, secret, spans=spans)), about)
    words = [record["method"], record["target"], *record["client"].values()]
    words += [
        token.replace("~1", "/").replace("~0", "~") for f in record["findings"] for token in f["pointer"].split("/")
    ]
    assert not any(secret in word for word in words if word)


def test_a_key_found_in_a_text_that_was_redacted_as_a_whole_is_masked() -> None:
    message = call(body=json.dumps({KEY: "v"}))
    found = findings(message, KEY)
    redacted = message.replace("/params/arguments/body", "[redacted:key]", label="key")
    record = recorded(decided(redacted, findings=found, verdict="redact"))
    assert KEY not in text_of(record)
    assert record["findings"][-1]["pointer"] == f"/params/arguments/body/~2/{MASK}"


def test_the_name_of_the_member_that_held_a_secret_is_kept_where_the_span_says_that_it_is_not_the_name() -> None:
    message = call(api_key=f"Bearer {KEY}")
    record = recorded(decided(message, findings=findings(message, KEY)))
    assert record["findings"][0]["pointer"] == "/params/arguments/api_key"


def test_what_held_a_secret_once_is_masked_in_later_records() -> None:
    recorder = Recorder()
    asked, about = with_secret(KEY, "uri")
    first = recorder.record(decided(asked, findings=findings(asked, KEY)), about)
    reply = recorder.record(decided(result_of(asked, {"contents": []})), flow(request=asked))
    assert first["target"] == reply["target"] == MASK
    hello, who = with_secret(KEY, "client")
    recorder.record(decided(hello, findings=findings(hello, KEY)), who)
    later = recorder.record(decided(call()), flow(call(), client=who.client))
    assert later["client"] == {"name": MASK, "version": MASK}


def test_a_word_recorded_before_it_was_known_to_be_secret_is_masked_from_then_on() -> None:
    recorder = Recorder()
    message, about = with_secret(KEY, "target")
    assert recorder.record(decided(message), about)["target"] == KEY
    assert recorder.record(decided(message, findings=findings(message, KEY)), about)["target"] == MASK
    assert recorder.record(decided(message), about)["target"] == MASK


@pytest.mark.parametrize(("kind", "fingerprint"), [("secret", ""), ("pii", ""), ("credential", "6f1a")])
def test_secrets_personal_data_and_whatever_has_a_fingerprint_are_masked(kind: str, fingerprint: str) -> None:
    message = call("Ann-Example")
    finding = Finding(kind, "r", "/params/name", None, 1.0, fingerprint)
    assert recorded(decided(message, findings=(("i", finding),)))["target"] == MASK


def test_a_finding_that_is_no_secret_masks_nothing() -> None:
    message = call("shadowed_tool")
    record = recorded(decided(message, findings=(("i", Finding("shadowing", "r", "/params/name")),)))
    assert record["target"] == "shadowed_tool"


def test_too_many_secrets_to_look_for_mask_all_words_of_the_peers() -> None:
    message = call("t", **{f"k{n}": f"secret-{n}-value" for n in range(400)})
    found = tuple(("i", Finding("secret", "r", f"/params/arguments/k{n}")) for n in range(400))
    record = recorded(decided(message, findings=found))
    assert record["target"] == record["method"] == MASK
    assert {item["pointer"] for item in record["findings"][:-1]} == {f"/{MASK}/{MASK}/{MASK}"}


def test_the_password_in_a_uri_is_masked_always() -> None:
    message = request("resources/read", {"uri": "postgres://app:hunter2@db.example:5432/x?y=a@b"})
    assert recorded(decided(message))["target"] == f"postgres://app:{MASK}@db.example:5432/x?y=a@b"


def test_many_findings_in_a_deep_text_are_looked_at_in_one_go() -> None:
    inner = json.dumps({f"k{n}": f"secret-{n}-value" for n in range(3000)})
    message = call(body=inner)
    found = tuple(("i", Finding("secret", "r", f"/params/arguments/body/~2/k{n}")) for n in range(3000))
    decision: Decision = decided(message, findings=found)
    assert len(recorded(decision)["findings"]) == 101
