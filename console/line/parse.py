"""A search line to an event pattern and a text to look for.

    type:FAULT source:ORDER,PRICE -operation:READ entity:10* fault.status:>=500 "connection reset"

All must hold. Values of a field are joined by a comma or by naming it again; `-` means any other value
(of a number or a comparison: any other number), `*` any text, `field:*` that there is one. `fault:` takes
the fingerprint of a kind of failure. What is no `field:value` is looked for in payload and fault.
"""

import difflib
import re
from typing import Any, NamedTuple

from console.line.fields import ALIASES, FREE_ALIASES, KIND
from console.line.operators import Place, Unsayable, Value, accepted, excluded
from contracts.criteria import FINGERPRINT_PATTERN
from contracts.filters import Refused, parse

LINE_CHARACTERS_MAX = 1000
TOKEN = re.compile(
    r'(?P<no>-)?(?P<field>[A-Za-z_][^\s:"]*):(?P<values>(?:"(?:[^"\\]|\\.)*"|[^\s"])+)'
    r'|"(?P<quoted>(?:[^"\\]|\\.)*)"'
    r"|(?P<word>\S+)"
)
VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,"]+)')

Pattern = dict[str, Any]


class Line(NamedTuple):
    """What a line asks for; `fault` is a kind of failure. `wrong` says what of it could not be read."""

    text: str
    pattern: Pattern
    q: str | None
    wrong: tuple[str, ...] = ()
    fault: str | None = None

    @property
    def beside(self) -> dict[str, str]:
        """What the API is asked beside the pattern, by its names."""
        asked = {"q": self.q, "fault_fingerprint": self.fault}
        return {name: value for name, value in asked.items() if value is not None}


class Clause(NamedTuple):
    """One field of a line, by the name that it has there; `negative` excludes its values."""

    field: str
    negative: bool
    values: list[Value]


def read(text: str) -> Line:
    """The line as pattern and text; whatever could not be read is left out and named."""
    if len(text) > LINE_CHARACTERS_MAX:
        cut = text[:LINE_CHARACTERS_MAX]
        return Line(cut, {}, None, (f"The line has more than {LINE_CHARACTERS_MAX:,} characters.",))
    clauses: dict[Place, Clause] = {}
    words: list[str] = []
    kinds: list[str] = []
    wrong: list[str] = []
    for token in TOKEN.finditer(text):
        if token["field"] is None:
            words.append(_plain(token["quoted"]) if token["quoted"] is not None else token["word"])
            continue
        if token["field"] in (KIND.name, KIND.member):
            kinds.append((token["no"] or "") + token["values"].strip('"'))
            continue
        place = _place(token["field"])
        if place is None:
            wrong.append(_unknown(token["field"]))
            continue
        negative = token["no"] is not None
        known = clauses.setdefault(place, Clause(token["field"], negative, []))
        if known.negative != negative:
            wrong.append(
                f"{token['field']}: is asked for and excluded; a pattern takes one of both."
            )
        else:
            known.values.extend(_values(token["values"]))
    pattern: Pattern = {}
    for place, clause in clauses.items():
        try:
            _put(pattern, place, _operators(place, clause))
        except Unsayable as why:
            wrong.append(f"{'-' if clause.negative else ''}{clause.field}: {why}")
    fault = kinds[0] if len(kinds) == 1 and re.fullmatch(FINGERPRINT_PATTERN, kinds[0]) else None
    if kinds and fault is None:
        wrong.append(f"{KIND.name}: takes one fingerprint, of sixteen digits 0 to 9 and a to f.")
    return Line(text, pattern, " ".join(words) or None, tuple(wrong), fault)


def _operators(place: Place, clause: Clause) -> list[Any]:
    """The list of the pattern. Raises `Unsayable`, also for what the API would refuse."""
    operators = (excluded if clause.negative else accepted)(place, clause.values)
    alone: Pattern = {}
    _put(alone, place, operators)
    try:
        parse(alone)
    except Refused as refused:
        raise Unsayable(f"{refused.errors[0]['detail']}.") from None
    return operators


def _place(field: str) -> Place | None:
    """Where the pattern has this field: one step, or the member and the name below it."""
    if field in ALIASES:
        return (ALIASES[field].member,)
    name, dot, rest = field.partition(".")
    if dot and rest and name in FREE_ALIASES:
        return (FREE_ALIASES[name], rest)
    return None


def _unknown(field: str) -> str:
    names = [*ALIASES, KIND.name, *(f"{name}." for name in FREE_ALIASES)]
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


def _put(pattern: Pattern, place: Place, operators: list[Any]) -> None:
    if len(place) == 1:
        pattern[place[0]] = operators
    else:
        pattern.setdefault(place[0], {})[place[1]] = operators
