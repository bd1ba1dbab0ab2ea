"""Code, variables, formats and names: what stands for a value, and that no value a generator made is taken for one."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_scan.references import englishness, is_reference, without_technical

ALNUM = string.ascii_letters + string.digits


@pytest.mark.parametrize(
    "value",
    [
        "parsed.password",
        "getpass.getpass(",
        "messages.StringField(4)",
        "oauth2client.client.OAuth2Credentials",
        "v1.AccessToken",
        "$self->",
        "$me-",
        "$CPAN::Config->{proxy_pass}",
        "$Config::Config{cf_email}",
        "std::string",
        "$WORK/a/b/c/pkg/go.mod",
        "[lindex",
        "htmlLanguageTypes_1.TokenType.Unknown",
        "utils$1.getSafeProp",
        "b3.pass",
        "AKIAEXAMPLE123456789%2F20210621%2Fus-west-2%2Fs3%2Faws4_request",
        "ts9.SyntaxKind.ExtendsKeyword",
        "!!site.has_password",
        "L?T:void",
        "JWE_SECRET",
        "s.password;if",
        "e,r.password}a",
        "qb.tokens.length:123===f&&",
        "?NonExpressionParenKeyword",
        "http#[incr",
        "{password!r}",
        "{csrf_token",
        "%s:%s",
        "key=%s%s",
        "key-%04d",
        "[]byte",
        "*uint16",
        "*netrw-passwd*",
        "1*tchar",
        "+cmd.Dir",
        "#bygroup",
        "Signature=41e226f997bf917ec6c9b2b14218df08",
        "AWS4-HMAC-SHA256",
        "app/20260101/eu-west-1/s3/aws4_request",
        "web_identity_token",
        "key_password)",
        "gs_host_header=",
        "Bearer\\t",
    ],
)
def test_code_variables_formats_types_and_names_are_references(value: str) -> None:
    assert is_reference(value)


@pytest.mark.parametrize(
    "value",
    [
        "x7Kq9oP2vWn",
        "hunter2hunter2",
        "$up3r$Ecr3t",
        "Sommer-Nacht!",
        "correct.horse7battery",
        "dGVzdGluZ3Rlc3Q=",
        "yl4cezr6Y5FpUb%z",
        "P@ssw0rd.2024",
        "a1B2c3D4e5F6g7H8-",
        "Tr0ub[dor",
        "Welcome$1",
        "hunter2.abc",
        "x7.Kq9",
        "p.assw0rd;x",
        "a.Zk9;pq",
        "!Summer2024",
        "?Winter2024",
    ],
)
def test_passwords_and_tokens_are_no_references(value: str) -> None:
    assert not is_reference(value)


@given(st.text(alphabet=ALNUM + "-_", min_size=24, max_size=64).filter(lambda text: text[0].isalnum()))
def test_hardly_anything_random_is_a_reference(value: str) -> None:
    # Letters that happen to read like words, with none but the signs of a name between them, are all there can be.
    assert not is_reference(value) or (value.islower() and englishness(value) >= 0.6)


@given(st.text(max_size=300))
def test_any_text_can_be_asked_about(value: str) -> None:
    assert is_reference(value) in (True, False)
    assert len(without_technical(value)) <= len(value)


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("SHA224PasswordProperty", "SHAPasswordProperty"),
        ("utf8_to_utf16_dup", "utf_to_utf_dup"),
        ("gs_oauth2_refresh_token", "gs_oauth_refresh_token"),
        ("base64_decode", "base_decode"),
        ("s3-prod-creds", "s-prod-creds"),
        ("x7Kq9oP2vWn", "x7Kq9oP2vWn"),
        ("Sommer2024", "Sommer2024"),
        ("Auth2024!", "Auth2024!"),
    ],
)
def test_digits_of_technical_words_do_not_count(value: str, left: str) -> None:
    assert without_technical(value) == left
