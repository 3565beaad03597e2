"""What changed between two documents: JSON place by place, other text by line.

Bounded, and says when it is cut. Both documents are walked side by side,
so that no path is written out but those that are shown.
"""

import difflib
import io
import json
from collections.abc import Iterator
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

from console.reading.documents import Document

CHANGES_MAX = 200
PLACES_MAX = 20_000
"""Objects, lists and leaves that are looked at."""
LINES_MAX = 400
VALUE_CHARACTERS_MAX = 500
PATH_CHARACTERS_MAX = 200


class Change(NamedTuple):
    """One place. `before` is None for what was added, `after` for what is gone."""

    path: str
    before: str | None
    after: str | None


class Changes(NamedTuple):
    """What differs; `of` counts all of it, `cut` says that not all was compared."""

    found: list[Change]
    of: int
    cut: bool = False


class Place(NamedTuple):
    """Where a value lies: in what, and by which name or number in it."""

    above: "Place | None"
    step: str | int


class Absent(Enum):
    """What one of the documents does not have."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT
Both = tuple[Place | None, Any, Any]
"""A place, what lay there before, and what lies there now."""


def changes(before: Document, after: Document) -> Changes:
    """Of two JSON documents the leaves that differ, of two texts the lines."""
    if before.kind == after.kind == "json":
        return _leaves(before.value, after.value)
    if before.data == after.data:
        return Changes([], 0)
    if "bytes" in (before.kind, after.kind):
        sizes = Change("size", f"{len(before.data):,} bytes", f"{len(after.data):,} bytes")
        return Changes([sizes], 1)
    return _lines(before.text, after.text)


def _leaves(before: Any, after: Any) -> Changes:
    """Without recursion: a document may be deep."""
    found: list[Change] = []
    of, left = 0, PLACES_MAX
    stack: list[Iterator[Both]] = [iter([(None, before, after)])]
    while stack and left:
        both = next(stack[-1], None)
        if both is None:
            stack.pop()
            continue
        left -= 1
        if (below := _below(*both)) is not None:
            stack.append(below)
        elif _differ(*both[1:]):
            of += 1
            if len(found) < CHANGES_MAX:
                found.append(Change(_path(both[0]), _shown(both[1]), _shown(both[2])))
    return Changes(found, of, bool(stack))


def _below(place: Place | None, before: Any, after: Any) -> Iterator[Both] | None:
    """What lies in the two; None when they are leaves, an empty object or list among them."""
    if type(before) is type(after) or before is ABSENT or after is ABSENT:
        there = [each for each in (before, after) if each is not ABSENT]
        if isinstance(there[0], dict) and any(there):
            return _members(place, *({} if it is ABSENT else it for it in (before, after)))
        if isinstance(there[0], list) and any(there):
            return _elements(place, *([] if it is ABSENT else it for it in (before, after)))
        return None
    if any(isinstance(each, dict | list) and each for each in (before, after)):
        return iter([(place, before, ABSENT), (place, ABSENT, after)])
    return None


def _members(place: Place | None, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Both]:
    for name, value in after.items():
        yield Place(place, name), before.get(name, ABSENT), value
    for name, value in before.items():
        if name not in after:
            yield Place(place, name), value, ABSENT


def _elements(place: Place | None, before: list[Any], after: list[Any]) -> Iterator[Both]:
    for number in range(max(len(before), len(after))):
        was, is_ = (it[number] if number < len(it) else ABSENT for it in (before, after))
        yield Place(place, number), was, is_


def _differ(before: Any, after: Any) -> bool:
    """A number and the text of it do."""
    return type(before) is not type(after) or before != after


def _path(place: Place | None) -> str:
    """As it is written; of a long one the end."""
    steps: list[str] = []
    size = 0
    while place is not None and size < PATH_CHARACTERS_MAX:
        step = place.step
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step[:PATH_CHARACTERS_MAX]}")
        size += len(steps[-1])
        place = place.above
    path = "".join(reversed(steps)).removeprefix(".")
    return ("…" if place is not None else "") + path[-PATH_CHARACTERS_MAX:] or "$"


def _shown(value: Any) -> str | None:
    if value is ABSENT:
        return None
    if not isinstance(value, str):  # true, false, null, {} or []
        return json.dumps(value)
    cut = value[:VALUE_CHARACTERS_MAX] + ("…" if len(value) > VALUE_CHARACTERS_MAX else "")
    return f'"{cut}"' if type(value) is str else cut  # a number as it was spelled


def _lines(before: str, after: str) -> Changes:
    was, is_ = _first_lines(before), _first_lines(after)
    found = []
    for line in difflib.unified_diff(was, is_, n=0, lineterm=""):
        if line.startswith(("---", "+++", "@@")):
            continue
        text = line[1 : VALUE_CHARACTERS_MAX + 1]
        found.append(Change("line", *((text, None) if line[0] == "-" else (None, text))))
    return Changes(found[:CHANGES_MAX], len(found), LINES_MAX in (len(was), len(is_)))


def _first_lines(text: str) -> list[str]:
    return [line.rstrip("\n") for line in islice(io.StringIO(text, newline=None), LINES_MAX)]
