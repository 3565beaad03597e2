"""Values of a search line as the list of a pattern: what a field may be, or what it may not."""

import json
import re
from typing import Any

ANY = "*"
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
COMPARED = re.compile(rf"(>=|<=|>|<)({NUMBER.pattern})")
BETWEEN = re.compile(rf"({NUMBER.pattern})\.\.({NUMBER.pattern})")
STARS = re.compile(r"\*+")
OPPOSITE = {">=": "<", "<=": ">", ">": "<=", "<": ">="}
FIXED = ("event_type", "event_source", "operation")
DOCUMENTS = ("payload", "fault")

Place = tuple[str, ...]
"""Where a pattern has a field: a member, and for some a name below it."""
Value = tuple[str, bool]
"""A text, and whether it was quoted."""


class Unsayable(Exception):
    """What no pattern says; the message says why, after the field's name."""


def accepted(place: Place, values: list[Value]) -> list[Any]:
    """One of `values`."""
    return [operator for text, quoted in values for operator in _accepted(place, text, quoted)]


def excluded(place: Place, values: list[Value]) -> list[Any]:
    """Any other value than these; of `*` that there is none. Raises `Unsayable`.

    The list of a pattern is an OR, so that all of them have to stand in one operator.
    """
    if values == [(ANY, False)]:
        return [{"exists": False}]
    ranges = [(text, _numeric(place, text)) for text, quoted in values if not quoted]
    if any(numeric for _, numeric in ranges):
        if len(values) > 1:
            raise Unsayable("a comparison is excluded alone.")
        return _beyond(ranges[0][0])
    if any(text == ANY and not quoted for text, quoted in values):
        raise Unsayable("* is excluded alone.")
    if any(ANY in text and not quoted for text, quoted in values):
        wild = [_wild(text, quoted) for text, quoted in values]
        return [{"anything-but": {"wildcard": wild}}]
    leaves = [_leaf(place, text, quoted) for text, quoted in values]
    if any(each is None or isinstance(each, bool) for each in leaves):
        raise Unsayable("true, false and null cannot be excluded.")
    if len({isinstance(each, str) for each in leaves}) > 1:
        raise Unsayable(
            "numbers and texts cannot be excluded together; a number is quoted as text."
        )
    return [{"anything-but": leaves}]


def _accepted(place: Place, text: str, quoted: bool) -> list[Any]:
    if not quoted:
        if text == ANY:
            return [{"exists": True}]
        if numeric := _numeric(place, text):
            return [numeric]
        if ANY in text:
            return [_wildcard(text)]
    leaf = _leaf(place, text, quoted)
    return [leaf] if isinstance(leaf, str) else [text, leaf]  # which never meet


def _leaf(place: Place, text: str, quoted: bool) -> Any:
    """What JSON has for it in a document: a number, true, false or null where it is not quoted."""
    if place[0] in FIXED:
        return text.upper()  # whoever types them
    typed = NUMBER.fullmatch(text) or text in ("true", "false", "null")
    return json.loads(text) if typed and not quoted and place[0] in DOCUMENTS else text


def _numeric(place: Place, text: str) -> dict[str, Any] | None:
    if len(place) < 2:
        return None
    if compared := COMPARED.fullmatch(text):
        return {"numeric": [compared[1], json.loads(compared[2])]}
    if between := BETWEEN.fullmatch(text):
        return {"numeric": [">=", json.loads(between[1]), "<=", json.loads(between[2])]}
    return None


def _beyond(text: str) -> list[Any]:
    """The other numbers."""
    if compared := COMPARED.fullmatch(text):
        return [{"numeric": [OPPOSITE[compared[1]], json.loads(compared[2])]}]
    low, high = BETWEEN.fullmatch(text).groups()  # type: ignore[union-attr] # the one or the other
    return [{"numeric": ["<", json.loads(low)]}, {"numeric": [">", json.loads(high)]}]


def _wildcard(text: str) -> dict[str, str]:
    text = STARS.sub(ANY, text)
    if text.endswith(ANY) and text.count(ANY) == 1:
        return {"prefix": text[:-1]}
    if text.startswith(ANY) and text.count(ANY) == 1:
        return {"suffix": text[1:]}
    return {"wildcard": _wild(text, False)}


def _wild(text: str, quoted: bool) -> str:
    """A quoted star is itself."""
    text = text.replace("\\", "\\\\")
    return text.replace(ANY, rf"\{ANY}") if quoted else STARS.sub(ANY, text)
