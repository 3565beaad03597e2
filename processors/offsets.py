"""What a table of events holds, by the records' offsets: asked in ranges, `end` not included."""

import itertools
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from contracts.table import EVENTS_TABLE
from processors.step import Transient
from service.clickhouse import ClickHouse, ClickHouseFailed

SPAN = 50_000
"""Offsets of one partition that one query looks at."""
KEYS_MAX = 1_000
"""(tenant, id) of one query: with the longest names, half of ClickHouse's max_query_size."""

HELD = """
SELECT toUInt32(count()), toUInt32(uniqExact(kafka_offset)) FROM {table} WHERE {range}
FORMAT JSONCompactEachRow
"""
ROWS_OF_EACH = """
SELECT toString(kafka_offset), toUInt32(count()) FROM {table} WHERE {range} GROUP BY kafka_offset
FORMAT JSONCompactEachRow
"""
BOUNDS = """
SELECT kafka_partition, toString(min(kafka_offset)), toString(max(kafka_offset)) FROM {table}
GROUP BY kafka_partition FORMAT JSONCompactEachRow
"""
KNOWN = """
SELECT DISTINCT tenant, id FROM {table} WHERE (tenant, id) IN ({keys}) FORMAT JSONCompactEachRow
"""
TTL = """
SELECT extract(engine_full, ' TTL (.*?)(?: SETTINGS |$)') FROM system.tables
WHERE database = '{database}' AND name = '{table}' FORMAT TSVRaw
"""
EXPIRED = """
SELECT number FROM (
    SELECT (arrayJoin([{received}]) AS record).1 AS number, record.2 AS tenant,
        fromUnixTimestamp64Milli(toInt64(record.3), 'UTC') AS received_at
) WHERE ({ttl}) <= now() FORMAT JSONCompactEachRow
"""


class Held(NamedTuple):
    """Rows of a range, and the different offsets among them."""

    rows: int
    offsets: int


class Offsets:
    """A table of events. Every method raises `Transient` when ClickHouse fails."""

    def __init__(self, clickhouse: ClickHouse, database: str, table: str = EVENTS_TABLE) -> None:
        self._clickhouse = clickhouse
        self._database = database
        self._name = table
        self._table = f"{database}.{table}"

    async def held(self, partition: int, first: int, end: int) -> Held:
        """How much of the range is there. Without FINAL: a row that came twice counts twice."""
        [[rows, offsets]] = await self._lines(HELD, range=_range(partition, first, end))
        return Held(rows, offsets)

    async def rows_of_each(self, partition: int, first: int, end: int) -> dict[int, int]:
        """The number of rows of each offset that is there."""
        lines = await self._lines(ROWS_OF_EACH, range=_range(partition, first, end))
        return {int(offset): rows for offset, rows in lines}

    async def bounds(self) -> dict[int, tuple[int, int]]:
        """Lowest and highest offset by partition; no entry for a partition without rows."""
        lines = await self._lines(BOUNDS)
        return {partition: (int(low), int(high)) for partition, low, high in lines}

    async def known(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these (tenant, id), at most `KEYS_MAX`, are there. The tenants were checked."""
        if not keys:
            return set()
        listed = ", ".join(f"('{tenant}', '{event_id}')" for tenant, event_id in keys)
        return {(tenant, found) for tenant, found in await self._lines(KNOWN, keys=listed)}

    async def expired(self, records: Sequence[tuple[str, int]]) -> set[int]:
        """Which of these, by index, the table's TTL removes: (tenant, received in ms since 1970).

        ClickHouse itself works the TTL out. It may name the columns tenant and received_at.
        """
        answer = await self._select(TTL.format(database=self._database, table=self._name))
        ttl = answer.decode().strip()
        if not ttl or not records:
            return set()
        listed = ", ".join(
            f"({index}, '{tenant}', {ms})" for index, (tenant, ms) in enumerate(records)
        )
        return {number for [number] in await self._lines(EXPIRED, received=listed, ttl=ttl)}

    async def _lines(self, sql: str, **parts: str) -> list[Any]:
        answer = await self._select(sql.format(table=self._table, **parts))
        return [json.loads(line) for line in answer.splitlines()]

    async def _select(self, sql: str) -> bytes:
        try:
            return await self._clickhouse.read_back(sql)
        except ClickHouseFailed as error:
            raise Transient(f"reading what {self._table} holds: {error}") from error


def _range(partition: int, first: int, end: int) -> str:
    return f"kafka_partition = {partition} AND kafka_offset >= {first} AND kafka_offset < {end}"


def spans(first: int, end: int) -> list[tuple[int, int]]:
    """The range in pieces of `SPAN`, cut at the same offsets wherever it begins."""
    cuts = [first, *range((first // SPAN + 1) * SPAN, end, SPAN), end]
    return [(low, high) for low, high in itertools.pairwise(cuts) if low < high]
