"""The ClickHouse table of events: its DDL, the row that is inserted and the event read back.

A row is the event's representation as it lies in Kafka with five members of ours written before it;
ClickHouse takes it apart (EPHEMERAL `event_payload`, DEFAULT expressions) and checks it (CONSTRAINT,
strict input settings), so nothing is parsed twice on the way and no writer can leave a row that GET
cannot answer. Payload and fault are stored decoded: analysts read them.
"""

import uuid
from collections.abc import Iterable
from functools import lru_cache
from time import gmtime
from typing import get_args

from contracts.events import Event, EventSource, EventType, Operation, represent

EVENTS_TABLE = "events"
DAY_S = 24 * 60 * 60


def _one_of(literal: object) -> str:
    return ", ".join(f"'{name}'" for name in get_args(literal))


CONSTRAINTS = {
    "id_is_given": "id != toUUID('00000000-0000-0000-0000-000000000000')",
    "entity_id_is_given": "notEmpty(entity_id) AND notEmpty(payload_entity_id)",
    "event_type_is_known": f"event_type IN ({_one_of(EventType)})",
    "event_source_is_known": f"event_source IN ({_one_of(EventSource)})",
    "operation_is_known": f"operation IN ({_one_of(Operation)})",
}

DDL = f"""
CREATE TABLE IF NOT EXISTS {{database}}.events
(
    tenant LowCardinality(String) COMMENT 'Tenant that posted the event',
    id UUID COMMENT 'Event id, unique within the tenant; a version 7 carries its time',
    received_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'When the edge accepted it',
    event_type LowCardinality(String) COMMENT 'ENTITY_EVENT, SYSTEM_EVENT, FAULT or WARNING',
    event_source LowCardinality(String) COMMENT 'Kind of entity, or APPLICATION',
    operation LowCardinality(String) DEFAULT event_payload.operation COMMENT 'What was being done',
    entity_id String CODEC(ZSTD(1)) COMMENT 'Entity that the event is about',
    entity_name Nullable(String) CODEC(ZSTD(1)) COMMENT 'Name of the entity, if given',
    payload_entity_id String DEFAULT event_payload.entity_id CODEC(ZSTD(1))
        COMMENT 'Entity id inside the payload part, usually the same',
    key_attributes Map(LowCardinality(String), String) DEFAULT event_payload.key_attributes
        CODEC(ZSTD(1)) COMMENT 'Correlation id, reference id and the like, by name',
    payload Nullable(String) DEFAULT base64Decode(event_payload.base64_encoded_payload_json)
        CODEC(ZSTD(1)) COMMENT 'Payload, decoded; usually JSON',
    fault Nullable(String) DEFAULT base64Decode(event_payload.base64_encoded_fault_json)
        CODEC(ZSTD(1)) COMMENT 'Fault, decoded; usually JSON',
    kafka_partition UInt32 CODEC(ZSTD(1)) COMMENT 'Partition of the record in the log',
    kafka_offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'Offset of the record in the log',
    precedence Int64 DEFAULT -toUnixTimestamp64Milli(received_at) CODEC(DoubleDelta, ZSTD(1))
        COMMENT 'Of two rows with one id the higher stays: the one received first',
    event_payload Tuple(
        base64_encoded_fault_json Nullable(String),
        base64_encoded_payload_json Nullable(String),
        entity_id String,
        key_attributes Map(String, String),
        operation String) EPHEMERAL COMMENT 'As inserted; its parts are the columns above',
    {"".join(f"CONSTRAINT {name} CHECK {check}, " for name, check in CONSTRAINTS.items())}
    INDEX by_time received_at TYPE minmax GRANULARITY 16,
    INDEX by_offset kafka_offset TYPE minmax GRANULARITY 16
)
ENGINE = ReplacingMergeTree(precedence)
PARTITION BY toYYYYMM(received_at)
ORDER BY (tenant, toUInt128(id))
SETTINGS index_granularity = 256,
    merge_selector_base = 10, -- fewer, larger merges: they cost as much as the inserts themselves
    vertical_merge_algorithm_min_rows_to_activate = 1 -- only the key is compared row by row
COMMENT 'Every accepted event, one row per (tenant, id)'
"""

ADD_CONSTRAINTS = "ALTER TABLE {database}.events " + ", ".join(
    f"ADD CONSTRAINT IF NOT EXISTS {name} CHECK {check}" for name, check in CONSTRAINTS.items()
)
"""For a table that an earlier release made; changes nothing where they are there."""

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
