"""What changed between two documents: JSON by path, other text by line. Bounded, and says when it is cut."""

import difflib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from console.reading.documents import Document

CHANGES_MAX = 200
LEAVES_MAX = 20_000
LINES_MAX = 400
VALUE_CHARACTERS_MAX = 500


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


def changes(before: Document, after: Document) -> Changes:
    """Of two JSON documents the leaves that differ, of two texts the lines."""
    if before.kind == after.kind == "json":
        was, is_, cut = _leaves(before.value), _leaves(after.value), False
        cut = len(was) >= LEAVES_MAX or len(is_) >= LEAVES_MAX
        paths = [*is_, *(path for path in was if path not in is_)]
        found = [Change(p, was.get(p), is_.get(p)) for p in paths if was.get(p) != is_.get(p)]
        return Changes(found[:CHANGES_MAX], len(found), cut)
    if before.data == after.data:
        return Changes([], 0)
    if "bytes" in (before.kind, after.kind):
        sizes = Change("size", f"{len(before.data):,} bytes", f"{len(after.data):,} bytes")
        return Changes([sizes], 1)
    return _lines(before.text, after.text)


def _leaves(value: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, leaf in _walk(value, ""):
        found[path] = leaf
        if len(found) >= LEAVES_MAX:
            break
    return found


def _walk(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Leaves in their order, without recursion: a document may be deep."""
    stack: list[tuple[str, Any]] = [(path, value)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict) and value:
            below = [
                (f"{path}.{name}" if path else str(name), each) for name, each in value.items()
            ]
            stack += reversed(below)
        elif isinstance(value, list) and value:
            stack += reversed([(f"{path}[{n}]", each) for n, each in enumerate(value)])
        else:
            yield path or "$", _shown(value)


def _shown(value: Any) -> str:
    if type(value) is str:
        text = f'"{value}"'
    elif isinstance(value, str):  # a number as it was spelled
        text = str(value)
    else:  # true, false, null, {} or []
        text = json.dumps(value)
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[:VALUE_CHARACTERS_MAX]}…"


def _lines(before: str, after: str) -> Changes:
    was, is_ = before.splitlines()[:LINES_MAX], after.splitlines()[:LINES_MAX]
    found = []
    for line in difflib.unified_diff(was, is_, n=0, lineterm=""):
        if line.startswith(("---", "+++", "@@")):
            continue
        text = line[1 : VALUE_CHARACTERS_MAX + 1]
        found.append(Change("line", *((text, None) if line[0] == "-" else (None, text))))
    return Changes(found[:CHANGES_MAX], len(found), len(is_) == LINES_MAX)
