"""Step: records of `deliveries` become rows of ClickHouse, each exactly once.

As the materializer's (`processors/materialize/step.py`): the table says what it holds, by partition and
offset of the record; what it may hold already is read back first, and only the missing rows are
inserted. What a paused earlier owner may write late is the same row again, and merged away.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

import msgspec

from contracts.clickhouse.deliveries import AttemptBlock, AttemptRow, decode_storable
from processors.consume.step import LogRecord, Reject
from processors.materialize.step import Positions, Spans, spans, stored_of, without


class Table(Positions, Protocol):
    """The table as this step needs it. Every method raises `Transient` when ClickHouse fails."""

    async def insert(self, block: AttemptBlock) -> None:
        """Write `block`, its rows all of one day; on return they are stored, all of them."""


class Ledger:
    """The step. Records read again are absorbed by reading back, see the module's docstring."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._may_hold: dict[int, int] = {}  # highest offset that the table may hold, if known

    def assigned(self, partitions: Collection[int]) -> None:
        """Forget what was known: another process may have written since."""
        for partition in partitions:
            self._may_hold.pop(partition, None)

    async def revoked(self) -> None:
        """Nothing is done beside the batches."""

    async def __call__(self, records: Sequence[LogRecord]) -> list[Reject]:
        """Store what is missing of `records`; returns those that are no attempts."""
        read = spans(records)
        await self._learn(read.keys())
        rows, rejects = read_attempts(without(records, await self._stored(read)))
        try:
            for block in by_day(rows):  # each into one partition of the table
                await self._table.insert(block)
        except BaseException:  # its outcome is unknown, also when we are being cancelled
            self.assigned(read.keys())
            raise
        for partition, (_, last) in read.items():
            self._may_hold[partition] = max(self._may_hold[partition], last)
        return rejects

    async def _learn(self, partitions: Collection[int]) -> None:
        """Learn what the table may hold of the partitions of which that is unknown."""
        if unknown := set(partitions) - self._may_hold.keys():
            await self._table.wait_for_inserts(unknown)
            self._may_hold |= await self._table.high_water(unknown)

    async def _stored(self, read: Spans) -> set[tuple[int, int]]:
        return await stored_of(read, self._table, self._may_hold)


def read_attempts(records: Sequence[LogRecord]) -> tuple[list[AttemptRow], list[Reject]]:
    """Rows of the records, rejects of those that are no attempts."""
    rows: list[AttemptRow] = []
    rejects: list[Reject] = []
    for record in records:
        try:
            attempt = decode_storable(record.value or b"")
        except msgspec.DecodeError as error:
            rejects.append(Reject(record, f"no attempt: {error}"))
        else:
            rows.append(AttemptRow(record.partition, record.offset, attempt))
    return rows, rejects


def by_day(rows: Sequence[AttemptRow]) -> Iterator[AttemptBlock]:
    """`rows` in blocks of one day each."""
    days: dict[int, list[AttemptRow]] = {}
    for row in rows:
        days.setdefault(row.day, []).append(row)
    return map(AttemptBlock, days.values())
