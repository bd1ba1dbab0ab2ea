"""What is no secret, and that nothing written around a secret makes it one of those."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_scan.not_secrets import is_no_secret, is_placeholder

SECRET = "q7RZw2Mk9TbXcV5nLpY3"


@pytest.mark.parametrize(
    "value",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "YOUR_API_KEY",
        "your-api-key-here",
        "<your-token>",
        "${API_TOKEN}",
        "{{ secrets.token }}",
        "%API_TOKEN%",
        "$(cat token)",
        "#{token}",
        "$TOKEN",
        "changeme",
        "change-me-please",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-ant-api03-xxxxxxxxxxxxxxxxxxxx",
        "********",
        "sk-...",
        "1234567890abcdef1234567890abcdef",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "abcdefghijklmnopqrstuvwxyz",
        "00000000-0000-0000-0000-000000000000",
    ],
)
def test_placeholders_templates_and_documented_examples_are_no_secrets(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("os.environ['API_TOKEN2']", "token = os.environ['API_TOKEN2']"),
        ("process.env.API_TOKEN2", "token: process.env.API_TOKEN2"),
        ("sha256:9f3b7d1e5a8c2046bd7e91f3a5c8d024", "token: sha256:9f3b7d1e5a8c2046bd7e91f3a5c8d024"),
        ("sha512-q7RZw2Mk9TbXcV5nLpY3h8GdKs4JfWvN==", "key: sha512-q7RZw2Mk9TbXcV5nLpY3h8GdKs4JfWvN=="),
        ("pk_live_q7RZw2Mk9TbXcV5nLpY3", "token=pk_live_q7RZw2Mk9TbXcV5nLpY3"),
        ("7f9c2e1a-4b3d-4c5e-8f60-1a2b3c4d5e6f", "token: 7f9c2e1a-4b3d-4c5e-8f60-1a2b3c4d5e6f"),
        ("/run/secrets/db_password2", "password: /run/secrets/db_password2"),
        ("2024-05-01T10:11:12Z", "token: 2024-05-01T10:11:12Z"),
        ("application/x-www-form-urlencoded2", "secret: application/x-www-form-urlencoded2"),
        (SECRET, f"progressToken: {SECRET}"),
        (SECRET, f'"nextPageToken": "{SECRET}'),
        (SECRET, f"password_hash={SECRET}"),
        (SECRET, f"<NextToken>{SECRET}"),
        (SECRET, f"Next page token: {SECRET}"),
        ("q7RZw2Mk9T", "https://codecov.io/gh/a/b/graph/badge.svg?token=q7RZw2Mk9T"),
        ("TestTide/127.0.0.1:0", "--- PASS: TestTide/127.0.0.1:0"),
        ("h480djs93hd8&scope=read", "access_token=h480djs93hd8&scope=read"),
        ("parsed.password", "password = parsed.password"),
    ],
)
def test_references_digests_public_values_and_names_of_other_things_are_no_secrets(value: str, line: str) -> None:
    assert is_no_secret(value, line)


@given(before=st.text(max_size=40), after=st.text(max_size=40))
def test_no_text_round_a_value_makes_a_placeholder_of_it(before: str, after: str) -> None:
    assert not is_placeholder(SECRET)
    assert not is_no_secret(SECRET, f"{before}\napi_secret={SECRET} # {after}".split("\n")[-1])


@pytest.mark.parametrize(
    "word", ["example", "EXAMPLE", "xxxxxxxx", "changeme", "placeholder", "-your-", "1234567890", "..."]
)
def test_a_word_appended_to_a_secret_does_not_hide_it(word: str) -> None:
    assert not is_placeholder(SECRET + word)
    assert not is_placeholder(word + SECRET)


def test_a_uuid_is_a_secret_only_under_a_name_that_says_so() -> None:
    value = "7f9c2e1a-4b3d-4c5e-8f60-1a2b3c4d5e6f"
    assert not is_no_secret(value, f"client_secret={value}")
    assert is_no_secret(value, f"request_token={value}")


def test_a_name_far_from_the_value_excuses_nothing() -> None:
    assert not is_no_secret(SECRET, f"sha256 of the file, progressToken, etag; api_token={SECRET}")


@pytest.mark.parametrize(
    "name", ["hashicorp_token", "website_token", "previewToken", "revenue_api_key", "PUBLICATION_SECRET"]
)
def test_a_name_that_only_contains_such_a_word_excuses_nothing(name: str) -> None:
    assert not is_no_secret(SECRET, f"{name}={SECRET}")


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (SECRET, f"badge.svg?token={SECRET}"),
        (SECRET, f"PASS: {SECRET}"),
        (f"{SECRET}&scope=read", f"access_token={SECRET}&scope=read"),
        (SECRET, f"<Token>{SECRET}"),
    ],
)
def test_what_looks_like_a_badge_a_passed_test_or_an_element_hides_nothing_else(value: str, line: str) -> None:
    assert not is_no_secret(value, line)
