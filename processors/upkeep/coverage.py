"""What a table of events holds of one log, by offsets: asked in ranges, `end` not included."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from contracts.clickhouse.table import EVENTS_TABLE, FOR_EVER_MS, INSERT_SETTINGS
from contracts.clickhouse.ttl import TTL_NOW
from contracts.encoding.block import INSERT_COLUMNS, Name, Row
from contracts.encoding.digest import ROW_HASH
from contracts.erasures import COVERED, ERASURES_TABLE
from contracts.ids import IS_DERIVED
from processors.materialize.server import failing_as_transient, read_back
from service.clickhouse import ClickHouse

SPAN = 50_000
"""Offsets of one partition that one query looks at."""

COUNT = """
SELECT toUInt32(uniqExact(kafka_offset)) FROM {table} WHERE {range} FORMAT JSONCompactEachRow
"""
HELD = """
SELECT toUInt32(count()), toString(sum({hash})) FROM {table} WHERE {range}
FORMAT JSONCompactEachRow
"""
HASHES = """
SELECT toString(kafka_offset), toString({hash}) FROM {table} WHERE {range}
FORMAT JSONCompactEachRow
"""
BOUNDS = """
SELECT kafka_partition, toString(min(kafka_offset)), toString(max(kafka_offset)) FROM {table}
WHERE kafka_log = {log} GROUP BY kafka_partition FORMAT JSONCompactEachRow
"""
NOT_IN = """
SELECT toString(kafka_offset), tenant, id FROM {table}
WHERE {range} AND (isNull(expires_at) OR expires_at > now())
    AND (tenant, id) NOT IN (
        SELECT tenant, id FROM {other}
        WHERE (tenant, id) IN (SELECT tenant, id FROM {table} WHERE {range}))
    AND (tenant, id) NOT IN (
        SELECT tenant, id FROM {erasures} AS erasure
        INNER JOIN (
            SELECT tenant, id, received_at, kafka_log, kafka_partition, kafka_offset FROM {table}
            WHERE {range}
        ) AS stored USING (tenant, id)
        WHERE {covered})
LIMIT {count} FORMAT JSONCompactEachRow
"""
TWICE = """
SELECT tenant, any(id), argMax(kafka_partition, kafka_offset), toString(max(kafka_offset))
FROM {table} WHERE isNull(expires_at) OR expires_at > now()
GROUP BY tenant, toUInt128(id) HAVING uniqExact(kafka_log, kafka_partition, kafka_offset) > 1
LIMIT {count} SETTINGS optimize_aggregation_in_order = 1 FORMAT JSONCompactEachRow
"""
LOGS = """
SELECT kafka_log, toString(count()) FROM {table} GROUP BY kafka_log FORMAT JSONCompactEachRow
"""
COPY = """
INSERT INTO {into} ({columns})
SELECT {columns} FROM {source}
WHERE {span} AND kafka_offset NOT IN (SELECT kafka_offset FROM {into} WHERE {span})
    AND (isNull(expires_at) OR expires_at > now())
    AND (tenant, id) NOT IN ( -- of an event that came twice the first is there
        SELECT tenant, id FROM {into}
        WHERE (tenant, id) IN (SELECT tenant, id FROM {source} WHERE {span} AND {derived}))
ORDER BY kafka_offset LIMIT 1 BY tenant, id
"""
EXPIRIES = """
SELECT toString(toUnixTimestamp64Milli({ttl})) FROM (
    SELECT (arrayJoin([{received}]) AS record).1 AS number, record.2 AS tenant,
        fromUnixTimestamp64Milli(toInt64(record.3), 'UTC') AS received_at
) ORDER BY number FORMAT JSONCompactEachRow
"""


class Held(NamedTuple):
    """Rows of a range: how many, and the sum of their hashes modulo 2**64 (`contracts.encoding.digest`)."""

    rows: int
    digest: int


class Coverage:
    """A table of events, as far as its rows are of the log of this number.

    Every method raises `Transient` when ClickHouse fails. Without FINAL: a row that came twice counts twice.
    """

    def __init__(
        self, clickhouse: ClickHouse, database: str, log: int, table: str = EVENTS_TABLE
    ) -> None:
        self._clickhouse = clickhouse
        self._database = database
        self._name = table
        self.log = log
        self.table = f"{database}.{table}"
        self._doing = f"reading what {self.table} holds"

    async def count(self, partition: int, first: int, end: int) -> int:
        """How many offsets of the range have a row."""
        [[offsets]] = await self._lines(COUNT, range=self.range(partition, first, end))
        return int(offsets)

    async def held(self, partition: int, first: int, end: int) -> Held:
        """What the rows of the range say, in one number."""
        [[rows, digest]] = await self._lines(
            HELD, hash=ROW_HASH, range=self.range(partition, first, end)
        )
        return Held(rows, int(digest))

    async def hashes(self, partition: int, first: int, end: int) -> dict[int, list[int]]:
        """The hash of each row of the range, by offset."""
        found: dict[int, list[int]] = {}
        lines = await self._lines(HASHES, hash=ROW_HASH, range=self.range(partition, first, end))
        for offset, digest in lines:
            found.setdefault(int(offset), []).append(int(digest))
        return found

    async def not_in(
        self, other: "Coverage", partition: int, first: int, end: int, count: int
    ) -> list[tuple[int, Name]]:
        """At most `count` events of the range, with their offsets, that `other` does not show.

        Not those that were erased or have expired.
        """
        lines = await self._lines(
            NOT_IN,
            other=other.table,
            erasures=f"{self._database}.{ERASURES_TABLE}",
            covered=COVERED,
            range=self.range(partition, first, end),
            count=str(count),
        )
        return [(int(offset), (tenant, id_)) for offset, tenant, id_ in lines]

    async def other_logs(self) -> dict[int, int]:
        """The other logs of which the table has rows, by number, and how many."""
        found = {number: int(rows) for number, rows in await self._lines(LOGS)}
        return {number: rows for number, rows in found.items() if number != self.log}

    async def twice(self, count: int) -> list[tuple[tuple[str, str], int, int]]:
        """At most `count` events that two records gave a row: name, partition and offset of the later.

        Not those of which one has expired. Merges within a month would leave one of them.
        """
        lines = await self._lines(TWICE, count=str(count))
        return [((tenant, id_), partition, int(offset)) for tenant, id_, partition, offset in lines]

    async def bounds(self) -> dict[int, tuple[int, int]]:
        """Lowest and highest offset by partition; no entry for a partition without rows."""
        lines = await self._lines(BOUNDS)
        return {partition: (int(low), int(high)) for partition, low, high in lines}

    async def expiries(self, rows: Sequence[Row]) -> list[int]:
        """When the table's TTL removes each of `rows`, in ms since 1970, whether it has them or not.

        ClickHouse itself works the TTL out. It may name the columns tenant and received_at.
        """
        if not rows:
            return []
        asked = TTL_NOW.format(database=self._database, table=self._name)
        with failing_as_transient(self._doing):
            ttl = (await self._clickhouse.read_back(asked)).decode().strip()
        if not ttl:
            return [FOR_EVER_MS] * len(rows)
        listed = ", ".join(
            f"({index}, '{row.tenant}', {row.received_ms})" for index, row in enumerate(rows)
        )
        return [int(ms) for [ms] in await self._lines(EXPIRIES, received=listed, ttl=ttl)]

    async def copy(
        self, source: "Coverage", partition: int, first: int, end: int, tag: str
    ) -> None:
        """Take over from `source` what this table lacks of the range, in an insert with this tag."""
        statement = COPY.format(
            into=self.table,
            source=source.table,
            columns=", ".join(INSERT_COLUMNS),
            span=self.range(partition, first, end),
            derived=IS_DERIVED,
        )
        with failing_as_transient(f"copying partition {partition} from {first}"):
            await self._clickhouse.execute(statement, INSERT_SETTINGS | {"log_comment": tag})

    def of(self, log: int) -> "Coverage":
        """The same table, as far as its rows are of another log."""
        return Coverage(self._clickhouse, self._database, log, self._name)

    def range(self, partition: int, first: int, end: int) -> str:
        """The condition on rows of the range."""
        return (
            f"kafka_log = {self.log} AND kafka_partition = {partition}"
            f" AND kafka_offset >= {first} AND kafka_offset < {end}"
        )

    async def _lines(self, sql: str, **parts: str) -> list[Any]:
        asked = sql.format(table=self.table, log=self.log, **parts)
        return await read_back(self._clickhouse, asked, self._doing)


def spans(first: int, end: int) -> list[tuple[int, int]]:
    """The range in pieces of `SPAN`, cut at the same offsets wherever it begins."""
    cuts = [first, *range((first // SPAN + 1) * SPAN, end, SPAN), end]
    return [(low, high) for low, high in itertools.pairwise(cuts) if low < high]
