"""What the index looks up: for a predicate the keys it lies under, for a value the keys to look at.

A key has a shape (`kind`, `size`), so that an event's value is cut only in the ways that some
subscription asks for. Shapes that are `lossy` give candidates, which are verified.
"""

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from contracts.filters.predicates import (
    Cidr,
    Exact,
    Exists,
    IgnoreCase,
    Numeric,
    Predicate,
    Prefix,
    Suffix,
    Wildcard,
    address_of,
    width,
)
from contracts.filters.values import Value, fold, number_in

GRAMS = (16, 8, 4, 2, 1)
"""Lengths of the parts of a text that wildcards are found by: the longest that one's literal has."""
PREFIX_MAX = 32
"""Characters by which a prefix or suffix is looked up; longer ones are candidates."""

Shape = tuple[str, int]

EXACT: Shape = ("exact", 0)
PRESENT: Shape = ("present", 0)
ABOVE: Shape = ("above", 0)
"""Half-lines of numbers are no keys but bounds in an order; so are those below."""
BELOW: Shape = ("below", 0)

FROM_MAX = 16
"""Characters of a literal that are looked up from a delimiter on."""
LOSSY = {
    "fold",
    "fold prefix",
    "fold suffix",
    "prefix part",
    "suffix part",
    "gram",
    "cell",
    "above",
    "below",
}


def is_lossy(shape: Shape) -> bool:
    """Whether a value under the same key may still be another one."""
    return shape[0] in LOSSY or shape[0].startswith("from")


def keys_of(predicate: Predicate) -> list[tuple[Shape, Any]] | None:
    """The shapes and keys under one of which each value lies that it accepts; None: there are none."""
    match predicate:
        case Exact(value):
            return [(EXACT, value)]
        case Exists(True):
            return [(PRESENT, None)]
        case Prefix(text):
            return [_cut(text, "prefix")]
        case Suffix(text):
            return [_cut(text, "suffix")]
        case IgnoreCase(text, "whole"):
            return [(("fold", 0), fold(text))]
        case IgnoreCase(text, part):
            folded = fold(text)
            folded = folded[:PREFIX_MAX] if part == "prefix" else folded[-PREFIX_MAX:]
            return [((f"fold {part}", len(folded)), folded)]
        case Wildcard(pieces):
            return [_wildcard(pieces)]
        case Cidr(version, network, bits):
            return [(("cidr", version << 8 | bits), network)]
        case Numeric():
            return _numeric(predicate)
    return None


def _cut(text: str, kind: str) -> tuple[Shape, Any]:
    if len(text) <= PREFIX_MAX:
        return (kind, len(text)), text
    part = text[:PREFIX_MAX] if kind == "prefix" else text[-PREFIX_MAX:]
    return (f"{kind} part", PREFIX_MAX), part


def _wildcard(pieces: tuple[str, ...]) -> tuple[Shape, Any]:
    """By its beginning or its end, which cost one look, else by its longest literal."""
    if len(pieces) == 1:
        return EXACT, pieces[0]
    first, last = pieces[0][:PREFIX_MAX], pieces[-1][-PREFIX_MAX:]
    longest = max(pieces, key=len)
    enough = min(len(longest), 4)
    if len(first) >= max(len(last), enough):
        return ("prefix part", len(first)), first
    if len(last) >= enough:
        return ("suffix part", len(last)), last
    if key := _from_delimiter(pieces, longest):
        return key
    size = next(size for size in GRAMS if size <= len(longest))
    middle = (len(longest) - size) // 2
    return ("gram", size), longest[middle : middle + size]


def _from_delimiter(pieces: tuple[str, ...], longest: str) -> tuple[Shape, Any] | None:
    """A literal as `/1234/` is looked for where the text has its delimiter, in few places."""
    for at, each in enumerate(longest[:-2]):
        if not (each.isascii() and each.isalnum()):
            part = longest[at : at + FROM_MAX]
            whole = part == longest and pieces == ("", longest, "")
            return (f"{'has' if whole else 'from'}{each}", len(part)), part
    return None


def _numeric(predicate: Numeric) -> list[tuple[Shape, Any]]:
    low, high = predicate.lower, predicate.upper
    if low is None:
        return [(BELOW, high)]
    if high is None:
        return [(ABOVE, low)]
    if low == high:
        return [(("number", 0), low)]
    size = math.frexp(high - low)[1] if math.isfinite(high - low) else 1025
    first, last = _cell(low, size), _cell(high, size)
    if first is None or last is None:
        return [(ABOVE, low)]
    return [(("cell", size), cell) for cell in {first, last}]


def _cell(number: float, size: int) -> int | None:
    """Which of the intervals of the length 2^size it lies in; a range of that size is in two at most.

    None where a double ends: there is no such range.
    """
    try:
        return math.floor(math.ldexp(number, -size))
    except OverflowError:
        return None


@lru_cache(maxsize=1024)
def cutter(shape: Shape, of_text: bool) -> Callable[[Value], Iterable[Any]]:
    """The function from a value to its keys of `shape`; `of_text`: numbers are spelled as texts."""
    kind, size = shape
    if kind in ("number", "cell", "above", "below"):
        return _number_cutter(kind, size, of_text)
    if kind == "present":
        return lambda value: (None,)
    cut = _text_cutter(kind, size)
    return lambda value: cut(value) if type(value) is str else ()


def _number_cutter(kind: str, size: int, of_text: bool) -> Callable[[Value], Iterable[Any]]:
    def cut(value: Value) -> Iterable[Any]:
        number = value if type(value) is float else None
        if of_text and type(value) is str:
            number = number_in(value)
        if number is None:
            return ()
        return (_cell(number, size),) if kind == "cell" else (number,)

    return cut


def _text_cutter(kind: str, size: int) -> Callable[[str], Iterable[Any]]:
    match kind:
        case "prefix" | "prefix part":
            return lambda text: (text[:size],) if len(text) >= size else ()
        case "suffix" | "suffix part":
            return lambda text: (text[len(text) - size :],) if len(text) >= size else ()
        case "fold":
            return lambda text: (fold(text),)
        case "fold prefix":
            return lambda text: (fold(text)[:size],)
        case "fold suffix":
            return lambda text: (fold(text)[-size:] if size else "",)
        case "gram":
            return lambda text: {text[at : at + size] for at in range(len(text) - size + 1)}
        case "cidr":
            return lambda text: _networks(text, size)
        case _ if kind.startswith(("has", "from")):
            return lambda text: _from(text, kind[-1], size)
    raise AssertionError(kind)


def _from(text: str, delimiter: str, size: int) -> Iterable[str]:
    """The parts of that size that begin with the delimiter."""
    parts = []
    end = len(text) - size
    at = text.find(delimiter)
    while 0 <= at <= end:
        parts.append(text[at : at + size])
        at = text.find(delimiter, at + 1)
    return parts


def _networks(text: str, size: int) -> Iterable[int]:
    version, bits = size >> 8, size & 0xFF
    address = address_of(text)
    if address is None or address[0] != version:
        return ()
    return (address[1] >> (width(version) - bits),)
