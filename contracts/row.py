"""One row of the events table in RowBinary: the columns of `table.INSERT_COLUMNS`, one after the other.

Layout: https://clickhouse.com/docs/interfaces/formats/RowBinary. Numbers are little-endian, a text
is its length (unsigned LEB128) and its bytes, a Nullable is a byte 1, or 0 and the value, a UUID is
its two halves as numbers.
"""

import struct
from functools import lru_cache
from typing import cast

from contracts.codec import EventJson, decode_base64

_HEAD = struct.Struct("<IQqQQ")  # partition, offset, time in ms, the halves of the id
NULL = b"\x01"
GIVEN = b"\x00"


class NotBase64(Exception):
    """A payload or fault that is not canonical base64; the message names the member."""


def row(tenant: str, partition: int, offset: int, received_ms: int, event: EventJson) -> bytes:
    """The row of `event` as the log has it. Raises `NotBase64`."""
    payload = event.event_payload
    number = int(cast("str", event.id).replace("-", ""), 16)
    parts = [
        _HEAD.pack(partition, offset, received_ms, number >> 64, number & 0xFFFFFFFFFFFFFFFF),
        _name(tenant),
        _name(event.event_type),
        _name(event.event_source),
        _name(payload.operation),
    ]
    entity_id = event.entity_id.encode()
    own_id = cast("str", payload.entity_id).encode()
    name = event.entity_name
    parts += (length(len(entity_id)), entity_id, length(len(own_id)), own_id)
    parts += (NULL,) if name is None else (GIVEN, *text(cast("str", name)))
    attributes = cast("dict[str, str]", payload.key_attributes)
    parts.append(length(len(attributes)))
    for key, value in attributes.items():
        parts.append(_name(key))
        parts += text(value)
    parts += _decoded(payload.base64_encoded_payload_json, "base64_encoded_payload_json")
    parts += _decoded(payload.base64_encoded_fault_json, "base64_encoded_fault_json")
    return b"".join(parts)


def _decoded(encoded: object, member: str) -> tuple[bytes, ...]:
    if encoded is None:
        return (NULL,)
    found = decode_base64(cast("str", encoded))
    if found is None:
        raise NotBase64(f"event_payload/{member}: is not canonical base64")
    return GIVEN, length(len(found)), found


def text(value: str) -> tuple[bytes, bytes]:
    """Length and bytes of a text in UTF-8."""
    encoded = value.encode()
    return length(len(encoded)), encoded


@lru_cache(maxsize=10_000)
def _name(name: str) -> bytes:
    """A text that many rows have in common."""
    return b"".join(text(name))


def length(number: int) -> bytes:
    """An unsigned LEB128 number."""
    return _SMALL[number] if number < len(_SMALL) else _leb128(number)


def _leb128(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL = [_leb128(number) for number in range(16_384)]
