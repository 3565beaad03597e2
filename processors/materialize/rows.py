"""The events table as the materializer needs it. Errors become `Transient` here.

Every insert carries its writer and its Kafka partitions in the setting `log_comment`, which
system.processes shows while it runs, so that the next owner of a partition can wait for its
predecessor's last insert.
"""

import asyncio
import json
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

from contracts.clickhouse.replicas import LIVING
from contracts.clickhouse.table import EVENTS_TABLE, FOR_EVER_MS, INSERT_SETTINGS
from contracts.encoding.block import INSERT_COLUMNS, INSERT_FORMAT, Block, Name
from contracts.erasures import Erasure
from processors.consume.step import Transient
from processors.materialize.erasures import Erasures
from processors.materialize.names import NamesFilter, select_words, words_for
from processors.materialize.repeats import Shown
from service.clickhouse import ClickHouse, ClickHouseFailed
from service.connections import ClickHouseConnection

SETTLE_TIMEOUT_S = 30.0
SETTLE_POLL_S = 0.05
MATERIALIZER = "events.materialize "
"""How the tag of the materializer's inserts begins; each other writer has a tag of its own."""

RUNNING = """
SELECT Settings['log_comment'] AS tag FROM {processes}
WHERE startsWith(Settings['log_comment'], '{tag}') AND query_kind = 'Insert'
FORMAT JSONEachRow
"""
KEEPER_PATH = """
SELECT zookeeper_path FROM system.replicas
WHERE database = '{database}' AND table = '{table}' FORMAT JSONCompactEachRow
"""
PENDING = """
SELECT extract(value, 'part_name: ([0-9A-Za-z_-]+)') FROM system.zookeeper
WHERE path = '{path}/quorum' AND name = 'status' FORMAT JSONCompactEachRow
"""
"""The part of the insert that has not got its quorum, as its server notes it in Keeper."""
HIGH_WATER = """
SELECT kafka_partition, max(kafka_offset) FROM {table}
WHERE kafka_log = {log} AND kafka_partition IN ({partitions}) GROUP BY kafka_partition
FORMAT JSONCompactEachRow
"""
PRESENT = """
SELECT kafka_partition, kafka_offset FROM {table} WHERE kafka_log = {log} AND ({spans})
FORMAT JSONCompactEachRow
"""
ROWS = """
SELECT toString(sum(rows)) FROM system.parts
WHERE database || '.' || table = '{table}' AND active FORMAT TSVRaw
"""
SHOWN = """
SELECT tenant, id, kafka_partition, toString(kafka_offset),
    toString(toUnixTimestamp64Milli(received_at)), toString(toUnixTimestamp64Milli(expires_at))
FROM {table} WHERE (tenant, id) IN ({names}) FORMAT JSONCompactEachRow
"""
NAMES_MAX = 1_000
"""Names of one query: with the longest ones, half of ClickHouse's max_query_size."""


class ClickHouseRows:
    """`Rows` on a ClickHouse server: `table` in the connection's database, written under `tag`."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        connection: ClickHouseConnection,
        log: int,
        table: str = EVENTS_TABLE,
        tag: str = MATERIALIZER,
    ) -> None:
        """`log`: the number of the log that the rows are of, see `contracts.logs`."""
        self._clickhouse = clickhouse
        self._table = f"{connection.database}.{table}"
        self._names = {"database": connection.database, "table": table}
        self._log = log
        self._tag = tag
        self._erasures = Erasures(clickhouse, connection, table)

    async def insert(self, block: Block) -> None:
        """See `Rows`."""
        partitions = ",".join(str(number) for number in sorted(set(block.partitions)))
        try:
            await self._clickhouse.insert(
                self._table,
                INSERT_COLUMNS,
                INSERT_FORMAT,
                partial(block.pieces, self._log),
                INSERT_SETTINGS | {"log_comment": self._tag + partitions},
            )
        except ClickHouseFailed as error:
            raise Transient(f"insert of {len(block.offsets)} rows: {error}") from error

    async def wait_for_inserts(self, partitions: Collection[int]) -> None:
        """See `Rows`."""
        ours = set(partitions)
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                while any(ours & busy for busy in await self._busy()):
                    await asyncio.sleep(SETTLE_POLL_S)
                if self._clickhouse.replicas.cluster:
                    await self._wait_for_quorum()
        except TimeoutError as error:
            raise Transient(
                f"an insert into the partitions {sorted(ours)} still runs in ClickHouse"
            ) from error

    async def _wait_for_quorum(self) -> None:
        """Wait for the insert whose server gave up or died before it had its quorum.

        Replicas bring it there or undo it. Until then no sequential read shows it, and after that it
        would be there beside ours.
        """
        paths = await self._lines(KEEPER_PATH.format(**self._names))
        if not paths:
            raise Transient(f"{self._table} is not replicated, but EVENTS_TABLES__CLUSTER is set")
        pending = PENDING.format(path=paths[0][0])
        before = await self._lines(pending)
        while before and await self._lines(pending) == before:
            await asyncio.sleep(SETTLE_POLL_S)

    async def _lines(self, sql: str) -> list[list[str]]:
        return [json.loads(line) for line in (await self._select(sql)).splitlines()]

    async def _busy(self) -> list[set[int]]:
        processes = self._clickhouse.replicas.each("system.processes")
        asked = RUNNING.format(tag=self._tag, processes=processes)
        lines = await self._select(asked, LIVING if self._clickhouse.replicas.cluster else None)
        tags = [json.loads(line)["tag"].removeprefix(self._tag) for line in lines.splitlines()]
        return [{int(number) for number in tag.split(",")} for tag in tags]

    async def high_water(self, partitions: Collection[int]) -> dict[int, int]:
        """See `Rows`."""
        listed = ", ".join(str(number) for number in partitions)
        answer = await self._read_back(
            HIGH_WATER.format(table=self._table, log=self._log, partitions=listed)
        )
        stored = dict(json.loads(line) for line in answer.splitlines())
        return {number: int(stored.get(number, -1)) for number in partitions}

    async def present(self, spans: dict[int, tuple[int, int]]) -> set[tuple[int, int]]:
        """See `Rows`."""
        condition = " OR ".join(
            f"kafka_partition = {number} AND kafka_offset BETWEEN {first} AND {last}"
            for number, (first, last) in spans.items()
        )
        answer = await self._read_back(
            PRESENT.format(table=self._table, log=self._log, spans=condition)
        )
        pairs = (json.loads(line) for line in answer.splitlines())
        return {(int(partition), int(offset)) for partition, offset in pairs}

    async def filter(self) -> NamesFilter:
        """See `Rows`."""
        rows = int(await self._select(ROWS.format(table=self._table)))
        words = select_words(self._table, self._erasures.table, words_for(rows))
        return NamesFilter(await self._read_back(words))

    async def shown(self, names: Sequence[Name]) -> dict[Name, list[Shown]]:
        """See `Rows`."""
        found: dict[Name, list[Shown]] = {}
        for some in _slices(names):
            answer = await self._read_back(SHOWN.format(table=self._table, names=_listed(some)))
            for tenant, event_id, partition, offset, *times in map(json.loads, answer.splitlines()):
                received_ms, ends_ms = (FOR_EVER_MS if ms is None else int(ms) for ms in times)
                row = Shown(partition, int(offset), received_ms, ends_ms)
                found.setdefault((tenant, event_id), []).append(row)
        return found

    async def erased(self, names: Sequence[Name]) -> list[Erasure]:
        """See `Rows`."""
        return [
            each for some in _slices(names) for each in await self._erasures.of(some, self._log)
        ]

    async def erase(self, erasures: Sequence[Erasure]) -> None:
        """See `Rows`."""
        await self._erasures.erase(erasures)

    async def pay(self) -> None:
        """See `Rows`."""
        await self._erasures.pay()

    async def _read_back(self, sql: str) -> bytes:
        return await self._select(sql, self._clickhouse.replicas.read_back)

    async def _select(self, sql: str, settings: dict[str, Any] | None = None) -> bytes:
        try:
            return await self._clickhouse.select(sql, settings=settings)
        except ClickHouseFailed as error:
            raise Transient(f"reading back: {error}") from error


def _slices(names: Sequence[Name]) -> Iterator[Sequence[Name]]:
    return (names[first : first + NAMES_MAX] for first in range(0, len(names), NAMES_MAX))


def _listed(names: Sequence[Name]) -> str:
    """`names`, whose tenants and ids were checked, as SQL."""
    return ", ".join(f"('{tenant}', '{event_id}')" for tenant, event_id in names)
