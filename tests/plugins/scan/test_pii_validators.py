"""The checksums of personal data: what holds, and what no longer does once a digit is another."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_scan import pii_checksums
from tidegate_scan.pii_validators import IBAN_LENGTHS, NUMERIC, VALIDATORS

DIGITS = "0123456789"

# The checksums that find every single wrong digit, by their arithmetic, and numbers of public documentation.
SURE = {
    "payment-card": ["4111111111111111", "378282246310005", "5555555555554444", "6011111111111117", "30569309025904"],
    "iban": ["GB82WEST12345698765432", "DE89370400440532013000", "NO9386011117947"],
    "uk-nhs": ["9434765919", "4505577104"],
    "es-dni": ["12345678Z"],
    "fr-nir": ["180017500100104"],
    "de-steuer-id": ["86095742719", "47036892816"],
    "nl-bsn": ["111222333"],
    "pl-pesel": ["44051401359"],
    "se-personnummer": ["8112289874"],
    "fi-hetu": ["131052-308T"],
    "ch-ahv": ["7569217076985"],
    "cl-rut": ["123456785"],
    "ca-sin": ["130692544"],
    "au-tfn": ["123456782", "37118629"],
    "in-aadhaar": ["234123412346"],
    "cn-resident-id": ["11010519491231002X"],
    "sg-nric": ["S1234567D", "F1234567N", "M1234567K"],
    "tr-tc": ["10000000146"],
    "za-id": ["8001015009087"],
    "il-id": ["123456782"],
    "it-codice-fiscale": ["RSSMRA85T10A562S"],
}
OTHERS = {
    "be-national-number": ["85073003328"],
    "pt-nif": ["123456789", "501964843"],
    "br-cpf": ["52998224725"],
    "br-cnpj": ["11222333000181", "12ABC34501DE35"],
    "ar-cuit": ["20123456786"],
    "mx-curp": ["HEGG560427MVZRRL04"],
    "jp-my-number": ["123456789018"],
    "au-medicare": ["2123456701"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, all_ in {**SURE, **OTHERS}.items() for value in all_]
)
def test_numbers_of_public_documentation_hold(name: str, value: str) -> None:
    assert VALIDATORS[name](value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, all_ in SURE.items() for value in all_])
def test_one_digit_that_is_another_breaks_the_checksum(name: str, value: str) -> None:
    for place, was in enumerate(value):
        if was in DIGITS:
            for digit in DIGITS.replace(was, ""):
                assert not VALIDATORS[name](value[:place] + digit + value[place + 1 :]), (place, digit)


def completed(body: str, holds: Callable[[str], bool], last: str = DIGITS) -> str | None:
    """The body with the check character that makes it hold."""
    return next((body + char for char in last if holds(body + char)), None)


@given(body=st.text(DIGITS, min_size=3, max_size=18), data=st.data())
@pytest.mark.parametrize("holds", [pii_checksums.luhn, pii_checksums.verhoeff, pii_checksums.mod_11_10])
def test_each_body_has_a_check_digit_and_a_wrong_digit_breaks_it(
    holds: Callable[[str], bool], body: str, data: st.DataObject
) -> None:
    whole = completed(body, holds)
    assert whole is not None
    place = data.draw(st.integers(0, len(whole) - 1))
    digit = data.draw(st.sampled_from(DIGITS.replace(whole[place], "")))
    assert not holds(whole[:place] + digit + whole[place + 1 :])


@given(body=st.text(DIGITS, min_size=17, max_size=17), place=st.integers(0, 16), other=st.integers(1, 9))
def test_mod_11_2_breaks_with_a_wrong_digit(body: str, place: int, other: int) -> None:
    whole = completed(body, pii_checksums.mod_11_2, DIGITS + "X")
    assert whole is not None
    digit = str((int(whole[place]) + other) % 10)
    assert not pii_checksums.mod_11_2(whole[:place] + digit + whole[place + 1 :])


@given(body=st.text(DIGITS, min_size=3, max_size=15), place=st.integers(0, 14))
def test_verhoeff_finds_two_neighbours_that_changed_places(body: str, place: int) -> None:
    whole = completed(body, pii_checksums.verhoeff)
    assert whole is not None
    place %= len(whole) - 1
    swapped = whole[:place] + whole[place + 1] + whole[place] + whole[place + 2 :]
    assert pii_checksums.verhoeff(swapped) == (swapped == whole)


@given(country=st.sampled_from(sorted(IBAN_LENGTHS)), data=st.data())
def test_an_iban_holds_for_its_country_and_length_alone(country: str, data: st.DataObject) -> None:
    size = IBAN_LENGTHS[country] - 4
    letters = "" if country in NUMERIC else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    body = data.draw(st.text(DIGITS + letters, min_size=size, max_size=size))
    check = 98 - int("".join(str(int(char, 36)) for char in body + country + "00")) % 97
    whole = f"{country}{check:02}{body}"
    assert VALIDATORS["iban"](whole)
    assert VALIDATORS["iban"](" ".join(whole[at : at + 4] for at in range(0, len(whole), 4)))
    assert not VALIDATORS["iban"](whole + "0")
    assert not VALIDATORS["iban"](f"{country}{(check + 1) % 100:02}{body}")
    assert not VALIDATORS["iban"]("XX" + whole[2:])


@pytest.mark.parametrize("name", sorted(VALIDATORS))
@given(text=st.text(DIGITS + "XYZAK .-/+", max_size=24))
def test_a_validator_answers_for_any_text_it_may_be_given(name: str, text: str) -> None:
    shaped = text[:1] + "0" * 8 + text[-1:]
    for given_text in (text, shaped):
        try:
            assert VALIDATORS[name](given_text) in (True, False)
        except (
            ValueError,
            LookupError,
        ):  # the rule's expression comes first, and lets no letter through where a digit belongs
            assert not given_text.isdecimal()


PRIVATE = (
    "127.0.0.1 10.0.0.1 192.168.1.1 172.31.0.1 169.254.1.1 192.0.2.1 198.51.100.1 203.0.113.1 100.64.0.1 224.0.0.1 "
    "255.255.255.255 0.0.0.0 1.2.3.4 120.0.0.0 256.1.1.1 ::1 fe80::1 fd12::1 2001:db8::1 ff02::1"
)
PUBLIC = "93.184.216.34 8.8.8.8 172.32.0.1 2606:4700:4700::1111 2a00:1450::1"


@pytest.mark.parametrize("address", PRIVATE.split())
def test_no_private_or_documentation_address_is_public(address: str) -> None:
    assert not VALIDATORS["public-ip"](address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert VALIDATORS["public-ip"](address)
