"""A batch comes apart the same however its text arrives."""

import itertools
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.problems import Problem
from ingest.split import Elements, Lines, Splitter
from tests.builders import an_event, events

PIECES = list(range(0, 2_000_000, 65_536))
CUTS = st.lists(st.integers(0, 3000), max_size=6)
TRICKY = st.sampled_from(['"},{"', "}", "},", '\\"}, {', "]", "["])
EVENTS = st.lists(events | TRICKY.map(lambda text: an_event(entity_id=text)), max_size=6)


def split(splitter: Splitter, text: bytes, cuts: list[int]) -> list[bytes]:
    """The texts when `text` arrives in pieces."""
    borders = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    found: list[bytes] = []
    for start, end in itertools.pairwise(borders):
        found += splitter.feed(text[start:end])
    return [*found, *splitter.end()]


@given(EVENTS, CUTS, st.sampled_from([b"\n", b"\r\n", b"\n\n  \n"]), st.booleans())
def test_lines(posted: list[dict[str, Any]], cuts: list[int], end: bytes, ended: bool) -> None:
    text = end.join(json.dumps(event).encode() for event in posted) + end * ended
    assert [json.loads(line) for line in split(Lines(), text, cuts)] == posted


@given(EVENTS, CUTS, st.sampled_from([None, 1]))
def test_elements(posted: list[dict[str, Any]], cuts: list[int], indent: int | None) -> None:
    text = json.dumps(posted, indent=indent, ensure_ascii=False).encode()
    assert [json.loads(element) for element in split(Elements(1_000_000), text, cuts)] == posted


@given(EVENTS, CUTS, st.text(" \t\r\n", max_size=9))
def test_a_byte_order_mark_and_blanks_around_everything(
    posted: list[dict[str, Any]], cuts: list[int], blank: str
) -> None:
    around = blank.encode()
    texts = [json.dumps(event).encode() for event in posted]
    array = around + b"[" + (b"%b,%b" % (around, around)).join(texts) + around + b"]" + around
    lines = around + b"\n" + (around + b"\n").join(texts)
    for splitter, text in ((Elements(1_000_000), array), (Lines(), lines)):
        found = split(splitter, b"\xef\xbb\xbf" + text, cuts)
        assert [json.loads(each) for each in found] == posted


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(values, min_size=1, max_size=12), CUTS)
def test_any_array_comes_apart(posted: list[Any], cuts: list[int]) -> None:
    text = json.dumps(posted, ensure_ascii=False).encode()
    assert [json.loads(each) for each in split(Elements(1_000_000), text, cuts)] == posted


def test_elements_of_many_pieces_are_whole_and_in_order() -> None:
    posted = [{"a": "x" * size, "b": {"c": [size]}} for size in (10, 300_000, 0, 70_000, 500, 1)]
    text = json.dumps(posted * 3).encode()
    assert [json.loads(each) for each in split(Elements(1_000_000), text, PIECES)] == posted * 3


@pytest.mark.parametrize(
    "element",
    [b'"' + b"x" * 2000, b"[" + b"0," * 1000, b"{" + b'"a":{},' * 300, b"{} " + b" " * 2000],
)
def test_an_element_that_passes_the_limit_ends_the_reading(element: bytes) -> None:
    splitter = Elements(1000)
    assert list(splitter.feed(b"[{},{},")) == [b"{}", b"{}"]
    with pytest.raises(Problem) as refused:
        split(splitter, element, list(range(0, len(element), 500)))
    assert refused.value.status == 413
    assert refused.value.extra["limit"] == 1000
    assert "Event 3 of the array" in refused.value.detail


@pytest.mark.parametrize("splitter", [Lines(), Elements(1_000_000)])
def test_blanks_are_not_kept(splitter: Lines | Elements) -> None:
    for _ in range(300):
        assert list(splitter.feed(b" " * 65_536)) == []
    for _ in range(300):
        assert list(splitter.feed(b" \n" * 32_768)) == []
    assert sys.getsizeof(vars(splitter).get("_rest", vars(splitter).get("_text"))) < 1000


@pytest.mark.parametrize("start", [b"", b"[", b"[{},", b"[" * 50_000 + b"{},"])
def test_an_array_that_is_nested_too_deeply_is_a_bad_request(start: bytes) -> None:
    splitter = Elements(1_000_000)
    with pytest.raises(Problem) as refused:
        split(splitter, start + b"[" * 100_000, PIECES)
    assert refused.value.status == 400
    assert "nested too deeply" in refused.value.detail


def test_elements_are_there_before_the_array_ends() -> None:
    splitter = Elements(1_000_000)
    assert len(list(splitter.feed(b'[{"a":{"b":1}},{"a":"},"},{"a"'))) == 2


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"", 400),
        (b"[", 400),
        (b"[{}", 400),
        (b"[{},", 400),
        (b"[{},]", 400),
        (b"[{}] x", 400),
        (b"[{} {}]", 400),
        (b"[{}, nul]", 400),
        (b"[{}, ]", 400),
        (b"[,{}]", 400),
        (b"[1 2]", 400),
        (b"]", 400),
        (b"\xef\xbb\xbf", 400),
        (b"\xef\xbb", 400),
        (b"[\xff]", 400),
        (b"{}", 405),
        (b"1", 405),
    ],
)
@given(cuts=CUTS)
def test_what_is_no_array_is_refused(text: bytes, status: int, cuts: list[int]) -> None:
    with pytest.raises(Problem) as refused:
        split(Elements(1_000_000), text, cuts)
    assert refused.value.status == status
