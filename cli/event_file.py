"""The events in a file or a stream: one JSON event, a JSON array of them, or NDJSON.

Read in pieces, so that a file of any length takes the memory of a few events. Their texts are
passed on unchanged: judging them is the API's part.
"""

import itertools
import json
import select
from collections.abc import Iterator
from io import BufferedIOBase
from typing import NamedTuple

from cli.json_array import elements

EVENT_BYTES_MAX = 8 * 1024 * 1024  # far more than the API takes, so that the API says so
PIECE_BYTES = 256 * 1024
PAUSE_S = 0.2
BOM = b"\xef\xbb\xbf"


class Item(NamedTuple):
    """One event's JSON text and where it stood, such as `line 3`."""

    place: str
    body: bytes


PAUSE = Item("", b"")
"""Stands between events where a stream has had nothing more for `PAUSE_S`."""


class Unreadable(Exception):
    """From here on the text is none of the three; the message says where and why."""


def read_events(file: BufferedIOBase) -> Iterator[Item]:
    """The events in `file`, by what it begins with. Raises `Unreadable`, perhaps after some events."""
    pieces, text = _pieces(file), b""
    for piece in pieces:
        text = (text + piece).removeprefix(BOM)
        if text.strip():
            break
    start = text.lstrip()
    rest = itertools.chain((start,), pieces)
    if start.startswith(b"["):
        return _elements(rest)
    return _lines(rest, 1 + text.count(b"\n", 0, len(text) - len(start)))


def size_bytes(file: BufferedIOBase) -> int | None:
    """How much there is to read; None for a stream, where only its end tells."""
    if not file.seekable():
        return None
    position = file.tell()
    end = file.seek(0, 2)
    file.seek(position)
    return end - position


def _pieces(file: BufferedIOBase) -> Iterator[bytes]:
    """What `file` has, as it comes; b"" each time a stream has had nothing for `PAUSE_S`."""
    is_stream = not file.seekable()
    while True:
        if is_stream and not select.select([file], [], [], PAUSE_S)[0]:
            yield b""
        piece = file.read1(PIECE_BYTES)  # what there is: it does not wait for all of it
        if not piece:
            return
        yield piece


def _lines(pieces: Iterator[bytes], number: int) -> Iterator[Item]:
    """One event per line from line `number` on; one in all when all is one JSON document."""
    rest, is_ndjson = b"", False
    for piece in pieces:
        if not piece:
            yield PAUSE
        rest += piece
        if not is_ndjson and not (is_ndjson := _is_ndjson(rest, is_all=not piece)):
            if len(rest) > EVENT_BYTES_MAX:
                raise Unreadable(
                    f"neither NDJSON, nor one JSON document of at most {EVENT_BYTES_MAX:,} bytes"
                )
            continue
        *lines, rest = rest.split(b"\n")
        for line in lines:
            if text := line.strip():
                yield Item(f"line {number}", text)
            number += 1
        if len(rest) > EVENT_BYTES_MAX:
            raise Unreadable(f"line {number} has more than {EVENT_BYTES_MAX:,} bytes")
    if not rest.strip():
        return
    if not is_ndjson and (error := _why_not_json(rest)):
        if not _is_ndjson(rest, is_all=True):
            raise Unreadable(f"neither JSON nor NDJSON: {error}")
        is_ndjson = True
    if not is_ndjson:
        yield Item("the event", rest)
        return
    for place, line in enumerate(rest.split(b"\n"), number):
        if text := line.strip():
            yield Item(f"line {place}", text)


def _is_ndjson(text: bytes, is_all: bool) -> bool:
    """Whether `text` is of lines that stand for themselves.

    It is when the first is JSON. When that is broken, or holds two events, another line that is an
    object tells; but only once `is_all` is there, for such a line may be part of one document.
    """
    first, *lines = text.split(b"\n", 1)
    if not lines:
        return False
    if not _why_not_json(first):
        return True
    is_due = is_all or len(text) > EVENT_BYTES_MAX
    return is_due and bool(_why_not_json(text)) and any(map(_is_object, lines[0].split(b"\n")))


def _is_object(line: bytes) -> bool:
    line = line.strip()
    return line.startswith(b"{") and line.endswith(b"}") and not _why_not_json(line)


def _why_not_json(text: bytes) -> str:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        return str(error)
    return ""


def _elements(pieces: Iterator[bytes]) -> Iterator[Item]:
    try:
        for number, body in enumerate(elements(pieces, EVENT_BYTES_MAX), 1):
            yield Item(f"event {number}", body)
    except ValueError as error:
        raise Unreadable(str(error)) from None
