"""A batch comes apart the same however its text arrives."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.problems import Problem
from ingest.split import Elements, Lines, Splitter
from tests.builders import an_event, events

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
