"""The events table as the materializer needs it. Errors become `Transient` here.

Every insert carries its writer and its Kafka partitions in the setting `log_comment`, which
system.processes shows while it runs, so that the next owner of a partition can wait for its
predecessor's last insert.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from contracts.clickhouse.table import EVENTS_TABLE, FOR_EVER_MS, INSERT_SETTINGS
from contracts.encoding.block import INSERT_FORMAT, Name
from contracts.erasures import Erasure
from contracts.ids import NAMES_MAX, names_sql
from processors.consume.step import Transient
from processors.materialize.erasures import Erasures
from processors.materialize.names import NamesFilter, select_words, words_for
from processors.materialize.reading import slices
from processors.materialize.repeats import Shown
from processors.materialize.server import failing_as_transient, inserting, lines, read_back
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection

INSERTS_TIMEOUT_S = 30.0
INSERTS_POLL_S = 0.05
MATERIALIZER = "events.materialize "
"""How the tag of the materializer's inserts begins; each other writer has a tag of its own."""

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
WHERE database || '.' || table = '{table}' AND active FORMAT JSONCompactEachRow
"""
SHOWN = """
SELECT tenant, id, kafka_log = {log}, kafka_partition, toString(kafka_offset),
    toString(toUnixTimestamp64Milli(received_at)), toString(toUnixTimestamp64Milli(expires_at))
FROM {named} WHERE (tenant, id) IN ({names}) FORMAT JSONCompactEachRow
"""
DOING = "reading back"


class Insertable(Protocol):
    """A block of the table's rows: their positions in the log, and its bytes in `INSERT_FORMAT`."""

    columns: Sequence[str]
    partitions: list[int]
    offsets: list[int]

    def pieces(self, log: int) -> Iterator[bytes]:
        """The bytes, in pieces; `log` is the number of the log that has the records."""


class ClickHouseRows:
    """`Rows` on a ClickHouse server: `table` in the connection's database, written under `tag`."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        connection: ClickHouseConnection,
        log: int,
        table: str = EVENTS_TABLE,
        tag: str = MATERIALIZER,
        beside: str = "",
    ) -> None:
        """`log`: the number of the log that the rows are of, see `processors.upkeep.logs`.

        Names are looked up in the table `beside` too, while there is one.
        """
        self._clickhouse = clickhouse
        self._table = f"{connection.database}.{table}"
        self._names = {"database": connection.database, "table": table}
        # the two change places at one moment, and one query sees them before it or after it
        both = f"merge('{connection.database}', '^({table}|{beside})$')"
        self._named = both if beside else self._table
        self._log = log
        self._tag = tag
        self._erasures = Erasures(clickhouse, connection, table)

    async def insert(self, block: Insertable) -> None:
        """See `Rows`."""
        partitions = ",".join(str(number) for number in sorted(set(block.partitions)))
        with failing_as_transient(f"insert of {len(block.offsets)} rows"):
            await self._clickhouse.insert(
                self._table,
                block.columns,
                INSERT_FORMAT,
                partial(block.pieces, self._log),
                INSERT_SETTINGS | {"log_comment": self._tag + partitions},
            )

    async def wait_for_inserts(self, partitions: Collection[int]) -> None:
        """See `Rows`."""
        ours = set(partitions)
        try:
            async with asyncio.timeout(INSERTS_TIMEOUT_S):
                while any(ours & busy for busy in await self._busy()):
                    await asyncio.sleep(INSERTS_POLL_S)
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
        paths = await lines(self._clickhouse, KEEPER_PATH.format(**self._names), DOING)
        if not paths:
            raise Transient(f"{self._table} is not replicated, but EVENTS_TABLES__CLUSTER is set")
        pending = PENDING.format(path=paths[0][0])
        before = await lines(self._clickhouse, pending, DOING)
        while before and await lines(self._clickhouse, pending, DOING) == before:
            await asyncio.sleep(INSERTS_POLL_S)

    async def _busy(self) -> list[set[int]]:
        tags = await inserting(self._clickhouse, self._tag, all_replicas=False)
        return [{int(number) for number in tag.split(",")} for tag in tags.values()]

    async def high_water(self, partitions: Collection[int]) -> dict[int, int]:
        """See `Rows`."""
        listed = ", ".join(str(number) for number in partitions)
        stored = dict(await self._lines(HIGH_WATER, log=self._log, partitions=listed))
        return {number: int(stored.get(number, -1)) for number in partitions}

    async def present(self, spans: dict[int, tuple[int, int]]) -> set[tuple[int, int]]:
        """See `Rows`."""
        condition = " OR ".join(
            f"kafka_partition = {number} AND kafka_offset BETWEEN {first} AND {last}"
            for number, (first, last) in spans.items()
        )
        pairs = await self._lines(PRESENT, log=self._log, spans=condition)
        return {(int(partition), int(offset)) for partition, offset in pairs}

    async def filter(self) -> NamesFilter:
        """See `Rows`."""
        [[rows]] = await lines(self._clickhouse, ROWS.format(table=self._table), DOING)
        words = select_words(self._named, self._erasures.table, words_for(int(rows)))
        with failing_as_transient(DOING):
            return NamesFilter(await self._clickhouse.read_back(words))

    async def shown(self, names: Sequence[Name]) -> dict[Name, list[Shown]]:
        """See `Rows`."""
        found: dict[Name, list[Shown]] = {}
        for some in slices(names, NAMES_MAX):
            rows = await self._lines(SHOWN, log=self._log, named=self._named, names=names_sql(some))
            for tenant, event_id, here, *place in rows:
                numbers = (FOR_EVER_MS if number is None else int(number) for number in place)
                found.setdefault((tenant, event_id), []).append(Shown(bool(here), *numbers))
        return found

    async def erased(self, names: Sequence[Name]) -> list[Erasure]:
        """See `Rows`."""
        return [
            each.seen_from(self._log)
            for some in slices(names, NAMES_MAX)
            for each in await self._erasures.of(some)
        ]

    async def erase(self, erasures: Sequence[Erasure]) -> None:
        """See `Rows`."""
        await self._erasures.erase(erasures)

    async def _lines(self, sql: str, **parts: object) -> list[Any]:
        return await read_back(self._clickhouse, sql.format(table=self._table, **parts), DOING)
