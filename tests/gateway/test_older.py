"""Content that an older version doesn't know, in words."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import strategies
from tidegate import methods
from tidegate.gateway.older import older_answer, older_reply, older_request
from tidegate.message import Message
from tidegate.methods import V2024, V2025_03, V2025_06, V2025_11
from tidegate.testing import error_of, request, result_of

TEXT = {"type": "text", "text": "hello"}
IMAGE = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
AUDIO = {"type": "audio", "data": "aGVsbG8=", "mimeType": "audio/wav", "annotations": {"priority": 1}}
LINK = {
    "type": "resource_link",
    "uri": "file:///a.md",
    "name": "a",
    "mimeType": "text/markdown",
    "description": "Notes",
}

CALL = request("tools/call", {"name": "add"})
PROMPT = request("prompts/get", {"name": "sum"})


def told(version: str, *content: Any) -> list[Any]:
    reply = older_reply(result_of(CALL, {"content": list(content)}), method="tools/call", version=version)
    return list(reply.tree["result"]["content"])


def test_audio_and_links_become_text_where_they_are_unknown() -> None:
    audio = {"type": "text", "text": "[audio, audio/wav, 5 bytes]", "annotations": {"priority": 1}}
    link = {"type": "text", "text": "[resource file:///a.md: a, text/markdown, Notes]"}
    assert told(V2024, TEXT, IMAGE, AUDIO, LINK) == [TEXT, IMAGE, audio, link]
    assert told(V2025_03, TEXT, IMAGE, AUDIO, LINK) == [TEXT, IMAGE, AUDIO, link]
    assert told(V2025_06, TEXT, IMAGE, AUDIO, LINK) == [TEXT, IMAGE, AUDIO, LINK]


def test_what_says_little_of_itself_is_still_said() -> None:
    assert told(V2024, {"type": "audio"}) == [{"type": "text", "text": "[audio, of no type, 0 bytes]"}]
    assert told(V2024, {"type": "resource_link", "uri": "a:b", "title": 1}) == [
        {"type": "text", "text": "[resource a:b]"}
    ]


def test_the_messages_of_a_prompt_are_told_in_words_too() -> None:
    said = [{"role": "user", "content": AUDIO}, {"role": "user", "content": TEXT}]
    reply = older_reply(result_of(PROMPT, {"messages": said}), method="prompts/get", version=V2024)
    first, second = reply.tree["result"]["messages"]
    assert (first["role"], first["content"]["type"]) == ("user", "text")
    assert second is said[1] or second == said[1]


@pytest.mark.parametrize(
    "reply",
    [
        result_of(CALL, {"content": [TEXT, {"type": "vendor"}, 7, {"type": []}], "structuredContent": {"a": 1}}),
        result_of(CALL, {"content": 7}),
        result_of(CALL, 7),
        result_of(PROMPT, {"messages": [7, {"content": 7}, {}]}),
        error_of(CALL),
        result_of(request("resources/read", {"uri": "a:b"}), {"contents": [AUDIO]}),
    ],
)
def test_what_is_known_or_is_no_content_stays_as_it_is(reply: Message) -> None:
    assert older_reply(reply, method=reply.method or "", version=V2024) is reply


blocks = st.one_of(
    st.builds(
        lambda kind, more: {**more, "type": kind},
        st.sampled_from(["audio", "text", "resource_link"]),
        strategies.objects,
    ),
    strategies.values,
)


@given(st.lists(blocks, max_size=4), st.sampled_from(methods.VERSIONS))
def test_a_version_gets_no_kind_that_came_later_and_nothing_is_lost_for_newer_ones(
    content: list[Any], version: str
) -> None:
    reply = result_of(CALL, {"content": content, "_meta": {"a": 1}})
    before = copy.deepcopy(reply.tree)
    got = older_reply(reply, method="tools/call", version=version)
    assert reply.tree == before
    kinds = [block.get("type") for block in got.tree["result"]["content"] if isinstance(block, dict)]
    assert version != V2024 or "audio" not in kinds
    assert version > V2025_03 or "resource_link" not in kinds
    assert version <= V2025_03 or got is reply
    assert len(got.tree["result"]["content"]) == len(content)


def test_a_conversation_of_several_pieces_becomes_one_of_single_ones() -> None:
    said = [{"role": "user", "content": [TEXT, AUDIO]}, {"role": "assistant", "content": IMAGE}, 7]
    asked = request("sampling/createMessage", {"messages": said, "maxTokens": 10})
    before = copy.deepcopy(asked.tree)
    got = older_request(asked, version=V2024).tree["params"]
    assert asked.tree == before
    audio = {"type": "text", "text": "[audio, audio/wav, 5 bytes]", "annotations": {"priority": 1}}
    kept = [{"role": "user", "content": block} for block in (TEXT, audio)]
    assert got == {"messages": [*kept, *said[1:]], "maxTokens": 10}
    assert older_request(asked, version=V2025_06).tree["params"]["messages"][1]["content"] == AUDIO
    assert older_request(asked, version=V2025_11) is asked


@pytest.mark.parametrize(
    "asked",
    [
        request("sampling/createMessage", {"messages": [{"role": "user", "content": TEXT}]}),
        request("sampling/createMessage", {"messages": 7}),
        request("sampling/createMessage"),
        request("elicitation/create", {"messages": [{"content": [AUDIO]}]}),
    ],
)
def test_what_every_version_can_be_asked_stays_as_it_is(asked: Message) -> None:
    assert older_request(asked, version=V2024) is asked


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([TEXT], TEXT),
        ([IMAGE], IMAGE),
        ([TEXT, TEXT], {"type": "text", "text": "hello\nhello"}),
        ([TEXT, IMAGE], [TEXT, IMAGE]),
        ([], []),
        (TEXT, TEXT),
    ],
)
def test_an_answer_of_a_model_comes_in_one_piece_where_that_can_be(content: Any, expected: Any) -> None:
    asked = request("sampling/createMessage", {})
    answer = result_of(asked, {"role": "assistant", "content": content, "model": "m"})
    got = older_answer(answer, method="sampling/createMessage", version=V2025_06)
    assert got.tree["result"] == {"role": "assistant", "content": expected, "model": "m"}
    assert (got is answer) is (expected == content)
    assert older_answer(answer, method="sampling/createMessage", version=V2025_11) is answer
    assert older_answer(error_of(asked), method="sampling/createMessage", version=V2024).kind == "error"
