"""The ClickHouse table of events: the row that is inserted and the event read back.

Its DDL is `migrations/0001_events.sql`.

A row is the event's representation as it lies in Kafka with five members of ours written before it;
ClickHouse takes it apart (EPHEMERAL `event_payload`, DEFAULT expressions) and checks it (CONSTRAINT,
strict input settings), so nothing is parsed twice on the way and no writer can leave a row that GET
cannot answer. Payload and fault are stored decoded: analysts read them.
"""

import uuid
from collections.abc import Iterable
from functools import lru_cache
from time import gmtime

from contracts.events import Event, represent

EVENTS_TABLE = "events"
DAY_S = 24 * 60 * 60


INSERT_FORMAT = "JSONEachRow"
INSERT_COLUMNS = (
    *("kafka_partition", "kafka_offset", "tenant", "received_at"),
    *("entity_id", "entity_name", "event_payload", "event_source", "event_type", "id"),
)
"""The members of a row in their order: ours, then those of the event's representation."""

INSERT_SETTINGS: dict[str, str | int] = {
    "async_insert": 0,  # the answer means written; on by default since 26.x
    "insert_deduplicate": 0,  # the offsets in the table are the authority, never a token
    "max_insert_threads": 1,
    "input_format_parallel_parsing": 0,  # one block, so one part per insert
    "input_format_skip_unknown_fields": 0,
    "input_format_null_as_default": 0,
    "input_format_json_read_numbers_as_strings": 0,
    "input_format_json_read_bools_as_strings": 0,
    "input_format_json_read_arrays_as_strings": 0,
    "date_time_input_format": "basic",
}

SELECT_EVENT = """
SELECT tenant, entity_id, entity_name,
    CAST((base64Encode(fault), base64Encode(payload), payload_entity_id, key_attributes, operation),
        'Tuple(base64_encoded_fault_json Nullable(String),
               base64_encoded_payload_json Nullable(String),
               entity_id String, key_attributes Map(String, String), operation String)')
        AS event_payload,
    event_source, event_type, id
FROM {database}.events
WHERE (tenant, id) IN ({keys})
ORDER BY precedence DESC
LIMIT 1 BY tenant, id
FORMAT JSONEachRow
"""


def row(tenant: str, partition: int, offset: int, received_ms: int, value: bytes) -> bytes:
    """One JSONEachRow row: the record's position, tenant and time joined to its value.

    `value` must be one JSON object (`wire.is_one_event`), `tenant` have passed `decode_tenant`:
    neither is escaped.
    """
    return b'{"kafka_partition":%d,"kafka_offset":%d,"tenant":"%b","received_at":%d.%03d,%b\n' % (
        partition,
        offset,
        tenant.encode(),
        received_ms // 1000,
        received_ms % 1000,
        value[1:],
    )


@lru_cache(maxsize=16)
def _month_of_day(day: int) -> int:
    year, month = gmtime(day * DAY_S)[:2]
    return year * 100 + month


def month_of(received_ms: int) -> int:
    """The table's partition (YYYYMM, UTC) of a row received then, in ms since 1970."""
    return _month_of_day(received_ms // (DAY_S * 1000))


def select_events(database: str, keys: Iterable[tuple[str, uuid.UUID]]) -> str:
    """The query for these (tenant, id); the tenants must have passed `is_tenant`."""
    listed = ", ".join(f"('{tenant}', '{event_id}')" for tenant, event_id in keys)
    return SELECT_EVENT.format(database=database, keys=listed)


class StoredEvent(Event):
    """One line of the answer to `select_events`."""

    tenant: str


def read_events(lines: bytes) -> dict[tuple[str, str], bytes]:
    """The answer to `select_events` as representations by (tenant, id)."""
    found = (StoredEvent.model_validate_json(line) for line in lines.splitlines())
    return {(stored.tenant, stored.id): represent(stored, stored.id) for stored in found}
