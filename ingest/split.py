"""Takes a batch apart while it arrives: lines of NDJSON, elements of a JSON array.

Nothing but the borders is looked at. Memory is what no border has ended yet.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from contracts.problems import Problem

_array = msgspec.json.Decoder(list[msgspec.Raw])  # splits an array, reads no further
_border = re.compile(rb"\}\s*,")
BORDERS_TRIED = 8
"""An event has two such places inside; only the last few can be the last between two events."""


class Splitter(Protocol):
    """Whole events' texts out of pieces."""

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """The texts that `piece` completes; to be taken before the next call."""

    def end(self) -> Iterable[bytes]:
        """What is left at the end. Raises `Problem` 400 or 405 when that is no whole."""


class Lines:
    """NDJSON: one event a line; blank lines are passed over."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """See `Splitter`."""
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            line = b"".join((*self._rest, piece[start:end])) if self._rest else piece[start:end]
            self._rest.clear()
            start = end + 1
            if line and not line.isspace():
                yield line
        if start < len(piece):
            self._rest.append(piece[start:])

    def end(self) -> Iterator[bytes]:
        """See `Splitter`."""
        return self.feed(b"\n")


class Elements:
    """A JSON array. Where its text breaks off is known only at the end."""

    def __init__(self) -> None:
        self._text = b""
        self._enough = 0
        self._begun = False

    def feed(self, piece: bytes) -> list[bytes]:
        """See `Splitter`."""
        self._text += piece
        if len(self._text) < self._enough:
            return []
        for border in _last_borders(self._text):
            try:
                found = _array.decode(self._opened(self._text[: border + 1]) + b"]")
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            self._text = self._text[self._text.index(b",", border) + 1 :]
            self._begun = True
            self._enough = 0
            return [bytes(element) for element in found]
        self._enough = 2 * len(self._text)  # what is long is not tried again for every piece of it
        return []

    def end(self) -> list[bytes]:
        """See `Splitter`."""
        text = self._opened(self._text)
        try:
            found = _array.decode(text)
        except msgspec.ValidationError:
            raise Problem(405, "The body must be a JSON array of events.") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Problem(400, f"The body is not JSON: {error}.") from None
        if self._begun and not found:
            raise Problem(400, "The body is not JSON: the array ends with a comma.")
        return [bytes(element) for element in found]

    def _opened(self, text: bytes) -> bytes:
        return b"[" + text if self._begun else text


def _last_borders(text: bytes) -> Iterator[int]:
    """Places, last first, of a brace before a comma: each may stand between two events."""
    end = len(text)
    for _ in range(BORDERS_TRIED):
        end = text.rfind(b"}", 0, end)
        if end < 0:
            return
        if _border.match(text, end):
            yield end
