"""Predicates as conditions of ClickHouse over one value: a column, an attribute, a JSON value."""

from collections.abc import Callable
from typing import NamedTuple

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
from contracts.filters.values import NUMBER, Leaf, Odd, literal_pattern

Bind = Callable[[str], str]
"""Makes a parameter of a text."""

NULLABLE = ("entity_name",)


class SqlValue(NamedTuple):
    """Expressions: whether it is there, is text, null, a number; its text, its number's spelling.

    `spelling` is "" where the value has none: it is null, or a text.
    """

    is_present: str
    is_text: str
    is_null: str
    is_number: str
    text: str
    spelling: str


def Column(name: str) -> SqlValue:  # noqa: N802
    """A column of text, always there, null when nothing was given."""
    if name not in NULLABLE:
        return SqlValue("true", "true", "false", "false", name, "''")
    filled = f"isNotNull({name})"
    return SqlValue("true", filled, f"isNull({name})", "false", f"ifNull({name}, '')", "''")


def Attribute(name: str) -> SqlValue:  # noqa: N802
    """A key attribute, whose text may spell a number."""
    present, text = f"mapContains(key_attributes, {name})", f"key_attributes[{name}]"
    number = f"match({text}, '^{NUMBER.pattern}$')".replace("\\", "\\\\")
    return SqlValue(present, present, "false", f"({present} AND {number})", text, text)


def Json(raw: str) -> SqlValue:  # noqa: N802
    """A JSON value that is neither object nor array, as ClickHouse writes it; "" when missing."""
    return SqlValue(
        f"{raw} != ''",
        f"startsWith({raw}, '\"')",
        f"{raw} = 'null'",
        f"match({raw}, '^[-0-9]')",
        f"JSONExtractString({raw})",
        raw,
    )


def condition(predicate: Predicate, value: SqlValue, bind: Bind) -> str:
    """Whether the predicate accepts the value."""
    match predicate:
        case Exact(exact):
            return _exact(exact, value, bind)
        case Exists(wanted):
            return value.is_present if wanted else f"NOT ({value.is_present})"
        case Prefix(text):
            return f"({value.is_text} AND startsWith({value.text}, {bind(text)}))"
        case Suffix(text):
            return f"({value.is_text} AND endsWith({value.text}, {bind(text)}))"
        case IgnoreCase():
            pattern = predicate.pattern().replace(r"\A", "^").replace(r"\z", "$")
            return f"({value.is_text} AND match({value.text}, {bind(pattern)}))"
        case Wildcard(pieces):
            pattern = f"(?s)^{'.*'.join(map(literal_pattern, pieces))}$"
            return f"({value.is_text} AND match({value.text}, {bind(pattern)}))"
        case Numeric():
            return _numeric(predicate, value, bind)
        case Cidr():
            return _cidr(predicate, value)
        case AnythingBut(predicates):
            some = " OR ".join(condition(each, value, bind) for each in predicates)
            return f"({value.is_present} AND NOT ({some}))"


def _exact(exact: Leaf, value: SqlValue, bind: Bind) -> str:
    if isinstance(exact, str):
        return f"({value.is_text} AND {value.text} = {bind(exact)})"
    if exact is None:
        return value.is_null
    if value.text == value.spelling or value.spelling == "''":
        return "false"  # columns and attributes hold no number, true or false
    if isinstance(exact, Odd):
        return f"{value.spelling} = {bind(exact.spelling)}"
    return _compared(value, [f"= {_double(exact, bind)}"])


def _numeric(numeric: Numeric, value: SqlValue, bind: Bind) -> str:
    if value.spelling == "''" or (value.text == value.spelling and not numeric.of_text):
        return "false"
    bounds = []
    if numeric.lower is not None:
        bounds.append(f"{'>=' if numeric.with_lower else '>'} {_double(numeric.lower, bind)}")
    if numeric.upper is not None:
        bounds.append(f"{'<=' if numeric.with_upper else '<'} {_double(numeric.upper, bind)}")
    return _compared(value, bounds)


def _compared(value: SqlValue, bounds: list[str]) -> str:
    """What no double holds is never met: the digits of the double's spelling are not its own."""
    double = f"JSONExtractFloat({value.spelling})"  # which, unlike toFloat64, rounds as it should
    same = f"{_digits(value.spelling)} = {_digits(f'toString({double})')}"
    compared = " AND ".join(f"{double} {bound}" for bound in bounds)
    return f"({value.is_number} AND {compared} AND isFinite({double}) AND {same})"


def _digits(spelling: str) -> str:
    """The significant digits of a number."""
    mantissa = f"replaceRegexpOne({spelling}, '[eE].*', '')"
    return f"trimBoth(replaceRegexpAll({mantissa}, '[-.]', ''), '0')"


def _double(number: float, bind: Bind) -> str:
    return f"JSONExtractFloat({bind(repr(number))})"


def _cidr(block: Cidr, value: SqlValue) -> str:
    """The bits of the address; its version is told by its characters, as in Python."""
    text, rest = value.text, width(block.version) - block.bits
    if block.version == 4:
        form = "^[0-9]{1,3}([.][0-9]{1,3}){3}$"
        octets = f"arrayMap(octet -> toUInt64OrZero(octet), splitByChar('.', {text}))"
        valid = f"arrayAll(octet -> octet < 256, {octets})"
        number = f"arrayFold((sum, octet) -> sum * 256 + octet, {octets}, toUInt64(0))"
        network = f"bitShiftRight({number}, {rest}) = {block.network}"
        return f"({value.is_text} AND match({text}, '{form}') AND {valid} AND {network})"
    valid = f"match({text}, '^[0-9a-fA-F:]*:[0-9a-fA-F:]*$')"
    address = f"IPv6StringToNumOrNull({text})"
    number = f"reinterpretAsUInt128(reverse(ifNull({address}, toFixedString('', 16))))"
    network = f"bitShiftRight({number}, {rest}) = toUInt128('{block.network}')"
    return f"({value.is_text} AND {valid} AND isNotNull({address}) AND {network})"
