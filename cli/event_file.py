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
    """One event per line from line `number` on; one in all when the first line alone is no JSON."""
    rest, is_ndjson = b"", False
    for piece in pieces:
        if not piece:
            yield PAUSE
        *lines, rest = (rest + piece).split(b"\n")
        if lines and not is_ndjson:
            if not _is_json(lines[0]):
                yield _document(itertools.chain((b"\n".join([*lines, rest]),), pieces))
                return
            is_ndjson = True
        for line in lines:
            if text := line.strip():
                yield Item(f"line {number}", text)
            number += 1
        if len(rest) > EVENT_BYTES_MAX:
            raise Unreadable(f"line {number} has more than {EVENT_BYTES_MAX:,} bytes")
    if rest.strip():
        yield Item(f"line {number}", rest.strip()) if is_ndjson else _document(iter((rest,)))


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _document(pieces: Iterator[bytes]) -> Item:
    text = b""
    for piece in pieces:
        text += piece
        if len(text) > EVENT_BYTES_MAX:
            raise Unreadable(
                f"neither NDJSON, nor one JSON document of at most {EVENT_BYTES_MAX:,} bytes"
            )
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"neither JSON nor NDJSON: {error}") from None
    return Item("the event", text)


def _elements(pieces: Iterator[bytes]) -> Iterator[Item]:
    try:
        for number, body in enumerate(elements(pieces, EVENT_BYTES_MAX), 1):
            yield Item(f"event {number}", body)
    except ValueError as error:
        raise Unreadable(str(error)) from None
