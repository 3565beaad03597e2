"""One number for what a row says and where it lies: the same from a record of the log and from the table.

Every field is written with its length before it, so that no two rows are written alike; the number is
the first eight bytes of the SHA-256 of that. Of a set of rows the numbers are added modulo 2**64, so
their order does not matter and ranges can be compared without being sorted.
"""

import hashlib
import itertools
import operator
from typing import cast

from contracts.encoding.block import Row

MODULUS = 2**64

_FIELDS = {
    "kafka_partition": "partition",
    "kafka_offset": "offset",
    "toUnixTimestamp64Milli(received_at)": "received_ms",
    "tenant": "tenant",
    "id": "event.id",
    "event_type": "event.event_type",
    "event_source": "event.event_source",
    "operation": "event.event_payload.operation",
    "entity_id": "event.entity_id",
    "entity_name": "event.entity_name",
    "payload_entity_id": "event.event_payload.entity_id",
    "payload": "payload",
    "fault": "fault",
}
"""What a row says: where ClickHouse has it, and where a `Row`. The key attributes come after it."""
_values = operator.attrgetter(*_FIELDS.values())


def row_hash(row: Row) -> int:
    """The number of a row as the materializer makes it from its record."""
    attributes = cast("dict[str, str]", row.event.event_payload.key_attributes)
    pairs = itertools.chain.from_iterable(attributes.items())
    said = b"".join(map(_written, (*_values(row), len(attributes), *pairs)))
    return int.from_bytes(hashlib.sha256(said).digest()[:8], "little")


def _written(value: int | str | bytes | None) -> bytes:
    if value is None:
        return b"-"
    text = value if isinstance(value, bytes) else str(value).encode()
    return b"%d:%b" % (len(text), text)


def _written_sql(value: str) -> str:
    return f"ifNull(concat(toString(length(toString({value}))), ':', toString({value})), '-')"


ROW_HASH = f"""reinterpretAsUInt64(substring(SHA256(concat(
    {", ".join(map(_written_sql, (*_FIELDS, "length(key_attributes)")))},
    arrayStringConcat(arrayMap((name, value) -> concat({_written_sql("name")}, {_written_sql("value")}),
        mapKeys(key_attributes), mapValues(key_attributes)))
)), 1, 8))"""
"""`row_hash` of a row of the table of events, as ClickHouse computes it."""
