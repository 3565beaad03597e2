"""Rows that are made inside ClickHouse are like those that come through the log."""

import json
import uuid
from pathlib import Path

import httpx

from bench.rows import BATCH_ROWS, TENANTS, Times, insert, seed
from contracts.clickhouse.table import read_events, select_events
from contracts.ids import made_at_ms
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection
from tests.schema import create_schema
from tests.stack import Stack

ROWS = 3 * BATCH_ROWS
TIMES = Times(1_790_000_000_000, 1_500)


async def _create(url: str, database: str) -> None:
    clickhouse = ClickHouse(ClickHouseConnection(url=url, database=database))
    try:
        await create_schema(clickhouse, database)
    finally:
        await clickhouse.close()


async def test_they_have_ids_of_their_time_and_come_in_batches_like_the_materializers(
    stack: Stack, tmp_path: Path
) -> None:
    url, database = stack.status["clickhouse"], f"t_{uuid.uuid4().hex}"

    def run(sql: str) -> bytes:
        answer = httpx.post(url, content=sql, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.content

    await _create(url, database)
    run(f"SYSTEM STOP MERGES {database}.events")
    insert(run, database, seed(run, tmp_path, database), TIMES, range(ROWS))
    parts = run(
        "SELECT DISTINCT toUInt32(rows) FROM system.parts"
        f" WHERE database = '{database}' AND table = 'events' FORMAT TSV"
    )
    assert parts.split() == [b"%d" % BATCH_ROWS]
    lines = run(
        f"SELECT tenant, id, toUnixTimestamp64Milli(received_at) FROM {database}.events"
        " ORDER BY kafka_offset, kafka_partition FORMAT TSV"
    )
    rows = [line.split("\t") for line in lines.decode().splitlines()]
    assert len({event_id for _, event_id, _ in rows}) == ROWS
    for number, (tenant, event_id, received_ms) in enumerate(rows):
        assert tenant == TENANTS[number % len(TENANTS)]
        assert made_at_ms(uuid.UUID(event_id)) == int(received_ms)
        assert int(received_ms) == TIMES.start_ms + number * TIMES.every_us // 1000
    tenant, event_id, _ = rows[-1]
    read = read_events(run(select_events(database, [(tenant, uuid.UUID(event_id))])))
    assert json.loads(read[tenant, event_id])["id"] == event_id
    run(f"DROP DATABASE {database} SYNC")
