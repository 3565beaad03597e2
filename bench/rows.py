"""Rows made inside ClickHouse from the retail events: tables too large to fill through the log.

A row is an event with another id, time, tenant and entity. Each tenant goes round the events in
their order, so that rows that are compressed together are different ones.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.ingest import bodies
from contracts.encoding.parse import parse_event

TENANTS = [f"tenant-{number}" for number in range(10)]
BATCH_ROWS = 10_000
SEED = """
CREATE TABLE {database}.seed ENGINE = MergeTree ORDER BY n AS
SELECT n, event.event_type AS event_type, event.event_source AS event_source,
    event.event_payload.operation AS operation, event.entity_id AS entity_id,
    event.entity_name AS entity_name, event.event_payload.key_attributes AS key_attributes,
    base64Decode(event.event_payload.base64_encoded_payload_json) AS payload,
    base64Decode(event.event_payload.base64_encoded_fault_json) AS fault
FROM file('{path}', JSONEachRow, 'n UInt32, event Tuple(
    event_type String, event_source String, entity_id String, entity_name Nullable(String),
    event_payload Tuple(operation String, key_attributes Map(String, String),
        base64_encoded_payload_json Nullable(String), base64_encoded_fault_json Nullable(String)))')
"""
INSERT = """
INSERT INTO {database}.events (tenant, id, received_at, event_type, event_source, operation,
    entity_id, entity_name, payload_entity_id, key_attributes, payload, fault,
    kafka_partition, kafka_offset)
WITH bitOr(bitShiftLeft(ms, 16), bitOr(0x7000, cityHash64(r) % 4096)) AS high,
    bitOr(0x8000000000000000, bitShiftRight(sipHash64(r), 2)) AS low, -- UUIDv7, RFC 9562 section 5.7
    bitOr(bitShiftLeft(cityHash64(r), 16), bitOr(0x8000, cityHash64(r) % 4096)) AS derived -- UUIDv8
SELECT concat('tenant-', toString(r % {tenants})),
    reinterpretAsUUID(bitOr(bitShiftLeft(toUInt128(low), 64),
        toUInt128(if(intDiv(r, {tenants}) % 100 < {keyed}, derived, high)))),
    fromUnixTimestamp64Milli(toInt64(ms)), event_type, event_source, operation,
    concat(entity_id, '-', toString(r % 7)), entity_name, entity_id, key_attributes, payload, fault,
    r % 6, intDiv(r, 6)
FROM (SELECT number + {first} AS r, {start_ms} + intDiv(r * {every_us}, 1000) AS ms,
        toUInt32(intDiv(r, {tenants}) % {seeds}) AS n FROM numbers({count})) AS event
INNER JOIN {database}.seed AS seed ON event.n = seed.n
SETTINGS max_threads = 1, max_insert_threads = 1, async_insert = 0, max_block_size = {batch_rows},
    min_insert_block_size_rows = {batch_rows}, max_insert_block_size = {batch_rows},
    use_strict_insert_block_limits = 1, -- else three blocks become one part
    join_algorithm = 'hash'
"""


class Times(NamedTuple):
    """When rows were received: the first in ms since 1970, and the microseconds between two."""

    start_ms: int
    every_us: int


def seed(run: Callable[[str], object], folder: Path, database: str) -> int:
    """Put the events to go round, decoded, into the table `seed`; how many. `run` takes a statement.

    The server reads them from a file in `folder`.
    """
    texts = bodies().get("retail", bodies()["800 B"])
    path = folder / "seed.json"
    with path.open("w") as file:
        for number, text in enumerate(texts):
            file.write(
                f'{{"n": {number}, "event": {msgspec.json.encode(parse_event(text)).decode()}}}\n'
            )
    run(SEED.format(database=database, path=path))
    return len(texts)


def insert(
    run: Callable[[str], object],
    database: str,
    seeds: int,
    times: Times,
    rows: range,
    keyed: int = 0,
) -> None:
    """Insert the rows of these numbers, 10,000 at once as the materializer does under load.

    `keyed` of each hundred have ids as derived from Idempotency-Keys.
    """
    statement = INSERT.format(
        database=database,
        tenants=len(TENANTS),
        seeds=seeds,
        start_ms=times.start_ms,
        every_us=times.every_us,
        first=rows.start,
        count=len(rows),
        keyed=keyed,
        batch_rows=BATCH_ROWS,
    )
    run(statement)
