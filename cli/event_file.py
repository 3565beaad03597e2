"""The events in a file or a stream: one JSON event, a JSON array of them, or NDJSON.

NDJSON is read line by line, whatever its length; the other two are one document, held in memory.
Texts are passed on unchanged where that is possible: judging them is the API's part.
"""

import itertools
import json
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

DOCUMENT_BYTES_MAX = 256 * 1024 * 1024
BOM = b"\xef\xbb\xbf"


class Item(NamedTuple):
    """One event's JSON text and where it stood, such as `line 3`."""

    place: str
    body: bytes


class EventFile(NamedTuple):
    """The events, and how many there are; None when only the end of a stream tells."""

    events: Iterator[Item]
    total: int | None


def read_events(file: BinaryIO) -> EventFile:
    """The events in `file`, by what its first line is. Raises `ValueError` when it is none of them."""
    blank = 0
    while (first := file.readline(DOCUMENT_BYTES_MAX + 1)) and not first.strip():
        blank += 1
    first = first.removeprefix(BOM)
    if _is_line_of_ndjson(first):
        remaining = _count_lines(file)
        lines = enumerate(itertools.chain((first,), file), blank + 1)
        events = (Item(f"line {n}", line.strip()) for n, line in lines if line.strip())
        return EventFile(events, None if remaining is None else 1 + remaining)
    text = first + file.read(DOCUMENT_BYTES_MAX + 1 - len(first))
    if len(text) > DOCUMENT_BYTES_MAX:
        raise ValueError(
            f"one JSON document of more than {DOCUMENT_BYTES_MAX:,} bytes;"
            " write one event per line (NDJSON), then any length will do"
        )
    return _read_document(text)


def _is_line_of_ndjson(line: bytes) -> bool:
    try:
        return not isinstance(json.loads(line), list)
    except ValueError:
        return False


def _count_lines(file: BinaryIO) -> int | None:
    """How many lines with something on them follow; None for a stream, which is read but once."""
    if not file.seekable():
        return None
    position = file.tell()
    lines = sum(1 for line in file if line.strip())
    file.seek(position)
    return lines


def _read_document(text: bytes) -> EventFile:
    if not text.strip():
        return EventFile(iter(()), 0)
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ValueError(f"neither JSON nor NDJSON: {error}") from None
    if not isinstance(document, list):
        return EventFile(iter([Item("the event", text)]), 1)
    items = (Item(f"event {n}", json.dumps(event).encode()) for n, event in enumerate(document, 1))
    return EventFile(items, len(document))
