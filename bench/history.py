"""A table with a month of events of ten tenants, one of which has half of them, made inside ClickHouse.

Rows are the retail events in turns, each with an entity, a correlation id and a word of its own, so that
texts differ as those of customers do. Of each hundred `keyed` have an id as derived from an
Idempotency-Key.
"""

import time
from collections.abc import Callable
from functools import partial

from rich.progress import track

from bench.rows import BATCH_ROWS, TENANTS, seed
from bench.servers import sql
from cli.endpoints import Endpoints
from contracts.ids import IS_DERIVED

LARGE = TENANTS[0]
"""The tenant with half of the rows."""
DAYS = 30
DAY_MS = 24 * 60 * 60 * 1000
STATEMENT_ROWS = 100_000
ENTITIES = 500_000
KEYED = 20
"""Of each hundred events, those under an Idempotency-Key."""
QUIET_S = 5
MERGES_TIMEOUT_S = 1800
INSERT = """
INSERT INTO events.events (tenant, id, received_at, event_type, event_source, operation,
    entity_id, entity_name, payload_entity_id, key_attributes, payload, fault,
    kafka_partition, kafka_offset)
WITH bitOr(bitShiftLeft(ms, 16), bitOr(0x7000, cityHash64(r) % 4096)) AS high,
    bitOr(0x8000000000000000, bitShiftRight(sipHash64(r), 2)) AS low, -- UUIDv7, RFC 9562 section 5.7
    bitOr(bitShiftLeft(cityHash64(r), 16), bitOr(0x8000, cityHash64(r) % 4096)) AS derived -- UUIDv8
SELECT concat('tenant-', toString(if(r % 2 = 0, 0, 1 + intDiv(r, 2) % 9))),
    reinterpretAsUUID(bitOr(bitShiftLeft(toUInt128(low), 64),
        toUInt128(if(intDiv(r, 20) % 100 < {keyed}, derived, high)))),
    fromUnixTimestamp64Milli(toInt64(ms)), event_type, event_source, operation,
    if(cityHash64(r, 1) % 10 = 0, entity_id, -- one in ten is about one of few
        concat('entity-', toString(cityHash64(r, 2) % {entities}))) AS entity, entity_name, entity,
    mapUpdate(key_attributes, map('correlationId', lower(hex(sipHash64(r, 3))))),
    concat(payload, ' "ordno', toString(r), 'x"'), fault, r % 6, intDiv(r, 6)
FROM (SELECT number + {first} AS r, {start_ms} + intDiv(r * {every_us}, 1000) AS ms,
        toUInt32((intDiv(r, 2) + r % 2 * 500) % {seeds}) AS n FROM numbers({count})) AS event
INNER JOIN events.seed AS seed ON event.n = seed.n
SETTINGS max_threads = 1, max_insert_threads = 1, async_insert = 0, max_block_size = {batch_rows},
    min_insert_block_size_rows = {batch_rows}, max_insert_block_size = {batch_rows},
    use_strict_insert_block_limits = 1, -- else three blocks become one part
    join_algorithm = 'hash'
"""
THERE = f"SELECT count(), toUInt8(round(100 * countIf({IS_DERIVED}) / greatest(count(), 1))) FROM events.events"  # noqa: E501, S608
MERGES = "SELECT count() FROM system.merges WHERE database = 'events' AND table = 'events'"


def make(where: Endpoints, count: int, keyed: int = KEYED) -> None:
    """Have `count` rows, or those that a folder that was kept has, and no merge that runs.

    Of each hundred `keyed` are under an Idempotency-Key.
    """
    run = partial(sql, where)
    there, keyed_there = map(int, run(THERE).split())
    if not there:
        insert(run, seed(run, where.home, "events"), count, keyed)
    elif (there, keyed_there) != (count, keyed):
        raise ValueError(
            f"the table that was kept has {there:,} rows, {keyed_there} % of them keyed,"
            f" not {count:,} and {keyed} %"
        )
    give_up = time.monotonic() + MERGES_TIMEOUT_S
    quiet_s = time.monotonic()
    while time.monotonic() < quiet_s + QUIET_S:
        if int(sql(where, MERGES)):
            quiet_s = time.monotonic()
        if time.monotonic() > give_up:
            raise TimeoutError(f"ClickHouse still merges after {MERGES_TIMEOUT_S} s")
        time.sleep(0.2)


def insert(run: Callable[[str], object], seeds: int, count: int, keyed: int = KEYED) -> None:
    """Insert `count` rows, 10,000 at once as the materializer does under load; `run` takes a statement."""
    every_us = DAYS * DAY_MS * 1000 // count
    start_ms = time.time_ns() // 1_000_000 - DAYS * DAY_MS
    steps = range(0, count, STATEMENT_ROWS)
    for first in track(steps, description=f"filling to {count:,} rows", transient=True):
        statement = INSERT.format(
            entities=ENTITIES,
            keyed=keyed,
            first=first,
            count=min(STATEMENT_ROWS, count - first),
            start_ms=start_ms,
            every_us=every_us,
            seeds=seeds,
            batch_rows=BATCH_ROWS,
        )
        run(statement)
