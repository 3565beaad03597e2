"""The log as lanes read it that are behind: one reading at a time, over one connection."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Collection
from typing import Protocol

from contracts.topics import EVENTS
from processors.consume.step import LogRecord, Transient

RECORDS_MAX = 500
WINDOW_BYTES_MAX = 1024 * 1024
"""Of what a lane holds at once, unless a single record is larger."""
BOUNDS_AGE_S = 5.0


class Source(Protocol):
    """A connection to Kafka, see `processors.consume.replay.Log`. Methods raise `Transient`."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""

    async def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        """First offset that is kept and the one after the last, by partition."""

    async def committed(self, group: str) -> dict[int, int]:
        """The offset up to which `group` is done, by partition."""

    def read(
        self, topic: str, partition: int, first: int, end: int, records_max: int
    ) -> AsyncGenerator[list[LogRecord], None]:
        """Records from `first` up to, not with, `end`."""


class Reader:
    """Reads `events`. A connection that failed is made anew with the next reading."""

    def __init__(self, source_of: Callable[[], Source]) -> None:
        self._source_of = source_of
        self._source: Source | None = None
        self._lock = asyncio.Lock()
        self._bounds: dict[int, tuple[int, int]] = {}
        self._bounds_until_s = 0.0

    @contextlib.asynccontextmanager
    async def source(self) -> AsyncGenerator[Source, None]:
        """The connection, for as long as the context is open. Raises `Transient`."""
        async with self._lock:
            if self._source is None:
                source = self._source_of()
                try:
                    await source.start()
                except BaseException:
                    await source.stop()
                    raise
                self._source = source
            try:
                yield self._source
            except BaseException:  # what it has read of an answer nobody knows
                await self._disconnect()
                raise

    async def close(self) -> None:
        """Disconnect."""
        async with self._lock:
            await self._disconnect()

    async def _disconnect(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            await source.stop()

    async def bounds(self, partition: int, last: int = -1) -> tuple[int, int]:
        """The first offset that Kafka still has and the one after the last, as of some seconds ago.

        When `last` lies past them, as of now.
        """
        now_s = asyncio.get_running_loop().time()
        _, end = self._bounds.get(partition, (0, -1))
        if now_s > self._bounds_until_s or end <= last:
            async with self.source() as source:
                self._bounds = await source.bounds(EVENTS)
            self._bounds_until_s = now_s + BOUNDS_AGE_S
        if partition not in self._bounds:
            raise Transient(f"{EVENTS} has no partition {partition}")
        return self._bounds[partition]

    async def window(self, partition: int, first: int, end: int) -> tuple[list[LogRecord], int]:
        """Some records from `first` on, before `end`, and the offset to go on at."""
        if first >= end:
            return [], end
        async with self.source() as source:
            batches = source.read(EVENTS, partition, first, end, RECORDS_MAX)
            async with contextlib.aclosing(batches):
                async for batch in batches:
                    taken = _within(batch)
                    return taken, taken[-1].offset + 1
        return [], end

    async def single(self, partition: int, offsets: Collection[int]) -> tuple[list[LogRecord], int]:
        """The records at `offsets`, in order, and before which offset all of them have been read."""
        wanted, found = sorted(offsets), list[LogRecord]()
        size_bytes, reached = 0, 0
        while wanted and size_bytes < WINDOW_BYTES_MAX:
            records, reached = await self.window(partition, wanted[0], wanted[-1] + 1)
            these = [each for each in records if each.offset in offsets]
            found += these
            size_bytes += sum(len(each.value or b"") for each in these)
            wanted = [each for each in wanted if each >= reached]
        return found, reached


def _within(records: list[LogRecord]) -> list[LogRecord]:
    size_bytes = 0
    for number, record in enumerate(records):
        size_bytes += len(record.value or b"")
        if number and size_bytes > WINDOW_BYTES_MAX:
            return records[:number]
    return records
