"""Which encoded runs are found in a text, where, and what they stand for."""

import base64
import gzip
import random
import re
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.scan.ways import both_ways
from tidegate_scan.budget import DEFAULT, Gauge
from tidegate_scan.decoders import runs
from tidegate_scan.spans import Run

__all__ = ["both_ways"]

SECRET = "tok_9f8e7d6c5b4a-Zz/Yy+Xx"
LONG = "".join(f"line {number}: some value and {SECRET}\n" for number in range(12))


def of(text: str) -> list[Run]:
    return runs(text, Gauge(DEFAULT))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def fold(text: str, width: int, mark: str) -> str:
    return mark.join(text[place : place + width] for place in range(0, len(text), width))


ENCODINGS: dict[str, Callable[[str], str]] = {
    "standard": lambda s: b64(s.encode()),
    "url-safe": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "no padding": lambda s: b64(s.encode()).rstrip("="),
    "utf-16-le": lambda s: b64(s.encode("utf-16-le")),
    "utf-16-be": lambda s: b64(s.encode("utf-16-be")),
    "utf-16 with its mark": lambda s: b64(s.encode("utf-16")),
    "gzip": lambda s: b64(gzip.compress(s.encode())),
    "zlib": lambda s: b64(zlib.compress(s.encode())),
    "zlib, level 1": lambda s: b64(zlib.compress(s.encode(), 1)),
    "zlib, level 9, hex": lambda s: zlib.compress(s.encode(), 9).hex(),
    "gzip, hex": lambda s: gzip.compress(s.encode()).hex(),
    "gzip, byte escapes": lambda s: "".join(f"\\x{byte:02x}" for byte in gzip.compress(s.encode())),
    "hex": lambda s: s.encode().hex(),
    "upper hex": lambda s: s.encode().hex().upper(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "hex with spaces": lambda s: s.encode().hex(" "),
    "hex with hyphens": lambda s: s.encode().hex("-"),
    "hex with 0x and commas": lambda s: ", ".join(f"0x{byte:02x}" for byte in s.encode()),
    "hex with 0x": lambda s: " ".join(f"0x{byte:02X}" for byte in s.encode()),
    "hex after one 0x": lambda s: "0x" + s.encode().hex(),
    "hex of utf-16": lambda s: s.encode("utf-16-le").hex(),
}
AROUND = [
    ("", ""), ('"', '"'), ("key=", "&x=1"), ("data:text/plain;base64,", ")"), ("Authorization: Basic ", "\r\nHost: x"),
    ("2026-11-22 12:37:44 value=", " done"), ("<b>", "</b>"), ("{'k': '", "', 'n': 1}"), ("日本語: ", "。"),
]  # fmt: skip


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("plain", [SECRET, f"user:{SECRET}", f'{{"token": "{SECRET}", "name": "Zoë"}}', LONG])
def test_an_encoded_text_is_found_with_the_span_of_its_run(name: str, around: tuple[str, str], plain: str) -> None:
    if "utf-16" in name:
        plain = plain.replace("ë", "e")
    encoded = ENCODINGS[name](plain)
    before, after = around
    text = before + encoded + after
    matching = [run for run in of(text) if plain in run.text]
    assert [(run.start, run.end) for run in matching] == [(len(before), len(before) + len(encoded))]


@pytest.mark.parametrize("mark", ["\n", "\r\n", "\\n", "\\r\\n", "\n    "])
@pytest.mark.parametrize("width", [48, 60, 64, 76])
@pytest.mark.parametrize("encode", [lambda s: b64(s.encode()), lambda s: s.encode().hex()])
def test_a_run_folded_over_lines_is_one(mark: str, width: int, encode: Callable[[str], str]) -> None:
    for size in range(150, 170):
        plain = LONG[:size]
        encoded = fold(encode(plain), width, mark)
        (run,) = of(f"data: |{mark}{encoded}{mark}next: line")
        assert run.text == plain
        assert (run.start, run.end) == (7 + len(mark), 7 + len(mark) + len(encoded))


@pytest.mark.parametrize("width", [60, 63, 64, 76, 95, 128])
def test_many_folded_lines_are_one_run(width: int) -> None:
    plain = LONG * 40
    encoded = fold(b64(plain.encode()), width, "\n")
    assert of(encoded) == [Run(0, len(encoded), ("base64",), plain)]


def test_what_follows_a_whole_line_is_not_taken_for_its_rest() -> None:
    line = b64(LONG[:57].encode())
    (run,) = of(f"{line}\nthe next line of prose\n")
    assert (run.text, run.end) == (LONG[:57], len(line))


@pytest.mark.parametrize("before", ["/api/v1/", "prefix_", "a-b-c/", "x", "xy", "xyz/"])
def test_a_run_that_begins_inside_other_letters_is_found(before: str) -> None:
    encoded = b64(f"user:{SECRET}".encode())
    assert any(f"user:{SECRET}" in run.text and run.end == len(before + encoded) for run in of(before + encoded))


def test_readable_parts_of_other_data_are_found() -> None:
    noise = random.Random(7)
    data = noise.randbytes(90) + SECRET.encode() + b"\x00" + noise.randbytes(91)
    for text in (b64(data), data.hex()):
        assert any(SECRET[:21] in run.text for run in of(text))


@pytest.mark.parametrize("before", ["", "x", "xy", "a/b", "path/to/"])
def test_a_long_run_is_found_wherever_it_begins(before: str) -> None:
    plain = LONG * 3
    encoded = b64(plain.encode())
    text = f"see {before}{encoded} and that"
    assert any(SECRET in run.text and run.end == 4 + len(before + encoded) for run in of(text))
    noise = random.Random(9)
    data = noise.randbytes(2000) + f" {SECRET} ".encode() + noise.randbytes(2000)
    hits = [run for run in of(before + b64(data)) if SECRET in run.text]
    assert len(hits) == 1
    whole = before + b64(data)
    place = len(before) + data.index(SECRET.encode()) // 3 * 4
    assert hits[0].start <= place < place + len(SECRET) // 3 * 4 <= hits[0].end <= len(whole)


@pytest.mark.parametrize("spoil", [lambda d: d[:-6], lambda d: d[:-8] + bytes(8), lambda d: d + b"trailing"])
def test_a_broken_end_hides_nothing_that_was_compressed(spoil: Callable[[bytes], bytes]) -> None:
    noise = random.Random(3)
    plain = SECRET + "".join(noise.choice("abcdefghij klmnop") for _ in range(9000))
    for data in (gzip.compress(plain.encode()), zlib.compress(plain.encode())):
        assert any(SECRET in run.text for run in of(b64(spoil(data))))


@pytest.mark.parametrize("plain", [SECRET, f"user:{SECRET}", LONG])
@pytest.mark.parametrize("level", [1, 6, 9])
def test_deflate_without_a_header_is_read_where_it_is_the_whole_text(plain: str, level: int) -> None:
    stream = zlib.compressobj(level, wbits=-15)
    encoded = b64(stream.compress(plain.encode()) + stream.flush())
    assert any(run.text == plain and (run.start, run.end) == (1, 1 + len(encoded)) for run in of(f" {encoded}\n"))


def test_each_member_of_a_gzip_is_read() -> None:
    data = gzip.compress(b"first member, nothing in it") + gzip.compress(SECRET.encode())
    assert any(SECRET in run.text for run in of(b64(data)))


def test_letters_written_as_tags_are_read() -> None:
    hidden = "".join(chr(0xE0000 + ord(c)) for c in SECRET)
    assert of(f"hi {hidden}!") == [Run(3, 3 + len(SECRET), ("tags",), SECRET)]


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog and internationalization counterrevolutionaries",
        "/usr/lib/python3/dist-packages/some_module/another_long_identifier_name/views_and_more.py",
        "const backgroundImageUrl=document.getElementsByClassName('someVeryLongClassNameForStyling')",
        "550e8400-e29b-41d4-a716-446655440000 d41d8cd98f00b204e9800998ecf8427e 2026-11-22T12:37:04Z",
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "00:1b:44:11:3a:b7 10.0.0.1:8080 1698765432 12,34,56",
    ],
)
def test_ordinary_text_holds_no_run(text: str) -> None:
    assert of(text) == []


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=12, max_size=200), st.sampled_from(AROUND))
def test_base64_of_any_text_is_found_exactly(plain: str, around: tuple[str, str]) -> None:
    before, after = around
    for encoded in (b64(plain.encode()), base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")):
        exact = Run(len(before), len(before) + len(encoded), ("base64",), plain)
        assert exact in of(before + encoded + after)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=8, max_size=200))
def test_hex_of_any_text_is_found_exactly(plain: str) -> None:
    for between in ("", ":", " ", "-"):
        encoded = plain.encode().hex(between) if between else plain.encode().hex()
        assert Run(5, 5 + len(encoded), ("hex",), plain) in of(f"key: {encoded}; end" if between != ";" else encoded)


@given(st.binary(max_size=400), st.sampled_from([b64, bytes.hex]))
def test_any_data_is_read_without_an_error(data: bytes, encode: Callable[[bytes], str]) -> None:
    text = f"x={encode(data)} "
    for run in of(text):
        assert 0 <= run.start < run.end <= len(text)
        assert not re.search("[\ud800-\udfff]", run.text)


@pytest.mark.parametrize(
    "alphabet", ["0123456789abcdef", "234567aA", "ABCDQRSTYZabcdghw0123+/_-", "0x26, 7:", "AQgwB01=%3D"]
)
def test_noise_in_the_digits_of_an_encoding_breaks_nothing(alphabet: str) -> None:
    chance = random.Random(alphabet)
    for size in (10, 100, 1000, 20_000):
        text = "".join(chance.choices(alphabet, k=size))
        assert all(0 <= run.start < run.end <= size for run in of(text))


@pytest.mark.parametrize(
    "piece", ["6162636465666768ff00", "YWJjZGVmZ2hpamts/+8A", "61:62:63:64:65:66:67:68:ff;", "0x61 "]
)
def test_letters_amid_noise_are_found_over_and_over(piece: str) -> None:
    assert len(of(piece * 500)) in (1, 500)


@pytest.mark.parametrize("join", ["", ":", " ", "-", ", "])
@pytest.mark.parametrize("before", ["\\", "\\\\", "a\\"])
def test_a_backslash_before_compressed_hex_is_no_part_of_it(before: str, join: str) -> None:
    digits = gzip.compress(b"a few words that are packed").hex(" ").replace(" ", join)
    (run,) = [run for run in of(f"{before}{digits} ") if "words" in run.text]
    assert run.start == len(before)
    of(f"{before}1f{join}8b{join}08f ")


def test_a_backslash_before_hex_bytes_that_begin_with_one_is_no_part_of_them() -> None:
    packed = "".join(f"\\x{byte:02x}" for byte in gzip.compress(b"a few words that are packed"))
    (run,) = [run for run in of(f"\\{packed} ") if "words" in run.text]
    assert run.start == 1
