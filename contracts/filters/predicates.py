"""What a pattern says about one value. The methods `accepts` are the specification of the operators.

Each takes a leaf or MISSING. Predicates are values: equal ones are one entry of the index.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.filters.values import (
    MISSING,
    Leaf,
    Value,
    compiled,
    forms_pattern,
    number_in,
)

IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
IPV6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")


@dataclass(frozen=True, slots=True)
class Exact:
    """This value: text, number, boolean or null."""

    value: Leaf

    def accepts(self, value: Value) -> bool:
        """Equal, and of the same type."""
        return value == self.value


@dataclass(frozen=True, slots=True)
class Prefix:
    """A text that begins so."""

    text: str

    def accepts(self, value: Value) -> bool:
        """Numbers and null have no beginning."""
        return type(value) is str and value.startswith(self.text)


@dataclass(frozen=True, slots=True)
class Suffix:
    """A text that ends so."""

    text: str

    def accepts(self, value: Value) -> bool:
        """Numbers and null have no end."""
        return type(value) is str and value.endswith(self.text)


@dataclass(frozen=True, slots=True)
class IgnoreCase:
    """A text that is, begins or ends (`part` is whole, prefix or suffix) with `text` in any case.

    Each character of the pattern is met in its upper or its lower form, so it is not symmetric:
    `straße` takes STRASSE, `STRASSE` does not take straße.
    """

    text: str
    part: str = "whole"

    def accepts(self, value: Value) -> bool:
        """By the forms of each character."""
        if type(value) is not str:
            return False
        if self.text.isascii():
            size = len(self.text)
            if self.part == "whole":
                return len(value) == size and value.isascii() and value.lower() == self.text.lower()
            same = value[:size] if self.part == "prefix" else value[-size:] if size else ""
            return same.isascii() and same.lower() == self.text.lower()
        return compiled(self.pattern().replace(r"\z", r"\Z")).search(value) is not None

    def pattern(self) -> str:
        """As a regular expression of RE2; the end of the text, `\\z` there, is `\\Z` in Python."""
        start = "" if self.part == "suffix" else r"\A"
        end = "" if self.part == "prefix" else r"\z"
        return start + forms_pattern(self.text) + end


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A text made of `pieces` with anything between each two; one piece alone is the text."""

    pieces: tuple[str, ...]

    def accepts(self, value: Value) -> bool:
        """Each piece where it first fits is enough: what is between may be anything."""
        if type(value) is not str:
            return False
        first, *middle = self.pieces
        if not middle:
            return value == first
        last = middle.pop()
        end = len(value) - len(last)
        at = len(first)
        if at > end or not value.startswith(first) or not value.endswith(last):
            return False
        for piece in middle:
            found = value.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True


@dataclass(frozen=True, slots=True)
class Numeric:
    """A number between bounds (None: no bound); with `of_text` the number that a text spells."""

    lower: float | None
    upper: float | None
    with_lower: bool = False
    with_upper: bool = False
    of_text: bool = False

    def accepts(self, value: Value) -> bool:
        """What no double holds is between no bounds."""
        number = value if type(value) is float else None
        if self.of_text and type(value) is str:
            number = number_in(value)
        if number is None:
            return False
        low, high = self.lower, self.upper
        return (low is None or number > low or (self.with_lower and number == low)) and (
            high is None or number < high or (self.with_upper and number == high)
        )


@dataclass(frozen=True, slots=True)
class Cidr:
    """An address in a block: its `version`, and its first `bits` bits as a number."""

    version: int
    network: int
    bits: int

    def accepts(self, value: Value) -> bool:
        """IPv4 and IPv6 never meet; an IPv4 address in IPv6 spelling is IPv6."""
        if type(value) is not str or (address := address_of(value)) is None:
            return False
        version, number = address
        return version == self.version and number >> (width(version) - self.bits) == self.network


def width(version: int) -> int:
    """Bits of an address."""
    return 32 if version == 4 else 128


def address_of(text: str) -> tuple[int, int] | None:
    """IP version and address as a number; leading zeros are decimal zeros, as in Java."""
    if IPV4.fullmatch(text):
        number = 0
        for part in text.split("."):
            if (octet := int(part)) > 255:
                return None
            number = number << 8 | octet
        return 4, number
    if IPV6.fullmatch(text):
        try:
            return 6, int(ipaddress.IPv6Address(text))
        except ValueError:
            return None
    return None


@dataclass(frozen=True, slots=True)
class Exists:
    """Any value, null among them, or none."""

    wanted: bool

    def accepts(self, value: Value) -> bool:
        """Leaves only: an object, and an array without values, are missing."""
        return (value is not MISSING) == self.wanted


@dataclass(frozen=True, slots=True)
class AnythingBut:
    """A value of any type that none of `predicates` accepts."""

    predicates: tuple["Predicate", ...]

    def accepts(self, value: Value) -> bool:
        """Something has to be there."""
        return value is not MISSING and not any_accepts(self.predicates, value)


Predicate = Exact | Prefix | Suffix | IgnoreCase | Wildcard | Numeric | Cidr | Exists | AnythingBut


def any_accepts(predicates: Iterable[Predicate], value: Value) -> bool:
    """Whether one of them does."""
    for predicate in predicates:  # noqa: SIM110 - any() costs twice as much
        if predicate.accepts(value):
            return True
    return False
