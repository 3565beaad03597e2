"""One event, an array or NDJSON: told apart by the first line, and none lost or changed."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import event_file
from cli.event_file import read_events

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
documents = st.lists(st.dictionaries(st.text(), values, max_size=4), min_size=1, max_size=6)


def parsed(text: bytes) -> list[Any]:
    file = read_events(io.BytesIO(text))
    events = [json.loads(item.body) for item in file.events]
    assert file.total == len(events)
    return events


@given(documents, st.sampled_from([None, 2]))
def test_an_array_gives_its_events_in_order(events: list[Any], indent: int | None) -> None:
    assert parsed(json.dumps(events, indent=indent).encode()) == events


@given(documents, st.booleans(), st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
def test_ndjson_gives_its_events_in_order(
    events: list[Any], escaped: bool, line_end: bytes
) -> None:
    lines = [json.dumps(each, ensure_ascii=escaped).encode() for each in events]
    assert parsed(line_end.join(lines)) == events
    assert parsed(b"\n" + line_end.join([*lines, b""])) == events


@given(st.dictionaries(st.text(), values))
def test_one_event_over_many_lines_is_one_event(event: dict[str, Any]) -> None:
    assert parsed(json.dumps(event, indent=2).encode()) == [event]


def test_a_broken_line_is_passed_on_for_the_api_to_refuse() -> None:
    items = list(read_events(io.BytesIO(b'{"a":1}\n\n{"a":1,"a":\n{"b":2}\n')).events)
    assert [(item.place, item.body) for item in items] == [
        ("line 1", b'{"a":1}'),
        ("line 3", b'{"a":1,"a":'),
        ("line 4", b'{"b":2}'),
    ]


def test_repeated_keys_of_one_event_are_left_for_the_api_to_refuse() -> None:
    text = b'{\n"a":1,\n"a":2}'
    assert [item.body for item in read_events(io.BytesIO(text)).events] == [text]


def test_a_byte_order_mark_is_no_part_of_the_event() -> None:
    assert parsed(b"\xef\xbb\xbf" + b'{"a":1}') == [{"a": 1}]
    assert parsed(b"\xef\xbb\xbf" + b'[{"a":1}]') == [{"a": 1}]


class Pipe(io.BytesIO):
    """A stream that can be read once."""

    def seekable(self) -> bool:
        return False

    def seek(self, *arguments: Any) -> int:
        raise OSError("a pipe cannot seek")


def test_the_lines_of_a_stream_are_read_as_they_are_asked_for() -> None:
    pipe = Pipe(b'{"a":1}\n' * 100)
    events, total = read_events(pipe)
    assert total is None
    next(events)
    assert len(pipe.read()) == 99 * 8


def test_a_document_that_does_not_fit_in_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_file, "DOCUMENT_BYTES_MAX", 30)
    assert parsed(b'[{"a":1},\n{"a":2},\n{"a":3}]') == [{"a": 1}, {"a": 2}, {"a": 3}]
    with pytest.raises(ValueError, match="more than 30 bytes; write one event per line"):
        read_events(io.BytesIO(b'[{"a":1},\n{"a":2},\n{"a":3},{"a":4}]'))
