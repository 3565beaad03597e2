"""One value or operator of a pattern's list as a predicate; every operator has one function here."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

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
    address_of,
    width,
)
from contracts.filters.tree import ATTRIBUTES, Field
from contracts.filters.values import BOOLEANS, Leaf, number_of

TEXT_MAX = 8192
"""Characters of a text; no field that is compared with it is longer, but for payload and fault."""
NUMBER_BITS_MAX = 1024
"""A whole number with more is larger than any double."""


class Bad(Exception):
    """Why this is no value and no operator, and where; `more` has size and limit."""

    def __init__(self, pointer: str, detail: str, **more: int) -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.more = more


def read_predicate(value: object, field: Field, pointer: str, values_max: int | None) -> Predicate:
    """`value` of a pattern's list. Raises `Bad`."""
    if isinstance(value, list):
        raise Bad(pointer, "a list inside the list is not allowed")
    if not isinstance(value, dict):
        return Exact(_leaf(value, pointer))
    name, operand = _single(value, pointer)
    if name not in OPERATORS:
        raise Bad(pointer, f"unknown operator; there are {', '.join(OPERATORS)}")
    pointer = f"{pointer}/{name}"
    if name == "numeric":
        return _numeric(operand, pointer, of_text=field.part == ATTRIBUTES)
    if name == "anything-but":
        return _anything_but(operand, pointer, values_max)
    return OPERATORS[name](operand, pointer)


def _single(value: dict[str, Any], pointer: str) -> tuple[str, Any]:
    if len(value) != 1:
        raise Bad(pointer, "one operator in one object; two objects in the list are an OR")
    return next(iter(value.items()))


def _leaf(value: object, pointer: str) -> Leaf:
    if isinstance(value, str):
        return _text(value, pointer)
    if value is None:
        return None
    if isinstance(value, bool):
        return BOOLEANS[value]
    if isinstance(value, int) and value.bit_length() > NUMBER_BITS_MAX:
        size = value.bit_length()
        raise Bad(pointer, "number has too many bits", size=size, limit=NUMBER_BITS_MAX)
    if isinstance(value, int):
        return number_of(str(value))
    if isinstance(value, float | Decimal):
        if not Decimal(value).is_finite():
            raise Bad(pointer, "must be a number of JSON")
        return number_of(repr(value) if isinstance(value, float) else str(value))
    raise Bad(pointer, "must be a text, a number, true, false or null")


def _text(value: object, pointer: str) -> str:
    if not isinstance(value, str):
        raise Bad(pointer, "must be a text")
    if len(value) > TEXT_MAX:
        raise Bad(pointer, "text is too long", size=len(value), limit=TEXT_MAX)
    if not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
        raise Bad(pointer, "holds half of a surrogate pair")
    return value


def _number(value: object, pointer: str) -> float:
    """What no double holds exactly is refused as a bound."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Bad(pointer, "must be a number")
    number = _leaf(value, pointer)
    if not isinstance(number, float):
        raise Bad(pointer, "number has more digits than a double holds")
    return number


def _prefix(value: object, pointer: str) -> Predicate:
    if isinstance(value, dict):
        return _in_any_case(value, pointer, "prefix")
    return Prefix(_text(value, pointer))


def _suffix(value: object, pointer: str) -> Predicate:
    if isinstance(value, dict):
        return _in_any_case(value, pointer, "suffix")
    return Suffix(_text(value, pointer))


def _in_any_case(value: dict[str, Any], pointer: str, part: str) -> IgnoreCase:
    name, text = _single(value, pointer)
    if name != "equals-ignore-case":
        raise Bad(pointer, "must be a text, or equals-ignore-case with one")
    return IgnoreCase(_text(text, f"{pointer}/{name}"), part)


def _equals_ignore_case(value: object, pointer: str) -> Predicate:
    return IgnoreCase(_text(value, pointer))


def _wildcard(value: object, pointer: str) -> Wildcard:
    text = _text(value, pointer)
    pieces = [""]
    at = 0
    while at < len(text):
        each = text[at]
        if each == "\\":
            at += 1
            if text[at : at + 1] not in ("*", "\\"):
                raise Bad(pointer, "a backslash stands before * or another backslash")
            pieces[-1] += text[at]
        elif each != "*":
            pieces[-1] += each
        elif text[at + 1 : at + 2] == "*":
            raise Bad(pointer, "two stars in a row are not allowed")
        else:
            pieces.append("")
        at += 1
    return Wildcard(tuple(pieces))


def _exists(value: object, pointer: str) -> Predicate:
    if not isinstance(value, bool):
        raise Bad(pointer, "must be true or false")
    return Exists(value)


def _numeric(value: object, pointer: str, *, of_text: bool) -> Numeric:
    """`["=", 5]`, or a bound, or a lower and then an upper one."""
    if not isinstance(value, list) or len(value) not in (2, 4):
        raise Bad(pointer, 'must be a list as [">", 0] or [">", 0, "<=", 5]')
    bounds = []
    for at in range(0, len(value), 2):
        if value[at] not in (("=", ">", ">=", "<", "<=") if at == 0 else ("<", "<=")):
            raise Bad(f"{pointer}/{at}", "must be =, >, >=, < or <=; the lower bound comes first")
        bounds.append((value[at], _number(value[at + 1], f"{pointer}/{at + 1}")))
    (operator, bound), second = bounds[0], bounds[1:]
    if second and operator not in (">", ">="):
        raise Bad(pointer, "takes a second bound after > or >= alone")
    if operator == "=":
        return Numeric(bound, bound, True, True, of_text)
    if operator in ("<", "<="):
        return Numeric(None, bound, False, operator == "<=", of_text)
    if not second:
        return Numeric(bound, None, operator == ">=", False, of_text)
    ((upper_operator, upper),) = second
    if bound >= upper:
        raise Bad(pointer, "the lower bound must be below the upper one")
    return Numeric(bound, upper, operator == ">=", upper_operator == "<=", of_text)


def _cidr(value: object, pointer: str) -> Predicate:
    address, slash, bits = _text(value, pointer).partition("/")
    found = address_of(address)
    if not slash or found is None:
        raise Bad(pointer, "must be a block of addresses, as 10.0.0.0/24 or 2001:db8::/32")
    version, number = found
    most = width(version) - 1
    if not (bits.isascii() and bits.isdigit() and len(bits) <= 3 and int(bits) <= most):
        raise Bad(pointer, f"takes 0 to {most} bits; one address is an exact value")
    return Cidr(version, number >> (width(version) - int(bits)), int(bits))


INNER: dict[str, Callable[[object, str], Predicate]] = {
    "prefix": lambda value, pointer: Prefix(_text(value, pointer)),
    "suffix": lambda value, pointer: Suffix(_text(value, pointer)),
    "wildcard": _wildcard,
    "equals-ignore-case": _equals_ignore_case,
}
"""What anything-but takes beside values: each with a text or a list of texts."""


def _anything_but(value: object, pointer: str, values_max: int | None) -> AnythingBut:
    if not isinstance(value, dict):
        listed = _list(value, pointer, values_max)
        leaves = [_leaf(each, where) for each, where in listed]
        if {type(each) for each in leaves} not in ({str}, {float}):
            raise Bad(pointer, "takes texts or numbers that a double holds, all of one kind")
        return AnythingBut(tuple(Exact(each) for each in dict.fromkeys(leaves)))
    name, operand = _single(value, pointer)
    if name not in INNER:
        raise Bad(pointer, f"takes values, or one of {', '.join(INNER)}")
    pointer = f"{pointer}/{name}"
    predicates = [INNER[name](each, where) for each, where in _list(operand, pointer, values_max)]
    if name in ("prefix", "suffix") and any(each.text == "" for each in predicates):  # type: ignore[union-attr]
        raise Bad(pointer, "must not be empty: nothing would be left")
    return AnythingBut(tuple(dict.fromkeys(predicates)))


def _list(value: object, pointer: str, values_max: int | None) -> list[tuple[object, str]]:
    """The values with their pointers; one stands for a list of one."""
    if not isinstance(value, list):
        return [(value, pointer)]
    if not value:
        raise Bad(pointer, "must not be empty")
    if values_max is not None and len(value) > values_max:
        raise Bad(pointer, "has too many values", size=len(value), limit=values_max)
    return [(each, f"{pointer}/{number}") for number, each in enumerate(value)]


OPERATORS: dict[str, Callable[..., Predicate]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "exists": _exists,
    "numeric": _numeric,
    "cidr": _cidr,
    "anything-but": _anything_but,
}
