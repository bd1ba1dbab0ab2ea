"""What results and notifications are on a terminal."""

from typing import Any

import pytest

from tidegate.cli import contents


@pytest.mark.parametrize(
    ("block", "lines"),
    [
        ({"type": "text", "text": "a\tb\r\nc\n"}, ["a       b\nc"]),
        ({"type": "audio", "data": "aGk=", "mimeType": "audio/wav"}, ["[audio: audio/wav, 2 bytes]"]),
        ({"type": "resource_link", "uri": "x:y", "name": "n", "title": 1}, ["[link: x:y, n]"]),
        (
            {"type": "resource", "resource": {"uri": "x:y", "mimeType": "text/plain", "text": "t"}},
            ["[resource: x:y, text/plain]", "t"],
        ),
        ({"type": "resource", "resource": {"uri": "x:y", "blob": "aGk="}}, ["[resource: x:y, of no type, 2 bytes]"]),
        ({"type": "hologram", "x": 1}, ["[hologram: 28 bytes; --json shows it]"]),
        (7, ["[what is no content: 1 bytes; --json shows it]"]),
    ],
)
def test_what_is_no_text_is_described(block: Any, lines: list[str]) -> None:
    assert list(contents.lines_of({"content": [block]})) == lines


def test_structured_content_is_shown_where_there_is_no_other() -> None:
    assert list(contents.lines_of({"content": [], "structuredContent": {"a": 1}})) == ['{\n  "a": 1\n}']
    assert list(contents.lines_of({"content": None})) == []


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            {"method": "notifications/progress", "params": {"progress": 0.5, "total": 2, "message": "m"}},
            "progress 0.5/2: m",
        ),
        (
            {"method": "notifications/message", "params": {"level": "error", "logger": "l", "data": [1]}},
            "log error l: [1]",
        ),
        ({"method": "notifications/progress", "params": 3}, None),
        ({"method": "ping", "id": 1}, None),
        ({"method": "roots/list", "id": 1}, "The server asked for roots/list, which was refused."),
    ],
)
def test_what_servers_tell_meanwhile_is_one_line(message: Any, line: str | None) -> None:
    assert contents.heard(message) == line


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1 byte"), (999, "999 bytes"), (1500, "1.5 kB"), (2_000_000, "2.0 MB")]
)
def test_a_size_is_for_people(number: int, text: str) -> None:
    assert contents.size(number) == text
