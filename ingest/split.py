"""Takes a batch apart while it arrives: lines of NDJSON, elements of a JSON array.

Nothing but the borders is looked at, and no byte more than a few times, whatever the text: a piece
of `PIECE_BYTES` takes a millisecond or two at worst. Memory is what no border has ended yet.

Not `cli/json_array.py`: a command has time, and passes on an element that is no JSON, so that the API
refuses that one alone; here the first of them ends the request with a problem.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from contracts.encoding.dense import not_json
from contracts.encoding.parse import BOM
from contracts.problems import Problem

PIECE_BYTES = 64 * 1024
"""What a splitter is to be fed at most at a time."""
MANY_AT_ONCE_BYTES = 2 * PIECE_BYTES
BRACES_TRIED = 6
"""An event has three; one of the last few ends the last that is whole."""

_array = msgspec.json.Decoder(list[msgspec.Raw])  # splits an array, reads no further
_element = msgspec.json.Decoder(msgspec.Raw)
_blank_lines = re.compile(rb"\s*\n")
_border = re.compile(rb"\}\s*,")
_place = re.compile(r"(trailing characters )?\(byte ([0-9]+)\)")
BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Splitter(Protocol):
    """Whole events' texts out of pieces."""

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """The texts that `piece` completes; all to be taken before the next call. Raises as `end` does."""

    def end(self) -> Iterable[bytes]:
        """What is left at the end. Raises `Problem` 400, 405 or 413 when that is no whole."""


class Lines:
    """NDJSON: one event a line; blank lines are passed over."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """See `Splitter`."""
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            line = piece[start:end]
            if self._rest:
                line = bytes(self._rest + line)
                self._rest.clear()
            start = end + 1
            if (
                line
                and not line.isspace()
                and (line[0] != BOM[0] or line.removeprefix(BOM).strip())
            ):
                yield line
            elif blank := _blank_lines.match(piece, start):
                start = blank.end()
        self._rest += piece[start:] if self._rest else piece[start:].lstrip()

    def end(self) -> Iterator[bytes]:
        """See `Splitter`."""
        return self.feed(b"\n")


class Elements:
    """A JSON array. Its elements are taken many at once where they look like events, else one by one.

    An element that has more than `bytes_max` ends the reading: finding its end could cost any time.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._text = bytearray()  # from the bracket, later from behind it or the last comma
        self._enough = 0
        self._is_open = False
        self._taken = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """See `Splitter`."""
        self._text += piece if self._text else piece.lstrip()
        if len(self._text) < self._enough or not (self._is_open or self._open()):
            return
        self._enough = 0
        if len(self._text) <= MANY_AT_ONCE_BYTES:
            yield from self._many()
        yield from self._one_by_one()
        if len(self._text) > self._bytes_max:
            size = len(self._text)
            raise Problem(
                413,
                f"Event {self._taken + 1:,} of the array has {size:,} bytes or more;"
                f" the limit is {self._bytes_max:,} bytes.",
                extra={"size": size, "limit": self._bytes_max},
            )
        # what is long is not tried again for every piece of it
        self._enough = min(2 * len(self._text), self._bytes_max + 1)

    def end(self) -> Iterator[bytes]:
        """See `Splitter`."""
        if not self._is_open and not self._open():
            raise Problem(400, "The body is not JSON: it is empty.")
        if len(self._text) > MANY_AT_ONCE_BYTES:
            yield from self._one_by_one()
        try:
            found = _array.decode(b"[" + self._text)
        except BROKEN as error:
            raise not_json(error) from None
        if self._taken and not found:
            raise Problem(400, "The body is not JSON: the array ends with a comma.")
        yield from map(bytes, found)

    def _open(self) -> bool:
        """Pass over the opening bracket; False while it is not there. Raises `Problem` 400 or 405."""
        if len(self._text) < len(BOM) and BOM.startswith(self._text):
            return False
        self._text[:] = self._text.removeprefix(BOM).lstrip()
        if not self._text:
            return False
        if self._text[:1] != b"[":
            try:
                _element.decode(bytes(self._text))
            except BROKEN as error:
                if "truncated" not in str(error):
                    raise not_json(error) from None
            raise Problem(405, "The body must be a JSON array of events.")
        del self._text[:1]
        self._is_open = True
        return True

    def _many(self) -> list[bytes]:
        """All elements up to one of the last borders."""
        text = bytes(self._text)
        for border in _last_borders(text):
            try:
                found = _array.decode(b"[%b]" % text[: border + 1])
            except RecursionError as error:
                raise not_json(error) from None
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            del self._text[: text.index(b",", border) + 1]
            self._taken += len(found)
            return [bytes(element) for element in found]
        return []

    def _one_by_one(self) -> Iterator[bytes]:
        """The elements from the front that a comma follows."""
        text, start = bytes(self._text).lstrip(), 0
        view = memoryview(text)
        while (end := _behind_element(view[start:])) is not None:
            end += start
            if text[end : end + 1] == b"]":
                break
            if text[end : end + 1] != b",":
                raise Problem(400, f"After event {self._taken + 1:,} of the array comes no comma.")
            yield text[start:end]
            self._taken += 1
            start = end + 1
        self._text[:] = text[start:].lstrip()


def _behind_element(text: memoryview) -> int | None:
    """Where in `text` the first element's follower stands; None when that is not there yet."""
    try:
        _element.decode(text)
    except BROKEN as error:
        place = _place.search(str(error))
        if place and place[1]:
            return int(place[2]) - 1
        is_cut_off = "truncated" in str(error) or (place and int(place[2]) == len(text))
        if is_cut_off or bytes(text[:1]) == b"]":
            return None
        raise not_json(error) from None
    return None


def _last_borders(text: bytes) -> Iterator[int]:
    """Places, last first, of a brace before a comma: each may stand between two events."""
    end = len(text)
    for _ in range(BRACES_TRIED):
        end = text.rfind(b"}", 0, end)
        if end < 0:
            return
        if _border.match(text, end):
            yield end
