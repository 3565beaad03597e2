"""Step: events become rows of ClickHouse, each exactly once.

The table itself is the authority on what it holds, by partition and offset of the record (design
6.3). Rows are inserted without asking while the offsets are past everything that the table may
hold. Where it may hold them already - a partition just assigned, an insert whose answer was lost -
the offsets are read back first, after any insert still running has ended, and only the missing
rows are inserted. What a paused earlier owner may write late, ReplacingMergeTree absorbs.

An event under an Idempotency-Key is a record as often as its request was sent, all in one partition.
A repeat is left out when the table shows the event and it had not expired when the repeat was
received; the table is asked for the ids that `NamesFilter` may know. So of two bodies the first in the
log wins, and what was answered 201 is found.

A tombstone is noted as an erasure, and the rows of its event are taken away. It is final: no record
of that event, before or after it, is stored any more. What has an id of its own comes once, so its
name is asked for only where it may be read again, possibly behind its tombstone.
"""

from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import Protocol

from contracts.encoding.block import Block, Name
from contracts.erasures import Erasure
from processors.consume.step import LogRecord, Reject
from processors.materialize.names import NamesFilter
from processors.materialize.reading import chunks, read_erasures, read_rows, split
from processors.materialize.repeats import Shown, Sorted

BLOCKS_BYTES = 64 * 1024 * 1024
"""What is encoded is inserted when it has so many bytes: a batch of Kafka's may hold far more."""


Spans = dict[int, tuple[int, int]]
"""First and last offset of records, by partition."""

_partition, _offset = attrgetter("partition"), attrgetter("offset")


class Positions(Protocol):
    """What a table says of the positions that it has. Methods raise `Transient` when ClickHouse fails."""

    async def wait_for_inserts(self, partitions: Collection[int]) -> None:
        """Return when no insert into these partitions is running any more, whoever sent it."""

    async def high_water(self, partitions: Collection[int]) -> dict[int, int]:
        """The highest stored offset of each of these partitions, -1 for none."""

    async def present(self, spans: Spans) -> set[tuple[int, int]]:
        """The stored (partition, offset) within the spans: first and last offset by partition."""


class Rows(Positions, Protocol):
    """The table as this step needs it. Every method raises `Transient` when ClickHouse fails."""

    async def insert(self, block: Block) -> None:
        """Write `block`, its rows all of one month; on return they are stored, all of them."""

    async def filter(self) -> NamesFilter:
        """The derived ids of all events that are stored or were erased, of whichever partition."""

    async def shown(self, names: Sequence[Name]) -> dict[Name, list[Shown]]:
        """The rows of those of `names` that the table has."""

    async def erased(self, names: Sequence[Name]) -> list[Erasure]:
        """What is noted of `names`."""

    async def erase(self, erasures: Sequence[Erasure]) -> None:
        """Note these erasures and have the rows that they cover taken away; may be repeated."""


class Materialize:
    """The step. Records read again are absorbed by reading back, see the module's docstring."""

    def __init__(self, table: Rows, copied: Mapping[int, int] | None = None) -> None:
        """`copied`: where the records end, by partition, of which any may have been erased before."""
        self._table = table
        self._copied = copied or {}
        self._names = NamesFilter()
        self._may_hold: dict[int, int] = {}  # highest offset that the table may hold, if known

    def assigned(self, partitions: Collection[int]) -> None:
        """Forget what was known: another process may have written since."""
        for partition in partitions:
            self._may_hold.pop(partition, None)

    async def revoked(self) -> None:
        """Nothing is done beside the batches."""

    async def __call__(self, records: Sequence[LogRecord]) -> list[Reject]:
        """Store what is missing of `records`, erase; returns those that are neither."""
        events, tombstones = split(records)
        read = spans(events)
        await self._learn(read.keys())
        stored = await self._stored(read)
        erasures, rejects = read_erasures(tombstones)
        if erasures:
            self._names.add_all(each.event_id for each in erasures)
            await self._table.erase(erasures)
        batch = Sorted(self._names, dict(self._may_hold), erasures)
        for partition, (_, last) in read.items():
            self._may_hold[partition] = max(self._may_hold[partition], last)
        try:
            for chunk in chunks(events):
                rows, unreadable = read_rows(without(chunk, stored))
                rejects += unreadable
                batch.add(rows)
                if sum(block.size for block in batch.blocks.values()) >= BLOCKS_BYTES:
                    await self._insert(batch)
            while True:
                await self._insert(batch)
                if not batch.doubtful:
                    break
                erased = await self._table.erased(batch.names())
                shown = await self._table.shown(batch.names(derived=True))
                batch.decide(shown, erased)
        except BaseException:  # its outcome is unknown, also when we are being cancelled
            self.assigned(read.keys())
            raise
        return sorted(rejects, key=lambda reject: reject.record.offset)

    async def _insert(self, batch: Sorted) -> None:
        """Insert the blocks of `batch`, each into one partition of the table."""
        for month in sorted(batch.blocks):
            await self._table.insert(batch.blocks[month])
        batch.blocks.clear()

    async def _learn(self, partitions: Collection[int]) -> None:
        """Learn what the table may hold of the partitions of which that is unknown."""
        if self._names.crowded:
            self._may_hold.clear()
        unknown = set(partitions) - self._may_hold.keys()
        if unknown:
            await self._table.wait_for_inserts(unknown)
            self._names = await self._table.filter()
            for partition, offset in (await self._table.high_water(unknown)).items():
                self._may_hold[partition] = max(offset, self._copied.get(partition, 0) - 1)

    async def _stored(self, read: Spans) -> set[tuple[int, int]]:
        return await stored_of(read, self._table, self._may_hold)


async def stored_of(
    read: Spans, table: Positions, may_hold: Mapping[int, int]
) -> set[tuple[int, int]]:
    """Partition and offset of those of the records in the spans `read` that the table holds already.

    It is asked of those at offsets that it may hold, by partition. Raises `Transient`.
    """
    doubtful = {
        partition: (first, min(last, may_hold[partition]))
        for partition, (first, last) in read.items()
        if first <= may_hold[partition]
    }
    return await table.present(doubtful) if doubtful else set()


def without(
    records: Sequence[LogRecord], stored: Collection[tuple[int, int]]
) -> Sequence[LogRecord]:
    """`records` but for those whose partition and offset are in `stored`."""
    if not stored:
        return records
    return [record for record in records if (record.partition, record.offset) not in stored]


def spans(records: Sequence[LogRecord]) -> Spans:
    """First and last offset of `records` by partition; within one they are in order."""
    partitions, offsets = [*map(_partition, records)], [*map(_offset, records)]
    last = dict(zip(partitions, offsets, strict=True))
    first = dict(zip(reversed(partitions), reversed(offsets), strict=True))
    return {partition: (first[partition], last[partition]) for partition in last}
