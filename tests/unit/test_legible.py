"""What a search for text sees of a payload and a fault."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding.legible import folded, search_text
from tests.builders import texts


def seen(payload: bytes | None, fault: bytes | None = None) -> list[str]:
    return search_text(payload, fault).decode().split("\0")


@given(st.text(st.characters(max_codepoint=127, exclude_characters="\\")).map(str.encode))
def test_what_can_be_searched_where_it_is_stored_is_not_repeated(stored: bytes) -> None:
    assert search_text(stored, None) == search_text(None, stored) == b""


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (rb'{"M\u00fcLLER": "http:\/\/shop"}', ['{"müller": "http://shop"}']),
        ("ẞ ς".encode(), ["ss σ"]),  # noqa: RUF001
        (rb"\ud83d\udc5c \ud83d \udc5c", ["👜 \ufffd \ufffd"]),
        (rb"\\u00fc\\\"", ['\\u00fc\\"', 'ü"']),
        (rb'"{\"a\": \"M\\u00fc\"}"', ['"{"a": "m\\u00fc"}"', '"{"a": "mü"}"']),
        (rb"C:\Temp", []),
        (b"\xff\\t", ["\ufffd\\t", "\ufffd\t"]),
        (rb"a\u0000b", ["a\ufffdb"]),
    ],
)
def test_what_is_read(stored: bytes, expected: list[str]) -> None:
    assert seen(stored) == (expected or [""])
    assert seen(b"plain", stored) == (expected or [""])


@given(st.text(max_size=8), st.text(st.characters(max_codepoint=127, exclude_characters="\\")))
def test_few_letters_beyond_ascii_are_folded_as_many_are(letters: str, between: str) -> None:
    text = (between * 4).join(letters) + "é"
    assert seen(text.encode(errors="replace")) == [folded(text.encode(errors="replace").decode())]


@given(texts, st.booleans(), st.integers(1, 3))
def test_json_in_json_is_read_to_its_inmost_text(text: str, ascii_only: bool, layers: int) -> None:
    stored = text
    for _ in range(layers):
        stored = json.dumps(stored, ensure_ascii=ascii_only)
    readings = [folded(stored), *seen(stored.encode())]
    assert any(folded(text) in reading for reading in readings)


@pytest.mark.parametrize(
    "piece", [b"\\", b"\\\\", rb"\u00fc", rb"\"", "ΐ".encode(), b"\xff", b"\\\\u005c"]
)
def test_a_hostile_megabyte_is_read_in_time_and_bounded(piece: bytes) -> None:
    stored = piece * (750_000 // len(piece))
    began_s = time.process_time()
    deep = b"\\" * 16 + b"n"  # five readings of all of it
    assert len(search_text(stored, None)) <= 3 * len(stored)
    assert len(search_text(stored + deep, stored + deep)) <= 6 * len(stored + deep) + 1
    assert time.process_time() - began_s < 5


@pytest.mark.parametrize("letter", ["ΐ", "ü", "\U0001f45c"])
def test_what_is_over_the_bound_is_cut_behind_a_whole_character(letter: str) -> None:
    stored = (letter * 100_000).encode() + b"\\" * 16 + b"n"
    assert search_text(stored, b"").decode().startswith(folded(letter) * 100_000)


def test_a_payload_that_is_cut_takes_nothing_from_the_fault() -> None:
    deep = ("ΐ" * 100_000).encode() + b"\\" * 16 + b"n"
    assert seen(deep, rb"M\u00fcller")[-1] == "müller"
