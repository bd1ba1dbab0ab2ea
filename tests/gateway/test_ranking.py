"""The ranking of a search: what fits best comes first, the same each time, in milliseconds."""

import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway.ranking import MOST_WORDS, Index, words

TOOLS = [
    ("files__read_file", "Reads a file of the disk as text"),
    ("files__write_file", "Writes text to a file"),
    ("files__list_directory", "Lists what is in a directory"),
    ("mail__send_message", "Sends an email to people"),
    ("mail__searchInbox", "Finds emails by sender or subject"),
    ("git__createBranch", "Makes a branch of a repository"),
]


def index(*texts: tuple[str, str]) -> Index:
    found = Index((3.0, 1.0))
    for name, text in texts:
        found.add(name, (name, text))
    return found


def best(question: str, most: int = 3, texts: list[tuple[str, str]] = TOOLS) -> list[str]:
    return [texts[number][0] for number in index(*texts).best(question, most)]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("read a file", "files__read_file"),
        ("reading files", "files__read_file"),
        ("write", "files__write_file"),
        ("send mail to somebody", "mail__send_message"),
        ("search inbox", "mail__searchInbox"),
        ("create branches", "git__createBranch"),
        ("directories", "files__list_directory"),
        ("repos", "git__createBranch"),
        ("REPOSITORY", "git__createBranch"),
    ],
)
def test_what_fits_best_comes_first(question: str, first: str) -> None:
    assert best(question)[0] == first


def test_what_does_not_fit_at_all_is_not_found() -> None:
    assert best("weather") == []
    assert best("") == []
    assert best("the of and to") == [], "words that say nothing"
    assert Index((1.0,)).best("anything", 5) == []


def test_who_asks_for_a_name_gets_it_first() -> None:
    texts = [("git_log", "git log git log git log"), ("log", "git"), ("git", "nothing")]
    assert best("log", texts=texts)[0] == "log"
    assert best(" Mail__SearchInbox ")[0] == "mail__searchInbox"


def test_a_word_in_the_name_counts_more_than_one_in_the_description() -> None:
    assert best("copy", texts=[("move", "copy and remove"), ("copy", "as it says")])[0] == "copy"


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    texts = [*((f"get_{number}", "gets a thing") for number in range(20)), ("odd", "gets a zebra")]
    assert best("get zebra", texts=texts)[0] == "odd"


def test_the_beginning_of_a_word_finds_it_and_the_whole_word_counts_more() -> None:
    assert best("cal", texts=[("a", "calculate"), ("b", "cal")]) == ["b", "a"]
    assert best("ca", texts=[("a", "calculate")]) == [], "two letters begin too many words"


def test_scripts_without_spaces_are_searched_by_character() -> None:
    assert best("文件", texts=[("a", "发送邮件"), ("b", "读取文件内容")])[0] == "b"
    assert best("überprüfen", texts=[("a", "prüfen"), ("b", "Überprüfen")])[0] == "b"


def test_what_fits_equally_well_stays_in_its_order() -> None:
    texts = [(f"t{number}", "same words") for number in range(50)]
    assert best("same", 50, texts) == [name for name, _ in texts]


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=40)), max_size=12), st.text(max_size=30))
def test_the_same_texts_and_words_give_the_same_always(texts: list[tuple[str, str]], question: str) -> None:
    found = index(*texts)
    once = found.best(question, 5)
    assert once == found.best(question, 5) == index(*texts).best(question, 5)
    assert len(once) == len(set(once)) <= 5
    assert all(0 <= number < len(texts) for number in once)


@given(
    st.lists(
        st.text(max_size=12).filter(str.strip), min_size=1, max_size=8, unique_by=lambda name: name.strip().casefold()
    )
)
def test_every_text_is_found_by_its_name(names: list[str]) -> None:
    texts = [(name, "x") for name in (name.strip() for name in names)]
    for name, _ in texts:
        assert best(name, 1, texts) == [name]


@given(st.text(max_size=60))
def test_words_of_any_text_can_be_compared(text: str) -> None:
    assert all(word and word == word.casefold() for word in words(text)) or any(ord(letter) > 127 for letter in text)


def test_texts_can_be_added_after_a_search() -> None:
    found = index(("a", "zebra"))
    assert found.best("zebra", 5) == [0]
    found.add("b", ("zebra", "zebra"))
    assert found.best("zebra", 5) == [1, 0]
    assert len(found) == 2


def test_a_question_without_end_costs_no_more_than_one_of_so_many_words() -> None:
    texts = [(f"t{number}", f"word{number}") for number in range(100)]
    assert len(best(" ".join(f"word{number}" for number in range(100)), 100, texts)) <= 100
    assert best(" ".join([*(f"other{number}" for number in range(MOST_WORDS)), "word7"]), 5, texts) == []


def test_ten_thousand_texts_are_searched_in_milliseconds() -> None:
    draw = Random(7)
    vocabulary = [f"{draw.choice('bcdfgklmprst')}{draw.choice('aeiou')}{number}" for number in range(3000)]
    common = ["get", "returns", "item", "name", "optional", "filter"]
    found = Index((3.0, 1.0))
    for number in range(10_000):
        text = " ".join(draw.choices(vocabulary, k=15) + draw.choices(common, k=15))
        found.add(f"server{number % 40}__tool_{number}", (f"tool {draw.choice(vocabulary)}", text))
    spent = []
    for _ in range(5):
        begun = time.process_time()
        assert len(found.best(f"get the {vocabulary[5]} by name and filter", 10)) == 10
        spent.append(time.process_time() - begun)
    assert min(spent) < 0.05
