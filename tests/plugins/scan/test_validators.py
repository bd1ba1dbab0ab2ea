"""What validators take and what they turn down."""

import base64
import json
import random
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_scan.validators import (
    VALIDATORS,
    base64_of_text,
    crc32_base62,
    entropy,
    jwt,
    password_like,
    pem,
    random_looking,
    varied,
)

ORDER = string.digits + string.ascii_uppercase + string.ascii_lowercase


def _github(body: str, prefix: str = "ghp_") -> str:
    number, check = zlib.crc32(body.encode()), ""
    while number:
        number, digit = divmod(number, 62)
        check = ORDER[digit] + check
    return prefix + body + check.rjust(6, "0")


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@given(st.text(alphabet=string.ascii_letters + string.digits, min_size=30, max_size=30))
def test_a_token_with_its_checksum_is_taken_and_one_with_a_wrong_letter_is_not(body: str) -> None:
    token = _github(body)
    other = "A" if body[0] != "A" else "B"
    assert crc32_base62(token)
    assert not crc32_base62(f"ghp_{other}{token[5:]}")


def test_a_jwt_needs_a_header_with_an_algorithm() -> None:
    signature = "q7RZw2Mk9TbXcV5nLpY3"
    assert jwt(f"{_part({'alg': 'RS256'})}.{_part({'sub': 'a'})}.{signature}")
    assert not jwt(f"{_part({'type': 'x'})}.{_part({'sub': 'a'})}.{signature}")
    assert not jwt(f"eyJub3RqeW9u.{_part({'sub': 'a'})}.{signature}")


def test_a_jwt_of_the_public_role_of_supabase_is_no_secret() -> None:
    head = _part({"alg": "HS256"})
    assert not jwt(f"{head}.{_part({'iss': 'supabase', 'role': 'anon'})}.q7RZw2Mk9TbXcV5nLpY3")
    assert jwt(f"{head}.{_part({'iss': 'supabase', 'role': 'service_role'})}.q7RZw2Mk9TbXcV5nLpY3")


@pytest.mark.parametrize("newline", ["\n", "\\n", "\r\n", " ", "", '",\n"'])
def test_a_private_key_is_taken_however_its_lines_are_broken(newline: str) -> None:
    body = base64.b64encode(random.Random(7).randbytes(300)).decode()
    lines = [
        "-----BEGIN EC PRIVATE KEY-----",
        *(body[i : i + 64] for i in range(0, len(body), 64)),
        "-----END EC PRIVATE KEY-----",
    ]
    assert pem(newline.join(lines))


def test_a_private_key_of_dots_is_no_key() -> None:
    assert not pem("-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----")
    assert not pem("-----BEGIN PRIVATE KEY-----\n" + "A" * 64 + "\n-----END PRIVATE KEY-----")


@pytest.mark.parametrize(
    "value",
    ["q7RZw2Mk9TbXcV5nLpY3", "9f3b7d1e5a8c2046bd7e91f3a5c8d024", "k3v9-x7Kq9oP2vWn_tRb8", "qZrTkWpXvNmLbGhJdScF"],
)
def test_values_out_of_a_generator_look_random(value: str) -> None:
    assert random_looking(value)


@pytest.mark.parametrize(
    "value",
    [
        "getUserAccessToken",
        "authentication-token-2",
        "next_page_of_results",
        "application/json",
        "access_token_expires_in",
        "client_credentials",
        "short1",
        "2024-01-01T00:00:00Z",
        "ReadOnlyAccessPolicyV2",
        "ページには見出しがあります",
        "显示可操作且不存在方向锁定",
    ],
)
def test_names_and_words_do_not_look_random(value: str) -> None:
    assert not random_looking(value)


@pytest.mark.parametrize("value", ["hunter2!", "Tr0ub4dor&3", "S3cure#2024", "x7Kq9oP2vWn", "winter2023"])
def test_passwords_that_people_choose_are_passwords(value: str) -> None:
    assert password_like(value)


@pytest.mark.parametrize(
    "value",
    ["password", "string", "required", "user_password", "PASSWORD1", "None", "true", "1234", "get_password", "!!!"],
)
def test_words_about_passwords_are_none(value: str) -> None:
    assert not password_like(value)


def test_entropy_is_counted_in_bits_per_character() -> None:
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abcd") == pytest.approx(2)


@given(st.text(max_size=200), st.sampled_from(sorted(VALIDATORS)))
def test_no_validator_raises_whatever_the_text(text: str, name: str) -> None:
    assert VALIDATORS[name](text) in {True, False}


def test_a_key_without_a_digit_is_taken_where_its_letters_are_of_both_cases_and_no_words() -> None:
    assert varied("co_qWzRtKvBnXcLpMfHgJdY")
    assert varied("abc123")
    assert not varied("some_readable_identifier")
    assert not varied("AccessTokenProviderFactory")
    assert not varied("ABCDEFGHIJKLMNOPQRSTUV")


def test_base64_of_text_is_told_from_a_name_that_could_be_base64() -> None:
    assert base64_of_text(base64.b64encode(b"deploy:x7Kq9oP2vWn").decode())
    assert not base64_of_text("password")
    assert not base64_of_text("to_bytes")


@pytest.mark.parametrize("value", ["SHA224PasswordProperty", "utf8_to_utf16_dup", "oauth2_refresh_token", "files:**"])
def test_names_with_technical_words_are_no_passwords(value: str) -> None:
    assert not password_like(value)
