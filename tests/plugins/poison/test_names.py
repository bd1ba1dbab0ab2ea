"""Names that are taken for others, and names that only are close."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_poison import names
from tidegate_poison.memory import Memory, mentions


@pytest.mark.parametrize("name", ["re\u0430d", "\uff52ead", "\U0001d42ead", "s\u0435nd_mail", "l\u0578gin"], ids=ascii)
def test_a_name_of_mixed_scripts_is_disguised(name: str) -> None:
    assert names.disguised(name)


@pytest.mark.parametrize(
    "name",
    ["read_file", "\u0447\u0438\u0442\u0430\u0442\u044c", "\u8bfb\u6587\u4ef6", "caf\u00e9", "api\u7ffb\u8bd1"],
    ids=ascii,
)
def test_a_name_of_one_script_is_not(name: str) -> None:
    assert not names.disguised(name)


def imitated(name: str, *others: str) -> float:
    memory = Memory()
    for other in others:
        memory.of("p", "a").add(other)
    memory.of("p", "b").add(name)
    return memory.imitated("p", "b", name)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("read_fi1e", "read_file"),
        ("create_forrn", "create_form"),
        ("serach_issues", "search_issues"),
        ("send_mesage", "send_message"),
        ("\u0440\u0430\u0443", "pay"),
    ],
    ids=ascii,
)
def test_a_name_that_looks_like_another_servers_imitates_it(name: str, other: str) -> None:
    assert imitated(name, other) >= 0.5


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("read_file", "read_file"),
        ("read-file", "read_file"),
        ("readFile", "read_file"),
        ("read_files", "read_file"),
        ("get_user", "set_user"),
        ("list_notes", "list_nodes"),
        ("create_team", "create_item"),
        ("delete_branch", "delete_batch"),
    ],
)
def test_a_name_of_its_own_does_not(name: str, other: str) -> None:
    assert imitated(name, other) == 0


def test_memories_of_principals_are_apart() -> None:
    memory = Memory()
    memory.of("alice", "a").add("read_file")
    assert memory.imitated("bob", "b", "read_fi1e") == 0
    assert memory.imitated("alice", "b", "read_fi1e") > 0


def test_the_name_of_another_servers_tool_in_a_text_is_a_mention_and_ones_own_is_not() -> None:
    memory = Memory()
    memory.of("p", "a").add("send_invoice")
    memory.of("p", "a").add("re-run")
    others = memory.others("p", "b")
    text = "Before send_invoice; re-run it."
    assert [text[slice(*span)] for span in mentions(text, set(), others)] == ["send_invoice"]
    assert not list(mentions(text, {"send_invoice"}, others))
    for text in ("bank.send_invoice", "mcp__bank__send_invoice", "Call it.send_invoice does more"):
        assert [text[slice(*span)] for span in mentions(text, set(), others)] == ["send_invoice"]


@given(st.text(max_size=40))
def test_every_name_has_a_skeleton_words_and_an_answer(name: str) -> None:
    assert names.skeleton(name) == names.skeleton(name)
    assert all(names.words(name))
    assert 0 <= imitated(name, "read_file") <= 1
