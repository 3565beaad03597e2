"""Brings a table of events to hold what the log holds, span by span; whatever is there stays.

What Kafka still keeps is read from it and goes through the materializer's own step, which reads back
and inserts only what is missing. What Kafka does not keep any more, and the rows of other logs, are
copied from another table, the only place where they still are. A span that is complete costs one
query, so a fill that was ended goes on where it stood without remembering anything.

Within a partition the step finds what counted from the log alone, across partitions nothing in the log
says it: of an event with records in two (keys of the first release, which named no entity; partitions
that were added) the one that the other table has is taken.
"""

from collections.abc import Sequence

from contracts.topics import EVENTS
from processors.consume.replay import Log, Progress
from processors.consume.step import LogRecord
from processors.materialize.reading import read_rows, split
from processors.materialize.step import Materialize, without
from processors.materialize.step import spans as spans_of
from processors.upkeep.coverage import Coverage, spans
from processors.upkeep.database import Database

RECORDS_MAX = 10_000
"""Records of one insert."""
REBUILD = "events.rebuild "
"""The tag of our inserts, see `ClickHouseRows`."""


class Fill:
    """Fills `into` from the log and, below its beginning, from `source`: tables of one database.

    `done` says below which offset each partition is known to be complete. Nobody else may write into
    `into` below the ends that are given. Every method raises `Transient` when a server fails.
    """

    def __init__(
        self,
        log: Log,
        database: Database,
        number: int,
        *,
        into: str,
        source: str,
        done: dict[int, int] | None = None,
    ) -> None:
        """`number`: of the log that Kafka has, see `processors.upkeep.logs`."""
        self.done = done or {}
        self._log = log
        self._rows = database.rows(number, into, REBUILD)
        self._step = Materialize(self._rows)
        self._into = database.coverage(number, into)
        self._source_rows = database.rows(number, source)
        self._source = database.coverage(number, source)

    async def up_to(self, ends: dict[int, int], progress: Progress) -> int:
        """Make each partition complete below its end; how many offsets were looked at."""
        if not self.done:
            await self._begin()
        for number in ends.keys() - self.done.keys():  # a partition that was added meanwhile
            self.done[number] = 0
        total, looked_at = sum(max(0, end - self.done[number]) for number, end in ends.items()), 0
        for partition, end in ends.items():
            kept_from = (await self._log.bounds(EVENTS))[partition][0]
            self._step.assigned({partition})  # others may have written since
            for low, high in spans(self.done[partition], end):
                border = min(max(low, kept_from), high)
                await self._copy(self._into, self._source, partition, low, border)
                await self._replay(partition, border, high)
                self.done[partition] = high
                looked_at += high - low
                progress("replaying", looked_at, total)
        return total

    async def _begin(self) -> None:
        """Where nothing is known to be complete, begin with other logs and the first offset there is.

        An earlier rebuild, one that was killed, may still insert: its inserts are waited for.
        """
        kept = await self._log.bounds(EVENTS)
        await self._rows.wait_for_inserts(kept)
        for number in await self._source.other_logs():
            into, source = self._into.of(number), self._source.of(number)
            for partition, (first, last) in (await source.bounds()).items():
                for low, high in spans(first, last + 1):
                    await self._copy(into, source, partition, low, high)
        stored = await self._source.bounds()
        for partition, (first, _) in kept.items():
            self.done[partition] = min(first, stored.get(partition, (first, 0))[0])

    async def _copy(
        self, into: Coverage, source: Coverage, partition: int, first: int, end: int
    ) -> None:
        """What the log does not keep, as far as the source has it."""
        if first == end:
            return
        wanted = await source.count(partition, first, end)
        if await into.count(partition, first, end) >= wanted:
            return
        await into.copy(source, partition, first, end, f"{REBUILD}{partition}")

    async def _replay(self, partition: int, first: int, end: int) -> None:
        """What the log keeps. Rejects were parked by the materializer: all this is below its commit."""
        if await self._into.count(partition, first, end) == end - first:
            return
        async for records in self._log.read(EVENTS, partition, first, end, RECORDS_MAX):
            elsewhere = await self._elsewhere(partition, records)
            await self._step([each for each in records if each.offset not in elsewhere])

    async def _elsewhere(self, partition: int, records: Sequence[LogRecord]) -> set[int]:
        """The offsets of repeats of what the source has from other partitions."""
        there = await self._source_rows.present(spans_of(records))
        rows, _ = read_rows(split(without(records, there))[0])
        repeats = [row for row in rows if row.derived]
        shown = await self._source_rows.shown([row.name for row in repeats])
        found: set[int] = set()
        for row in repeats:
            lasting = [
                each for each in shown.get(row.name, ()) if row.received_ms < each.expires_ms
            ]
            if lasting and all(each.here and each.partition != partition for each in lasting):
                found.add(row.offset)
        return found
