"""One row of the events table in RowBinary: the columns of `table.INSERT_COLUMNS`, one after the other.

Layout: https://clickhouse.com/docs/interfaces/formats/RowBinary. Numbers are little-endian, a text
is its length (unsigned LEB128) and its bytes, a Nullable is a byte 1, or 0 and the value, a UUID is
its two halves as numbers.
"""

import itertools
import struct
import uuid
from functools import lru_cache
from typing import cast

from contracts.codec import EventJson, decode_base64
from contracts.leb128 import leb128

_HEAD = struct.Struct("<IQq")  # partition, offset, time in ms
_ID_AT = _HEAD.size
_TENANT_AT = _ID_AT + 16
NULL = (b"\x01",)
GIVEN = b"\x00"


class NotBase64(Exception):
    """A payload or fault that is not canonical base64; the message names the member."""


def row(tenant: str, partition: int, offset: int, received_ms: int, event: EventJson) -> bytes:
    """The row of `event` as the log has it. Raises `NotBase64`."""
    payload = event.event_payload
    number = bytes.fromhex(cast("str", event.id).replace("-", ""))
    entity_id = event.entity_id.encode()
    size = length(len(entity_id))
    own_id = cast("str", payload.entity_id)
    name = event.entity_name
    attributes = cast("dict[str, str]", payload.key_attributes)
    parts = [
        _HEAD.pack(partition, offset, received_ms),
        number[7::-1],
        number[:7:-1],
        _names(tenant, event.event_type, event.event_source, payload.operation),
        size,
        entity_id,
        *((size, entity_id) if own_id == event.entity_id else text(own_id)),
        *(NULL if name is None else (GIVEN, *text(cast("str", name)))),
        length(len(attributes)),
    ]
    for key, value in attributes.items():
        encoded = value.encode()
        parts += (_names(key), length(len(encoded)), encoded)
    parts += _decoded(payload.base64_encoded_payload_json, "base64_encoded_payload_json")
    parts += _decoded(payload.base64_encoded_fault_json, "base64_encoded_fault_json")
    return b"".join(parts)


def identity(data: bytes) -> tuple[str, str]:
    """Tenant and id of the event in a row that `row` made."""
    number = data[_ID_AT : _ID_AT + 16]
    size, begin = data[_TENANT_AT], _TENANT_AT + 1  # a tenant's name is shorter than 128 bytes
    event_id = uuid.UUID(bytes=number[7::-1] + number[:7:-1])
    return data[begin : begin + size].decode(), str(event_id)


def _decoded(encoded: object, member: str) -> tuple[bytes, ...]:
    if encoded is None:
        return NULL
    found = decode_base64(cast("str", encoded))
    if found is None:
        raise NotBase64(f"event_payload/{member}: is not canonical base64")
    return GIVEN, length(len(found)), found


@lru_cache(maxsize=10_000)
def _names(*names: str) -> bytes:
    """Texts that many rows have in common."""
    return b"".join(itertools.chain.from_iterable(text(name) for name in names))


def text(value: str) -> tuple[bytes, bytes]:
    """Length and bytes of a text in UTF-8."""
    encoded = value.encode()
    return length(len(encoded)), encoded


def length(number: int) -> bytes:
    """An unsigned LEB128 number."""
    return _SMALL[number] if number < len(_SMALL) else leb128(number)


_SMALL = [leb128(number) for number in range(16_384)]
