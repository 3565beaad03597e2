"""Texts from outside as HTML: characters that steer or hide are named, the direction is isolated.

An id or a payload may hold escapes, marks that turn the line around, or script: what a reader sees
is what is there.
"""

import json
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from markupsafe import Markup, escape

NAMES = {0: "NUL", 9: "TAB", 10: "LF", 13: "CR", 27: "ESC", 127: "DEL"}
SHOWN_MAX = 10_000
"""Characters of a text that are not many: beyond, it is cut."""
LABELS_MAX = 50
"""Of a text: further hidden characters are named in plain text, a tenth of a label's size."""


def is_hidden(character: str) -> bool:
    """Whether it is seen by what it does alone: controls, marks of direction, joiners, surrogates."""
    return not character.isprintable() and character != " "


def marked(text: str, keep: str = "") -> Markup:
    """`text` escaped, each hidden character as a label; those of `keep` stay."""
    if text.isprintable():
        return escape(text)
    parts: list[Markup] = []
    labels = start = 0
    for at, character in enumerate(text):
        if is_hidden(character) and character not in keep:
            labels += 1
            if start < at:
                parts.append(escape(text[start:at]))
            parts.append(_label(character) if labels <= LABELS_MAX else _plain(character))
            start = at + 1
    parts.append(escape(text[start:]))
    return Markup("").join(parts)


def plain(text: str) -> Markup:
    """`text` where no label can be, in a title: hidden characters are named by plain text."""
    return Markup("").join(_plain(each) if is_hidden(each) else escape(each) for each in text)


def foreign(text: object, limit: int = SHOWN_MAX, direction: str = "auto") -> Markup:
    """A text from outside, in a direction of its own; cut at `limit` characters, and says so.

    The direction is that of its first letter unless it is given: of JSON it is `ltr`, whatever is in it.
    """
    whole = str(text)
    shown = marked(whole[:limit])
    if len(whole) > limit:
        shown += Markup('<span class="cut">… {:,} characters in all</span>').format(len(whole))
    if direction != "auto":
        return Markup('<bdi dir="{}">{}</bdi>').format(direction, shown)
    return Markup("<bdi>{}</bdi>").format(shown)


def quoted(text: str, always: bool = False) -> str:
    """A value as the search line takes it: quoted when it has a blank, a comma, a star or a quote."""
    if text and not always and not set(text) & set(' ,*"\\') and text.isprintable():
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def json_text(document: object, indent: int | None = None) -> str:
    """A document as JSON, its characters as they are."""
    return json.dumps(document, ensure_ascii=False, indent=indent)


def labels(given: Mapping[str, str]) -> str:
    """Labels in one line."""
    return ", ".join(f"{name}={text}" for name, text in given.items())


def queue_name(arn: str) -> str:
    """The last part of a queue's ARN, which people know it by."""
    return arn.rpartition(":")[2]


@lru_cache(1024)
def _label(character: str) -> Markup:
    meaning = unicodedata.name(character, NAMES.get(ord(character), "control character"))
    return Markup('<span class="hidden-char" title="{}">{}</span>').format(
        meaning, _name(character)
    )


@lru_cache(1024)
def _plain(character: str) -> Markup:
    return escape(f"⟨{_name(character)}⟩")


def _name(character: str) -> str:
    return NAMES.get(ord(character)) or f"U+{ord(character):04X}"
