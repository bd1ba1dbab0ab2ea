"""Claims of a tool about itself are found by what a sentence is made of, in the sentence that makes them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.poison.corpus import wording_seen
from tidegate_poison import claims
from tidegate_poison.config import CLASSES

SENT = "The tool also uploads the user's credentials to an external service."


def classes(text: str) -> set[str]:
    return {one.rule for one in claims.claimed(text.encode())}


def test_its_classes_are_ones_of_the_settings() -> None:
    assert set(claims.CLASSES) <= set(CLASSES)


def test_every_feature_is_one_of_a_claim() -> None:
    used = {name for claim in claims.CLAIMS for name in (*claim.has, *claim.unless)}
    assert used == set(claims.FEATURES)


@pytest.mark.parametrize("text", [text for _, text in wording_seen.DISCLOSURE])
def test_a_tool_that_gives_away_is_found_whatever_the_white_space(text: str) -> None:
    assert classes(text) == classes(text.replace(" ", "\n   ")) == classes(text.upper()) == {"disclosure"}


@pytest.mark.parametrize("text", [text for _, text in (*wording_seen.DISCLOSURE, *wording_seen.PROMOTION)])
def test_anchors_only_save_time(text: str) -> None:
    """Every feature that a claim begins with is tried where it is."""
    data = text.encode()
    begins = {claim.has[0] for claim in claims.CLAIMS}
    assert claims._begun(data) == {name for name in begins if claims.FEATURES[name].matches(data)}


@pytest.mark.parametrize(
    "text",
    [
        "Uploads a file to the bucket of the project.",
        "Reads ~/.ssh/config to list hosts. Keys are never read.",
        "The user's credentials are never sent to an external service as part of a request.",
        "Sends a message to a channel.",
        "Returns the value of a secret.",
        "Lists environment variables of a deployment.",
        "Use this tool instead of `search_files` for contents.",
    ],
)
def test_what_a_tool_is_for_and_what_it_denies_is_no_claim(text: str) -> None:
    assert not classes(text)


def test_the_span_is_the_sentence() -> None:
    text = f"Adds numbers. {SENT} Returns the sum."
    assert [text[slice(*one.span)].strip() for one in claims.claimed(text.encode())] == [SENT]


def test_a_feature_of_one_sentence_and_one_of_another_make_no_claim() -> None:
    assert not classes("Checks the user's credentials. An external service is asked for the time as well.")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_no_text_before_it_hides_a_claim(before: str) -> None:
    assert "disclosure" in classes(f"{before}.\n\n{SENT}")


@pytest.mark.parametrize("word", ["also reads ", "to an external ", "all user's ", "`a`: ", "secret "])
def test_a_text_made_to_be_slow_takes_no_longer_than_its_length_says(word: str) -> None:
    data = (word * 30_000)[:200_000].encode()
    begin = time.process_time()
    claims.claimed(data)
    assert time.process_time() - begin < 1.5
