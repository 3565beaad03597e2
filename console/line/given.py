"""What the URL of a search asks for: its line, `q`, and a pattern beside it, `filter`. Both must hold.

A pattern says more than a line can, so that one of a subscription is searched for as it is.
"""

import json
from collections.abc import Mapping
from typing import Any

from console.line.operators import Unsayable
from console.line.parse import Line, Pattern, read
from contracts.filters import Refused, parse


def given(query: Mapping[str, str]) -> Line:
    """The line and the pattern as one; what cannot be read, or not be asked for beside it, is named."""
    line, text = read(query.get("q", "")), query.get("filter")
    if not text:
        return line
    try:
        beside = json.loads(text)
        parse(beside)
    except Refused as refused:
        return _without(line, {}, f"The pattern cannot be used: {refused}.")
    except (ValueError, RecursionError):
        return _without(line, {}, "The pattern is no JSON.")
    try:
        both = _both(beside, line.pattern)
        parse(both)
    except (Unsayable, Refused) as why:
        return _without(line, beside, f"The line does not go with the pattern: {why}.")
    return line._replace(pattern=both)


def _without(line: Line, pattern: Pattern, why: str) -> Line:
    return line._replace(pattern=pattern or line.pattern, wrong=(*line.wrong, why))


def _both(beside: Pattern, line: Pattern) -> Pattern:
    """Raises `Unsayable` for a field of both: in one list they would be an OR."""
    merged: dict[str, Any] = dict(beside)
    for member, asked in line.items():
        there = merged.get(member, {})
        if not (isinstance(there, dict) and (not there or isinstance(asked, dict))):
            raise Unsayable(f"{member} is in it")
        if twice := sorted(there.keys() & asked):
            raise Unsayable(f"{member}.{twice[0]} is in it")
        merged[member] = there | asked if there else asked
    return merged
