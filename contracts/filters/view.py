"""An event as filters see it: its fields, its attributes, and the values inside payload and fault.

Payload and fault are decoded when they are first asked for, once per event. What is no JSON is
absent: UTF-8, no NaN, no half of a surrogate pair, at most `LEVELS_MAX` levels looked at.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from contracts.encoding.codec import EventJson, decode_base64
from contracts.filters.tree import ATTRIBUTES, EVENT, Field
from contracts.filters.values import BOOLEANS, EXACT_DIGITS, MISSING, Leaf, Odd, Value, number_of

LEVELS_MAX = 32
"""Objects and arrays inside one another; what lies deeper is not looked at."""


Place = tuple[tuple[int, int], ...]
"""For each array that a value lies in, from the outermost: the array's number, and the element's."""


class Found(NamedTuple):
    """A value in a document and where it lies."""

    value: Leaf
    place: Place


Document = Mapping[str, Sequence[Found]]
"""The values by path, whose names are joined by dots."""


class View:
    """One event, with its defaults filled, for any number of filters."""

    __slots__ = ("_documents", "event")

    def __init__(self, event: EventJson) -> None:
        self.event = event
        self._documents: dict[str, Document] | None = None

    def value(self, field: Field) -> Value:
        """The value of a field that has one at the most: of the event, or a key attribute."""
        if field.part == ATTRIBUTES:
            return self.event.event_payload.key_attributes.get(field.name, MISSING)  # type: ignore[union-attr]
        if field.name == "operation":
            return self.event.event_payload.operation
        value: Value = getattr(self.event, field.name)
        return value

    def values(self, field: Field) -> Sequence[Value]:
        """All values of a field."""
        if field.part == EVENT:
            return (self.value(field),)
        if field.part == ATTRIBUTES:
            value = self.value(field)
            return () if value is MISSING else (value,)
        return [found.value for found in self.document(field.part).get(field.name, ())]

    def document(self, part: str) -> Document:
        """The values inside `payload` or `fault`."""
        if self._documents is None:
            self._documents = {}
        if (document := self._documents.get(part)) is None:
            payload = self.event.event_payload
            encoded = (
                payload.base64_encoded_payload_json
                if part == "payload"
                else payload.base64_encoded_fault_json
            )
            raw = decode_base64(encoded) if isinstance(encoded, str) else None
            document = self._documents[part] = read_document(raw)
        return document


class _Object(tuple[tuple[str, Any], ...]):
    """The members of a JSON object; of a name that comes twice both count."""

    __slots__ = ()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=_Object, parse_float=number_of, parse_int=number_of, parse_constant=_refuse
)


def read_document(raw: bytes | None) -> Document:
    """The values in the JSON text `raw`; empty when it is none."""
    if not raw:
        return {}
    try:
        document = _decoder.decode(raw.decode())
        if b"\\u" in raw:
            json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair cannot be
    except (ValueError, RecursionError):
        return {}
    found: dict[str, list[Found]] = {}
    _Reader(found).read(document, "", (), 0)
    return found


class _Reader:
    def __init__(self, found: dict[str, list[Found]]) -> None:
        self._found = found
        self._arrays = 0

    def read(self, value: Any, path: str, place: Place, level: int) -> None:
        """`path` has a dot before its first name. A scalar in an array is in none of its elements."""
        if isinstance(value, _Object):
            if level < LEVELS_MAX:
                for name, member in value:
                    self.read(member, f"{path}.{name}", place, level + 1)
        elif isinstance(value, list):
            if level < LEVELS_MAX:
                self._arrays += 1
                array = self._arrays
                for index, element in enumerate(value):
                    inside = isinstance(element, _Object | list)
                    within = (*place, (array, index)) if inside else place
                    self.read(element, path, within, level + 1)
        elif path:
            leaf = BOOLEANS[value] if isinstance(value, bool) else value
            self._found.setdefault(path[1:], []).append(Found(leaf, place))


def json_of(leaf: Leaf) -> Any:
    """A leaf as JSON has it; a number that no double holds as a text."""
    if isinstance(leaf, Odd):
        return {"true": True, "false": False}.get(leaf.spelling, leaf.spelling)
    if isinstance(leaf, float) and abs(leaf) < 10**EXACT_DIGITS and leaf.is_integer():
        return int(leaf)
    return leaf
