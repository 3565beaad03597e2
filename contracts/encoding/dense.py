"""Bodies that are too crowded to be explained field by field: refused before that costs anything.

pydantic reports every fault, some microseconds each, and a body of 1 MB has room for 100,000. An
event has few strings and brackets however long they are, so counting them, at the speed of
`bytes.count`, tells the two apart. What is refused so is named by its first fault alone.
"""

import re

import msgspec

from contracts.events import ATTRIBUTES_MAX
from contracts.problems import Problem

STRINGS_MAX = 4 * ATTRIBUTES_MAX
"""An event has half as many at the most: name and value of each attribute, and two dozen others."""
BRACKETS_MAX = 1000
COMMAS_MAX = 10_000  # a long text may hold many

_FAULT = re.compile(r"(?P<what>.*?)(?: - at (?:`key` in )?`\$(?P<path>[^`]*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")
NAME_MAX = 128


class _Payload(msgspec.Struct):
    key_attributes: msgspec.Raw


class _Event(msgspec.Struct):
    event_payload: _Payload


_down_to_attributes = msgspec.json.Decoder(_Event).decode
_read_over = msgspec.json.Decoder(msgspec.Raw).decode


def strings_at_least(text: bytes | msgspec.Raw) -> int:
    """How many JSON strings `text` has, or fewer when backslashes stand before their ends."""
    body = bytes(text)
    return (body.count(b'"') - body.count(b'\\"')) // 2


def has_too_many_strings(body: bytes) -> bool:
    """Whether `body` has more strings than any event, by a count that is cheap for those that have few."""
    return body.count(b'"') > 2 * STRINGS_MAX and strings_at_least(body) > STRINGS_MAX


def is_dense(body: bytes) -> bool:
    """Whether `body` may hold more faults than are worth finding."""
    return (
        body.count(b'"') > 2 * STRINGS_MAX
        or body.count(b"[") + body.count(b"{") > BRACKETS_MAX
        or body.count(b",") > COMMAS_MAX
    )


def too_many_strings(body: bytes) -> Problem:
    """405 for a body with more than `STRINGS_MAX` strings, 400 when it is not JSON."""
    try:
        attributes = strings_at_least(_down_to_attributes(body).event_payload.key_attributes) // 2
    except msgspec.ValidationError:  # of a shape that no event has
        attributes = 0
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return not_json(error)
    if attributes > ATTRIBUTES_MAX:
        return _too_many_attributes(attributes)
    size = strings_at_least(body)
    return _one_field("", f"has {size:,} strings or more", size=size, limit=STRINGS_MAX)


def first_fault(body: bytes, error: Exception) -> Problem:
    """The answer for what `codec.decode` raised: 400 when `body` is not JSON, else 405, one field."""
    try:
        _read_over(body)
        body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        return not_json(broken)
    found = _FAULT.fullmatch(str(error))
    what, path = (found["what"], found["path"] or "") if found else ("", "")
    pointer = path.replace("[...]", "").replace(".", "/")
    if what.startswith("Expected `object` of length"):
        attributes = _down_to_attributes(body).event_payload.key_attributes
        return _too_many_attributes(max(strings_at_least(attributes) // 2, ATTRIBUTES_MAX + 1))
    if unknown := _UNKNOWN.fullmatch(what):
        name = unknown["name"][:NAME_MAX].replace("~", "~0").replace("/", "~1")
        return _one_field(f"{pointer}/{name}", "is not a field of this resource")
    if missing := _MISSING.fullmatch(what):
        return _one_field(f"{pointer}/{missing['name']}", "Field required")
    if what.startswith("Invalid enum value"):
        what = "is none of the values that the contract names"  # and not the value itself
    return _one_field(pointer, what or "breaks the contract")


def not_json(error: Exception) -> Problem:
    """400 for what msgspec raised at a text that is not JSON."""
    if isinstance(error, RecursionError):
        return Problem(400, "The body is nested too deeply to be read.")
    if isinstance(error, UnicodeDecodeError):
        return Problem(400, "The body is not UTF-8.")
    return Problem(400, f"The body is not JSON: {error}.")


def _too_many_attributes(size: int) -> Problem:
    detail = f"has {size:,} members or more; the limit is {ATTRIBUTES_MAX}"
    return _one_field("/event_payload/key_attributes", detail, size=size, limit=ATTRIBUTES_MAX)


def _one_field(pointer: str, detail: str, **more: int) -> Problem:
    return Problem(
        405,
        "The event breaks the contract; its first fault is named.",
        errors=[{"pointer": pointer, "detail": detail} | more],
        headers={"Allow": "POST"},
    )
