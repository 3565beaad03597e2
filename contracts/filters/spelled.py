"""Predicates as a pattern spells them, shortened: what a person is told that a pattern wants."""

import ipaddress
from collections.abc import Sequence
from typing import Any, assert_never

from contracts.filters.predicates import (
    AnythingBut,
    Cidr,
    Exact,
    Exists,
    IgnoreCase,
    Numeric,
    Predicate,
    Prefix,
    Suffix,
    Wildcard,
    width,
)
from contracts.filters.view import json_of

CHARACTERS_MAX = 64
"""Of a text that is told; one that is longer ends in an ellipsis."""
VALUES_MAX = 10
"""Of a list."""


def spelled(predicate: Predicate) -> Any:
    """A value or operator of a pattern's list, as JSON has it."""
    match predicate:
        case Exact(value):
            return shortened(value) if isinstance(value, str) else json_of(value)
        case Prefix(text):
            return {"prefix": shortened(text)}
        case Suffix(text):
            return {"suffix": shortened(text)}
        case IgnoreCase(text, "whole"):
            return {"equals-ignore-case": shortened(text)}
        case IgnoreCase(text, part):
            return {part: {"equals-ignore-case": shortened(text)}}
        case Wildcard(pieces):
            escaped = (each.replace("\\", "\\\\").replace("*", "\\*") for each in pieces)
            return {"wildcard": shortened("*".join(escaped))}
        case Numeric():
            return {"numeric": _bounds(predicate)}
        case Cidr(version, network, bits):
            block = network << (width(version) - bits)
            address = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
            return {"cidr": f"{address(block)}/{bits}"}
        case Exists(wanted):
            return {"exists": wanted}
        case AnythingBut(predicates):
            return {"anything-but": _besides(predicates)}
    assert_never(predicate)


def shortened(text: str) -> str:
    """Its beginning."""
    return text if len(text) <= CHARACTERS_MAX else text[:CHARACTERS_MAX] + "…"


def _bounds(numeric: Numeric) -> list[Any]:
    low, high = numeric.lower, numeric.upper
    if low is not None and low == high:
        return ["=", json_of(low)]
    lower = [] if low is None else [">=" if numeric.with_lower else ">", json_of(low)]
    return lower + ([] if high is None else ["<=" if numeric.with_upper else "<", json_of(high)])


def _besides(predicates: Sequence[Predicate]) -> Any:
    """Values, or one operator with its texts."""
    told = [spelled(each) for each in predicates[:VALUES_MAX]]
    more = ["…"] if len(predicates) > VALUES_MAX else []
    if isinstance(told[0], dict):
        [name] = told[0]
        return {name: [each[name] for each in told] + more}
    return told + more
