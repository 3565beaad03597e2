"""One event, an array or NDJSON: told apart by the first line, and none lost or changed."""

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import event_file
from cli.event_file import Item, Unreadable, read_events

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
documents = st.lists(st.dictionaries(st.text(), values, max_size=4), min_size=1, max_size=6)


def parsed(text: bytes) -> list[Any]:
    return [json.loads(item.body) for item in read_events(io.BytesIO(text))]


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
    items = list(read_events(io.BytesIO(b'{"a":1}\n\n{"a":1,"a":\n{"b":2}\n')))
    assert [(item.place, item.body) for item in items] == [
        ("line 1", b'{"a":1}'),
        ("line 3", b'{"a":1,"a":'),
        ("line 4", b'{"b":2}'),
    ]


FIRST_LINES = [b'{"a":1,"a":', b"rubbish", b'{"a":1} {"b":2}', b'{"a":1},', b"\xff", b"{"]


@pytest.mark.parametrize("first", FIRST_LINES)
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
@pytest.mark.parametrize("size", [5, 1000])
def test_a_broken_first_line_is_one_of_them(first: bytes, end: bytes, size: int) -> None:
    text = first + b'\n{"a":\n{"b":2}\n\n{"c":3}' + end
    assert list(read_events(io.BufferedReader(Trickle(text, size)))) == [
        ("line 1", first),
        ("line 2", b'{"a":'),
        ("line 3", b'{"b":2}'),
        ("line 5", b'{"c":3}'),
    ]


def test_a_broken_first_line_of_a_large_file_is_one_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_file, "EVENT_BYTES_MAX", 50)
    monkeypatch.setattr(event_file, "PIECE_BYTES", 20)
    items = list(read_events(io.BytesIO(b"{broken\n" + b'{"a":1}\n' * 100)))
    assert [item.body for item in items] == [b"{broken", *[b'{"a":1}'] * 100]


def test_objects_on_lines_of_their_own_within_one_event_are_no_events() -> None:
    text = b'{"a":[\n{"b":1}\n,\n{"c":2}\n]}'
    for size in (1, 7, 1000):
        items = list(read_events(io.BufferedReader(Trickle(text, size))))
        assert [item.body for item in items] == [text]


def test_repeated_keys_of_one_event_are_left_for_the_api_to_refuse() -> None:
    text = b'{\n"a":1,\n"a":2}'
    assert [item.body for item in read_events(io.BytesIO(text))] == [text]


def test_a_byte_order_mark_is_no_part_of_the_event() -> None:
    assert parsed(b"\xef\xbb\xbf" + b'{"a":1}') == [{"a": 1}]
    assert parsed(b"\xef\xbb\xbf" + b'[{"a":1}]') == [{"a": 1}]


@given(documents, st.integers(1, 40), st.sampled_from([None, 2]))
def test_it_does_not_matter_how_a_file_comes_in_pieces(
    events: list[Any], size: int, indent: int | None
) -> None:
    array = json.dumps(events, indent=indent, ensure_ascii=False).encode()
    lines = b"\n".join(json.dumps(event).encode() for event in events)
    for text in (array, lines):
        pieces = io.BufferedReader(Trickle(text, size))
        assert [json.loads(item.body) for item in read_events(pieces)] == events


class Trickle(io.RawIOBase):
    """A file that gives `size` bytes at a time, and counts what was taken."""

    def __init__(self, text: bytes, size: int) -> None:
        self._text, self._size, self.taken = text, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._text[self.taken : self.taken + min(self._size, len(buffer))]
        buffer[: len(piece)] = piece
        self.taken += len(piece)
        return len(piece)


@pytest.mark.parametrize("text", [b'{"a":1}\n' * 100_000, b"[" + b'{"a":1},' * 100_000 + b"0]"])
def test_events_are_read_as_they_are_asked_for(text: bytes) -> None:
    raw = Trickle(text, 1000)
    events = read_events(io.BufferedReader(raw))
    assert json.loads(next(events).body) == {"a": 1}
    assert raw.taken <= 2000


def test_a_large_file_takes_the_memory_of_a_few_events(tmp_path: Path) -> None:
    line, path = json.dumps({"a": "x" * 1000}).encode() + b"\n", tmp_path / "events.ndjson"
    with path.open("wb") as out:
        for _ in range(40_000):
            out.write(line)
    tracemalloc.start()
    with path.open("rb") as file:
        assert sum(1 for _ in read_events(file)) == 40_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < path.stat().st_size / 10


@pytest.mark.parametrize(
    ("text", "read", "message"),
    [
        (b'[{"a":1} {"b":2}]', 1, "after event 1 of the array comes no comma"),
        (b'[{"a":1},{"b":]', 1, "event 2 of the array: Expecting value"),
        (b'[{"a":1},', 1, "event 2 of the array: Expecting value"),
        (b'[{"a":1}', 0, "event 1 of the array: the array breaks off"),
        (b'[{"a":1}]{"b":2}', 1, "something follows the array"),
        (b'[{"a":"' + b"x" * 60 + b'"}]', 0, "event 1 of the array: more than 50 bytes"),
        (b'{"a":\n1' + b" " * 60 + b"}", 0, "nor one JSON document of at most 50 bytes"),
        (b'{"a":1}\n{"b":"' + b"x" * 60, 1, "line 2 has more than 50 bytes"),
    ],
)
def test_a_file_is_read_up_to_where_it_is_none(
    monkeypatch: pytest.MonkeyPatch, text: bytes, read: int, message: str
) -> None:
    monkeypatch.setattr(event_file, "EVENT_BYTES_MAX", 50)
    monkeypatch.setattr(event_file, "PIECE_BYTES", 20)
    found: list[Item] = []
    with pytest.raises(Unreadable, match=message):
        found.extend(read_events(io.BytesIO(text)))
    assert len(found) == read
