"""A steady load on the edge's log, and what became of each id: the promise is checked against the topic."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from contracts.encoding.recordbatch import Record, encode_headers, new_record
from service.connections import ACK_TIMEOUT_S, KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits, Unaccepted
from tests.cluster.brokers import DEADLINE_S
from tests.cluster.topic import Topic, until

TICK_S = 0.02
SINGLES = 4
BATCH = 40
BATCH_EVERY = 10
"""Ticks. Together 400 events a second."""
HEADERS = encode_headers([])


@dataclass
class Load:
    """Ids by what the edge said of them; `slowest_s` is the longest that an acknowledged one took."""

    log: EventLog
    topic: Topic
    acknowledged: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    unstored: set[str] = field(default_factory=set)
    slowest_s: float = 0.0
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _under_way: set["asyncio.Task[None]"] = field(default_factory=set)

    async def post(self) -> None:
        """For ever, events alone and in batches."""
        for tick in itertools.count():
            sizes = [1] * SINGLES + [BATCH] * (tick % BATCH_EVERY == 0)
            for size in sizes:
                self._begin([self._record() for _ in range(size)])
            await asyncio.sleep(TICK_S)

    def _begin(self, records: Sequence[tuple[str, Record]]) -> None:
        task = asyncio.create_task(self._append(records))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def answered(self) -> None:
        """Return when every append has its outcome."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=DEADLINE_S)
        assert not self._under_way

    async def more(self, count: int = 200) -> None:
        """Return when `count` more are acknowledged."""
        wanted = len(self.acknowledged) + count

        async def enough() -> bool:
            return len(self.acknowledged) >= wanted

        await until(enough)

    async def all_partitions(self) -> None:
        """Return when each partition has acknowledged an event that was posted from now on."""
        async with asyncio.TaskGroup() as group:
            for number in range(await self._partitions()):
                group.create_task(self._acknowledges(number))

    async def _acknowledges(self, number: int) -> None:
        """Append to the partition until it is acknowledged."""
        count = await self._partitions()

        async def acknowledged() -> bool:
            id_, record = next(
                made for made in iter(self._record, None) if made[1].key_hash % count == number
            )
            await self._append([(id_, record)])
            return id_ in self.acknowledged

        await until(acknowledged)

    async def _partitions(self) -> int:
        return len(await self.topic.partitions())

    async def uses(self, partitions: int) -> bool:
        """Whether the edge spreads events over so many."""
        return len(self.log._queues[self.topic.name]) == partitions

    async def refused(self) -> bool:
        """Whether most partitions do not take events any longer."""
        return not self.log.ready

    async def _append(self, records: Sequence[tuple[str, Record]]) -> None:
        began_s = time.monotonic()
        failures = await self.log.append_all(self.topic.name, [record for _, record in records])
        for (id_, _), failure in zip(records, failures, strict=True):
            if failure is None:
                self.acknowledged.add(id_)
                self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)
            else:
                (self.unstored if isinstance(failure, Unaccepted) else self.unknown).add(id_)

    def _record(self) -> tuple[str, Record]:
        id_ = f"{next(self._numbers)}"
        return id_, new_record(id_.encode(), id_.encode(), HEADERS, time.time_ns() // 1_000_000)

    async def check(self) -> None:
        """Acknowledged ids are in the log once, those of unknown outcome at most once, others not."""
        found = await self.topic.ids()
        assert self.acknowledged <= found.keys(), "acknowledged and lost"
        assert max(found.values()) == 1, "stored twice"
        assert not self.unstored & found.keys(), "said not to be stored, and is"
        assert found.keys() <= self.acknowledged | self.unknown

    def __str__(self) -> str:
        return (
            f"{len(self.acknowledged)} acknowledged, the slowest after {self.slowest_s:.1f} s,"
            f" {len(self.unknown)} unknown, {len(self.unstored)} refused"
        )


@contextlib.asynccontextmanager
async def load(connection: KafkaConnection, topic: Topic) -> AsyncIterator[Load]:
    """Posting while the context is open; at its end the log is compared."""
    log = EventLog(connection, (topic.name,), QueueLimits(32 << 20, ACK_TIMEOUT_S))
    await log.start()
    made = Load(log, topic)

    async def ready() -> bool:
        return log.ready

    await until(ready)
    posting = asyncio.create_task(made.post())
    try:
        await made.more()
        yield made
        await made.more()
    finally:
        posting.cancel()
        await made.answered()
        await log.stop()
    print(f"\n  {made}")
    await made.check()
