"""A search line to an event pattern and a text to look for.

    type:FAULT source:ORDER,PRICE -operation:READ entity:10* fault.status:>=500 "connection reset"

All must hold. Values of a field are joined by a comma or by naming it again; `-` means any other value,
`*` any text, `field:*` that there is one. What is no `field:value` is looked for in payload and fault.
"""

import difflib
import json
import re
from typing import Any, NamedTuple

from console.line.fields import ALIASES, FREE_ALIASES

LINE_CHARACTERS_MAX = 1000
TOKEN = re.compile(
    r'(?P<no>-)?(?P<field>[A-Za-z_][^\s:"]*):(?P<values>(?:"(?:[^"\\]|\\.)*"|[^\s"])+)'
    r'|"(?P<quoted>(?:[^"\\]|\\.)*)"'
    r"|(?P<word>\S+)"
)
VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,"]+)')
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
COMPARED = re.compile(rf"(>=|<=|>|<)({NUMBER.pattern})")
BETWEEN = re.compile(rf"({NUMBER.pattern})\.\.({NUMBER.pattern})")
ANY = "*"

Pattern = dict[str, Any]
Place = tuple[str, ...]
Value = tuple[str, bool]
"""A text, and whether it was quoted."""


class Line(NamedTuple):
    """What a line asks for. `wrong` says what of it could not be read."""

    text: str
    pattern: Pattern
    q: str | None
    wrong: tuple[str, ...] = ()


def read(text: str) -> Line:
    """The line as pattern and text; whatever could not be read is left out and named."""
    if len(text) > LINE_CHARACTERS_MAX:
        cut = text[:LINE_CHARACTERS_MAX]
        return Line(cut, {}, None, (f"The line has more than {LINE_CHARACTERS_MAX:,} characters.",))
    clauses: dict[Place, tuple[bool, list[Value]]] = {}
    words: list[str] = []
    wrong: list[str] = []
    for token in TOKEN.finditer(text):
        if token["field"] is None:
            words.append(_plain(token["quoted"]) if token["quoted"] is not None else token["word"])
            continue
        place = _place(token["field"])
        if place is None:
            wrong.append(_unknown(token["field"]))
            continue
        negative = token["no"] is not None
        known = clauses.setdefault(place, (negative, []))
        if known[0] != negative:
            wrong.append(
                f"{token['field']}: is asked for and excluded; a pattern takes one of both."
            )
        else:
            known[1].extend(_values(token["values"]))
    pattern: Pattern = {}
    for place, (negative, values) in clauses.items():
        _put(pattern, place, _operators(place, values, negative))
    return Line(text, pattern, " ".join(words) or None, tuple(wrong))


def _place(field: str) -> Place | None:
    """Where the pattern has this field: one step, or the member and the name below it."""
    if field in ALIASES:
        return (ALIASES[field].member,)
    name, dot, rest = field.partition(".")
    if dot and rest and name in FREE_ALIASES:
        return (FREE_ALIASES[name], rest)
    return None


def _unknown(field: str) -> str:
    names = [*ALIASES, *(f"{name}." for name in FREE_ALIASES)]
    close = difflib.get_close_matches(field, names, 1, 0.5)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"There is no field {field}.{hint} Text with a colon is quoted."


def _values(text: str) -> list[Value]:
    """Values between commas."""
    return [
        (_plain(found[1]), True) if found[1] is not None else (found[2], False)
        for found in VALUE.finditer(text)
    ]


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _operators(place: Place, values: list[Value], negative: bool) -> list[Any]:
    """The list of the pattern for these values."""
    if negative:
        return _excluded(place, values)
    found: list[Any] = []
    for text, quoted in values:
        found += _accepted(place, text, quoted)
    return found


def _accepted(place: Place, text: str, quoted: bool) -> list[Any]:
    document = place[0] in ("payload", "fault")
    if not quoted:
        if text == ANY:
            return [{"exists": True}]
        if numeric := _numeric(place, text):
            return [numeric]
        if ANY in text:
            return [_wildcard(text)]
        if document and (typed := _typed(text)) is not None:
            return [text, typed[0]]
    return [_spelled(place, text)]


def _excluded(place: Place, values: list[Value]) -> list[Any]:
    """`anything-but` what is named; of `*` alone: that there is none."""
    if values == [(ANY, False)]:
        return [{"exists": False}]
    wild = [text for text, quoted in values if ANY in text and not quoted]
    if wild:
        return [{"anything-but": {"wildcard": [each for each, _ in values]}}]
    return [{"anything-but": [_spelled(place, text) for text, _ in values]}]


def _numeric(place: Place, text: str) -> dict[str, Any] | None:
    if len(place) < 2:
        return None
    if compared := COMPARED.fullmatch(text):
        return {"numeric": [compared[1], json.loads(compared[2])]}
    if between := BETWEEN.fullmatch(text):
        return {"numeric": [">=", json.loads(between[1]), "<=", json.loads(between[2])]}
    return None


def _wildcard(text: str) -> dict[str, str]:
    if text.endswith(ANY) and text.count(ANY) == 1:
        return {"prefix": text[:-1]}
    if text.startswith(ANY) and text.count(ANY) == 1:
        return {"suffix": text[1:]}
    return {"wildcard": text.replace("\\", "\\\\")}


def _typed(text: str) -> tuple[Any] | None:
    """What JSON has besides the text: a number, true, false or null; text and number never meet."""
    if NUMBER.fullmatch(text) or text in ("true", "false", "null"):
        return (json.loads(text),)
    return None


def _spelled(place: Place, text: str) -> str:
    """The values that are fixed are written in capitals, whoever types them."""
    fixed = place[0] in ("event_type", "event_source", "operation")
    return text.upper() if fixed else text


def _put(pattern: Pattern, place: Place, operators: list[Any]) -> None:
    if len(place) == 1:
        pattern[place[0]] = operators
    else:
        pattern.setdefault(place[0], {})[place[1]] = operators
