"""Step: events become rows of ClickHouse, each exactly once.

The table itself is the authority on what it holds, by partition and offset of the record (design
6.3). Rows are inserted without asking while the offsets are past everything that the table may
hold. Where it may hold them already - a partition just assigned, an insert whose answer was lost -
the offsets are read back first, after any insert still running has ended, and only the missing
rows are inserted. What a paused earlier owner may write late, ReplacingMergeTree absorbs.

A tombstone is stored nowhere among them: it is noted as an erasure, and the rows that it covers are
taken away, before the batch is inserted without those that it covers: what was posted again after it
must not meet the erased row in a merge. Both may be repeated. Who reads an erased event again reads
its tombstone again too, which is in the same partition and not committed before it. A copy in another
partition that is stored late, from a key used for two entities, is left out by its name; the audit
finds what slips through, a rebuild mends it.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from contracts.block import Block, Row
from contracts.erasures import Erasure, by_name
from contracts.table import month_of
from processors.reading import is_time, read_erasures, read_rows, split
from processors.repeats import WINDOW_MS, Repeats
from processors.step import LogRecord, Reject

NAMES_MAX = 200_000
"""Names that are remembered: a sixth of a KiB each."""
LOOK_S = 30.0
LOOKED_AT_MAX = 10_000
CHUNK_RECORDS = 500
"""Records that are decoded and encoded before the next are: few enough for the CPU's cache."""


class Rows(Protocol):
    """The table as this step needs it. Every method raises `Transient` when ClickHouse fails."""

    async def insert(self, block: Block) -> None:
        """Write `block`, its rows all of one month; on return they are stored, all of them."""

    async def settle(self, partitions: Collection[int]) -> None:
        """Return when no insert into these partitions is running any more, whoever sent it."""

    async def high_water(self, partitions: Collection[int]) -> dict[int, int]:
        """The highest stored offset of each of these partitions, -1 for none."""

    async def present(self, spans: dict[int, tuple[int, int]]) -> set[tuple[int, int]]:
        """The stored (partition, offset) within the spans: first and last offset by partition."""

    async def names(self, since_ms: int, count: int) -> list[tuple[str, str]]:
        """Tenant and id of at most `count` events received since then under a key, oldest first."""

    async def erase(self, erasures: Sequence[Erasure]) -> None:
        """Note these erasures and have the rows that they cover taken away; may be repeated."""

    async def catch_up(self) -> None:
        """Do what is left of earlier erasures, for which there was no room."""

    async def erased(self, count: int) -> list[Erasure]:
        """The latest `count` erasures of events under a key, oldest first."""


class Materialize:
    """The step. Records read again are absorbed by reading back, see the module's docstring.

    Events posted again under an Idempotency-Key are left out while their names are remembered.
    """

    def __init__(self, table: Rows, names_max: int = NAMES_MAX) -> None:
        self._table = table
        self._names_max = names_max
        self._repeats = Repeats(names_max)
        self._looked_s = time.monotonic()
        self._may_hold: dict[int, int] = {}  # highest offset that the table may hold, if known

    def assigned(self, partitions: Collection[int]) -> None:
        """Forget what was known: another process may have written since."""
        for partition in partitions:
            self._may_hold.pop(partition, None)

    async def __call__(self, records: Sequence[LogRecord]) -> list[Reject]:
        """Store what is missing of `records`, erase; returns those that are neither."""
        events, tombstones = split(records)
        await self._settle(events)
        stored = await self._stored(events)
        erasures, rejects = read_erasures(tombstones)
        self._repeats.erase(erasures)
        if erasures:
            await self._table.erase(erasures)
        await self._look_at_erasures()
        new_names: dict[tuple[str, str], None] = {}
        blocks: dict[int, Block] = {}
        for chunk in chunks(events):
            rows, unreadable = read_rows(without(chunk, stored))
            rejects += unreadable
            rows = self._repeats.unerased(uncovered(rows, erasures))
            for month, rows_of_month in by_month(self._repeats.without(rows, new_names)).items():
                blocks.setdefault(month, Block()).add(rows_of_month)
        for partition, (_, last) in spans(events).items():
            self._may_hold[partition] = max(self._may_hold[partition], last)
        try:
            for month in sorted(blocks):  # each into one partition of the table
                await self._table.insert(blocks[month])
        except BaseException:  # its outcome is unknown, also when we are being cancelled
            self.assigned({record.partition for record in events})
            raise
        self._repeats.remember(new_names)
        return sorted(rejects, key=lambda reject: reject.record.offset)

    async def _settle(self, records: Sequence[LogRecord]) -> None:
        """Learn what the table may hold of the partitions of which that is unknown."""
        unknown = {record.partition for record in records} - self._may_hold.keys()
        if unknown:
            await self._table.settle(unknown)
            times = [record.timestamp for record in records if is_time(record.timestamp)]
            since_ms = max(0, min(times, default=0) - WINDOW_MS)
            self._repeats.remember(await self._table.names(since_ms, self._names_max))
            self._repeats.erase(await self._table.erased(self._names_max))
            self._may_hold |= await self._table.high_water(unknown)

    async def _look_at_erasures(self) -> None:
        """Learn of erasures in other processes' partitions, now and then; see to those that wait."""
        if time.monotonic() - self._looked_s >= LOOK_S:
            self._looked_s = time.monotonic()
            await self._table.catch_up()
            self._repeats.erase(await self._table.erased(min(LOOKED_AT_MAX, self._names_max)))

    async def _stored(self, records: Sequence[LogRecord]) -> set[tuple[int, int]]:
        """Partition and offset of those of `records` that the table holds already."""
        doubtful = [
            record for record in records if record.offset <= self._may_hold[record.partition]
        ]
        return await self._table.present(spans(doubtful)) if doubtful else set()


def chunks(records: Sequence[LogRecord]) -> Iterator[Sequence[LogRecord]]:
    """`records` in pieces of `CHUNK_RECORDS`."""
    for start in range(0, len(records), CHUNK_RECORDS):
        yield records[start : start + CHUNK_RECORDS]


def without(
    records: Sequence[LogRecord], stored: Collection[tuple[int, int]]
) -> Sequence[LogRecord]:
    """`records` but for those whose partition and offset are in `stored`."""
    if not stored:
        return records
    return [record for record in records if (record.partition, record.offset) not in stored]


def by_month(rows: Sequence[Row]) -> dict[int, Sequence[Row]]:
    """`rows` by the table's partition, the month of receipt, each in their order."""
    times = [row_.received_ms for row_ in rows]
    if not times:
        return {}
    if (month := month_of(min(times))) == month_of(max(times)):  # nearly always
        return {month: rows}
    months = [month_of(received_ms) for received_ms in times]
    return {
        month: [row_ for row_, its in zip(rows, months, strict=True) if its == month]
        for month in sorted(set(months))
    }


def uncovered(rows: list[Row], erasures: Sequence[Erasure]) -> list[Row]:
    """`rows` without those that one of `erasures` would take away again."""
    if not erasures:
        return rows
    named = by_name(erasures)
    return [
        row_
        for row_ in rows
        if not any(
            each.covers(row_.partition, row_.offset, row_.received_ms)
            for each in named.get(row_.identity, ())
        )
    ]


def spans(records: Sequence[LogRecord]) -> dict[int, tuple[int, int]]:
    """First and last offset of `records` by partition; within one they are in order."""
    last = {record.partition: record.offset for record in records}
    first = {record.partition: record.offset for record in reversed(records)}
    return {partition: (first[partition], last[partition]) for partition in last}
