"""A pattern as it was typed: sent on as it is, so that its numbers stay what they are."""

import json

import msgspec


class Unfit(Exception):
    """A field that cannot be sent; `field` names it, the message says why."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


def raw_json(field: str, text: str) -> msgspec.Raw:
    """The text, which is JSON. Raises `Unfit` with the place where it is not."""
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Unfit(field, f"no JSON at {place}: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise Unfit(field, f"no JSON: {error}") from None
    return msgspec.Raw(text.encode("utf-8", "replace"))


def whole_number(field: str, text: str) -> int:
    """Digits alone. Raises `Unfit`."""
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise Unfit(field, "must be a whole number")
    return int(text)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is none of its values")
