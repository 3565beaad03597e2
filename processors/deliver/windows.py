"""Windows of the log that lanes which are behind share: each is read, and matched, once for all of them.

After an outage a thousand lanes are behind together, and each gets a few of the same records. Read by
each alone, the log would be read and matched a thousand times.
"""

import asyncio
from collections import defaultdict
from typing import NamedTuple

from contracts.subscription_table import Subscriptions
from processors.consume.step import LogRecord
from processors.deliver.lane import Key
from processors.deliver.place import Place
from processors.deliver.plan import receivers
from processors.deliver.reader import Reader
from service.kafka.follow import SubscriptionsFollower

KEPT_MAX = 16
"""Of a megabyte each, or of one record that is larger."""
LOOKED_THROUGH_MAX = 16
"""Windows of one turn, in which there is nothing for the lane."""


class Window(NamedTuple):
    """Records from `first` up to, not with, `end`: who gets which, as `table` said at its `version`."""

    partition: int
    first: int
    end: int
    of: dict[Key, list[LogRecord]]
    table: Subscriptions
    version: int


class Windows:
    """Keeps the last few."""

    def __init__(self, reader: Reader, follower: SubscriptionsFollower) -> None:
        self._reader = reader
        self._follower = follower
        self._kept: list[Window] = []
        self._lock = asyncio.Lock()

    async def of(self, place: Place, first: int, end: int) -> tuple[list[LogRecord], int]:
        """Some records from `first` on, before `end`, that the lane may get; the offset to go on at.

        Raises `Transient`.
        """
        for _ in range(LOOKED_THROUGH_MAX):
            if first >= end:
                break
            window = await self._covering(place.partition, first, end)
            found = [each for each in window.of.get(place.lane, ()) if first <= each.offset < end]
            first = min(window.end, end)
            if found:
                return found, first
        return [], first

    async def _covering(self, partition: int, first: int, end: int) -> Window:
        async with self._lock:  # who asks for the same meanwhile finds it kept
            table = self._follower.table
            for each in self._kept:
                is_of_now = each.table is table and each.version == table.version
                if is_of_now and each.partition == partition and each.first <= first < each.end:
                    return each
            records, reached = await self._reader.window(partition, first, end)
            table, of = self._follower.table, defaultdict[Key, list[LogRecord]](list)
            for record in records:
                for key in receivers(table, record):
                    of[key].append(record)
            window = Window(partition, first, reached, of, table, table.version)
            self._kept = [*self._kept[1 - KEPT_MAX :], window]
            return window
