"""Takes a JSON array apart while it is read: each element's text as soon as it is complete.

Not `ingest/split.py`: that one ends at the first element that is no JSON, in bounded time per piece, with
a problem for the client. Here broken UTF-8, NaN and the like are passed on, each element on a line of
its own, so that the API refuses that event alone; and no models are loaded, which takes a command long.
"""

import codecs
import itertools
import json
from collections.abc import Iterator

SPACE = " \t\r\n"

_scan = json.JSONDecoder().raw_decode


def elements(pieces: Iterator[bytes], element_bytes_max: int) -> Iterator[bytes]:
    """The elements of the array in `pieces`, which begin with its bracket; each on one line.

    Raises `ValueError` where the text is no array, after the elements before that.
    """
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    text, number, enough = "", 0, 0
    for piece in itertools.chain(pieces, (None,)):
        text += decode(piece or b"", piece is None)
        if piece is not None and len(text) < enough:
            continue
        at = 0  # of the bracket or comma before the next element
        while (found := _next(text, at)) is not None:
            element, at = found
            if len(element) > element_bytes_max:
                raise ValueError(
                    f"event {number + 1} of the array: more than {element_bytes_max:,} bytes"
                )
            if element:
                number += 1
                yield element
            if text[at] == "]":
                _check_end(text[at + 1 :], pieces)
                return
            if text[at] != ",":
                raise ValueError(f"after event {number} of the array comes no comma")
        text = text[at:]
        if len(text) > element_bytes_max:
            break
        enough = 2 * len(text)  # what is long is not scanned again for every piece of it
    raise ValueError(f"event {number + 1} of the array: {_why(text, element_bytes_max)}")


def _next(text: str, at: int) -> tuple[bytes, int] | None:
    """The element after the bracket or comma at `at`, and the place of what follows it.

    None when that is not all there. The element of an empty array is b"".
    """
    start = _skip(text, at + 1)
    if text[at : at + 1] == "[" and text[start : start + 1] == "]":
        return b"", start
    try:
        _, end = _scan(text, start)
    except (ValueError, RecursionError):
        return None
    stop = _skip(text, end)
    if stop == len(text):  # the next piece may go on with a digit
        return None
    # a line end can only stand between two tokens
    line = text[start:end].replace("\n", " ").replace("\r", " ")
    return line.encode("utf-8", "surrogateescape"), stop


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in SPACE:
        at += 1
    return at


def _check_end(text: str, pieces: Iterator[bytes]) -> None:
    if text.strip(SPACE) or any(piece.strip() for piece in pieces):
        raise ValueError("something follows the array")


def _why(text: str, element_bytes_max: int) -> str:
    if len(text) > element_bytes_max:
        return f"more than {element_bytes_max:,} bytes, or broken JSON"
    try:
        _scan(text, _skip(text, 1))
    except json.JSONDecodeError as error:
        return error.msg
    except RecursionError as error:
        return str(error)
    return "the array breaks off"
