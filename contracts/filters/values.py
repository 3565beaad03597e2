"""Values as filters compare them: text, number, boolean, null, and what is missing.

Numbers compare by value where a double holds them, else by spelling; text and number never meet
(event-ruler's ComparableNumber). Python's own equality would have it that `True == 1`.
"""

import re
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

EXACT_DIGITS = 15
"""So many significant digits every double gives back."""

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
"""A number as JSON spells it (RFC 8259, section 6)."""


class Odd(NamedTuple):
    """What is equal by its spelling alone: true, false, and numbers that no double holds."""

    spelling: str


class Missing(Enum):
    """Nothing is there, not even null."""

    MISSING = "missing"


MISSING = Missing.MISSING
TRUE, FALSE = Odd("true"), Odd("false")
BOOLEANS = {True: TRUE, False: FALSE}

Leaf = str | float | None | Odd
Value = Leaf | Missing


def number_of(spelling: str) -> float | Odd:
    """The number that a JSON text spells: a double when its shortest spelling has the same value."""
    number = float(spelling)
    if len(spelling) <= EXACT_DIGITS and "e" not in spelling and "E" not in spelling:
        return number + 0.0  # which makes zero of minus zero
    try:
        same = Decimal(repr(number)) == Decimal(spelling)
    except InvalidOperation:  # an exponent beyond all bounds
        same = False
    return number + 0.0 if same else Odd(spelling)


@lru_cache(maxsize=4096)
def number_in(text: str) -> float | None:
    """The number that an attribute's text spells; None when it spells none that a double holds."""
    if not NUMBER.fullmatch(text):
        return None
    number = number_of(text)
    return number if isinstance(number, float) else None


def forms(text: str) -> list[tuple[str, ...]]:
    """The forms of each character that equals-ignore-case takes: its upper and its lower one.

    They may be longer than it, and it may be neither (U+01C5 is a title case).
    """
    return [tuple(dict.fromkeys((each.upper(), each.lower()))) for each in text]


def fold(text: str) -> str:
    """The same for both forms of every character; also for some that no pattern takes as equal."""
    return text.casefold().replace("\u0131", "i")  # the one whose upper form folds elsewhere


def forms_pattern(text: str) -> str:
    """A regular expression (of RE2 and of `re`) for `text` in any mixture of forms."""
    return "".join(
        literal_pattern(each[0])
        if len(each) == 1
        else f"(?:{'|'.join(literal_pattern(form) for form in each)})"
        for each in forms(text)
    )


def literal_pattern(text: str) -> str:
    """A regular expression (of RE2 and of `re`) for exactly `text`."""
    return "".join(
        each
        if each.isalnum() or not each.isascii()
        else f"\\x{ord(each):02x}"  # no character has a meaning of its own in this form
        for each in text
    )


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    """A compiled expression in which `.` is any character, the ends of lines too."""
    return re.compile(pattern, re.DOTALL)
