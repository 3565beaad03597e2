"""One number for what a row says and where it lies: the same from a record of the log and from the table.

Every field is written with its length before it, so that no two rows are written alike; the number is
the first eight bytes of the SHA-256 of that. Of a set of rows the numbers are added modulo 2**64, so
their order does not matter and ranges can be compared without being sorted.
"""

import hashlib
from typing import cast

from contracts.encoding.block import Row

MODULUS = 2**64


def row_hash(row: Row) -> int:
    """The number of a row as the materializer makes it from its record."""
    event, payload = row.event, row.event.event_payload
    attributes = cast("dict[str, str]", payload.key_attributes)
    parts = [
        _text(str(row.partition)),
        _text(str(row.offset)),
        _text(str(row.received_ms)),
        _text(row.tenant),
        _text(event.id),
        _text(event.event_type),
        _text(event.event_source),
        _text(payload.operation),
        _text(event.entity_id),
        _nullable(cast("str | None", event.entity_name)),
        _text(cast("str", payload.entity_id)),
        _text(str(len(attributes))),
        *(_text(name) + _text(value) for name, value in attributes.items()),
        _bytes(row.payload),
        _bytes(row.fault),
    ]
    digest = hashlib.sha256(b"".join(parts)).digest()
    return int.from_bytes(digest[:8], "little")


def _text(value: str) -> bytes:
    return _bytes(value.encode())


def _nullable(value: str | None) -> bytes:
    return _bytes(None if value is None else value.encode())


def _bytes(value: bytes | None) -> bytes:
    return b"-" if value is None else b"%d:%b" % (len(value), value)


def _sql(text: str) -> str:
    return f"toString(length({text})), ':', {text}"


def _sql_nullable(column: str) -> str:
    value = f"assumeNotNull({column})"
    return f"if(isNull({column}), '-', concat({_sql(value)}))"


_MAP = f"""arrayStringConcat(arrayMap((name, value) -> concat({_sql("name")}, {_sql("value")}),
        mapKeys(key_attributes), mapValues(key_attributes)))"""
ROW_HASH = f"""reinterpretAsUInt64(substring(SHA256(concat(
    {_sql("toString(kafka_partition)")},
    {_sql("toString(kafka_offset)")},
    {_sql("toString(toUnixTimestamp64Milli(received_at))")},
    {_sql("toString(tenant)")},
    {_sql("toString(id)")},
    {_sql("toString(event_type)")},
    {_sql("toString(event_source)")},
    {_sql("toString(operation)")},
    {_sql("entity_id")},
    {_sql_nullable("entity_name")},
    {_sql("payload_entity_id")},
    {_sql("toString(length(key_attributes))")},
    {_MAP},
    {_sql_nullable("payload")},
    {_sql_nullable("fault")}
)), 1, 8))"""
"""`row_hash` of a row of the table of events, as ClickHouse computes it."""
