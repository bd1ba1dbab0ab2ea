"""A secret shows itself to whoever asks for its text, and to nobody else."""

import copy
import pickle
import traceback

import pytest
import structlog

from tidegate.secret_stores import Secret, StoreError
from tidegate.secret_stores.base import MOST

VALUE = "pa55word-that-nobody-may-see"

pytestmark = pytest.mark.requirement("secrets-stay-in")


def test_a_secret_is_not_in_any_text_that_is_made_of_it() -> None:
    secret = Secret(VALUE)
    logged = structlog.processors.JSONRenderer()(None, "info", {"event": "x", "secret": secret, "all": [secret]})
    for text in (repr(secret), str(secret), f"{secret}", ascii(secret), repr({"a": [secret]}), str(logged)):
        assert VALUE not in text
    assert secret.reveal() == VALUE


def test_a_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret(VALUE))
    with pytest.raises(TypeError):
        copy.copy(Secret(VALUE))


def test_secrets_are_the_same_where_their_texts_are() -> None:
    assert Secret(VALUE) == Secret(VALUE) != Secret("another")
    assert Secret(VALUE) != VALUE
    assert len({Secret(VALUE), Secret(VALUE), Secret("another")}) == 2


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "at least one character"),
        (f"{VALUE}\0", "no NUL character"),
        (f"{VALUE}\ud800", "text in UTF-8"),
        (VALUE * MOST, "at most 65536 bytes"),
    ],
)
def test_what_can_not_be_given_to_a_program_is_no_secret_and_is_not_shown(value: str, said: str) -> None:
    with pytest.raises(StoreError) as caught:
        Secret(value)
    assert said in str(caught.value)
    assert VALUE not in "".join(traceback.format_exception(caught.value)).replace(f'"{VALUE}"', "")


@pytest.mark.parametrize(
    ("data", "text"), [(b"a\n", "a"), (b"a\r\n", "a"), (b"a\n\n", "a\n"), (b" a ", " a "), ("ü".encode(), "ü")]
)
def test_one_line_end_at_the_end_of_a_file_is_not_part_of_the_secret(data: bytes, text: str) -> None:
    assert Secret.of_bytes(data).reveal() == text


def test_bytes_that_are_no_text_are_no_secret() -> None:
    with pytest.raises(StoreError, match="text in UTF-8"):
        Secret.of_bytes(b"\xff")
