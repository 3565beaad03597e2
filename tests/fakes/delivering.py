"""What the router needs, in memory: topics, the log to read again, queues that fail by a script."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from contracts.attempts import Attempt, decode_attempt
from contracts.deliveries import Delivery
from contracts.destinations import SqsDestination
from contracts.encoding.recordbatch import Record
from contracts.jobs import Jobs
from contracts.subscription_table import Subscriptions
from contracts.topics import (
    DELIVERIES,
    DELIVERIES_DEAD,
    DELIVERIES_JOBS,
    DELIVERIES_RETRY,
    EVENTS,
    SUBSCRIPTIONS,
)
from processors.consume.step import LogRecord, Transient
from processors.deliver.outcomes import Outcome
from processors.deliver.router import Limits, Router
from service.kafka.partition import Unaccepted
from tests.records import consumed

DAY_S = 24 * 3600.0


class FakeTopics:
    """Takes records, but for the topics that are `away`."""

    def __init__(self) -> None:
        self.records: defaultdict[str, list[LogRecord]] = defaultdict(list)
        self.away: set[str] = set()

    def append(self, topic: str, record: Record) -> "asyncio.Future[int]":
        """See `EventLog`."""
        if topic in self.away:
            raise Unaccepted("away")
        self.records[topic].append(consumed(record))
        taken: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        taken.set_result(len(self.records[topic]) - 1)
        return taken

    async def append_all(self, topic: str, records: Sequence[Record]) -> list[Exception | None]:
        """See `EventLog`."""
        if topic in self.away:
            return [Unaccepted("away") for _ in records]
        self.records[topic] += map(consumed, records)
        return [None for _ in records]

    @property
    def attempts(self) -> list[Attempt]:
        """What the ledger was told."""
        return [decode_attempt(each.value or b"") for each in self.records[DELIVERIES]]

    @property
    def dead(self) -> list[LogRecord]:
        """What was given up."""
        return self.records[DELIVERIES_DEAD]


class FakeLog:
    """The log and `deliveries.retry`, as they are read again; `events` by partition, from offset 0 on."""

    def __init__(self, topics: FakeTopics, events: dict[int, list[LogRecord]]) -> None:
        self.events = events
        self.kept_from = 0
        self.failing = 0
        self._topics = topics
        self.committed_offsets: dict[int, int] = {}

    async def start(self) -> None:
        """See `Source`."""

    async def stop(self) -> None:
        """See `Source`."""

    def _fail(self) -> None:
        if self.failing:
            self.failing -= 1
            raise Transient("Kafka is away")

    async def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        """See `Source`."""
        self._fail()
        if topic == EVENTS:
            return {number: (self.kept_from, len(each)) for number, each in self.events.items()}
        return {0: (0, len(self._topics.records[topic]))}

    async def committed(self, group: str) -> dict[int, int]:
        """See `Source`."""
        return dict(self.committed_offsets)

    async def read(
        self, topic: str, partition: int, first: int, end: int, records_max: int
    ) -> AsyncGenerator[list[LogRecord], None]:
        """See `Source`."""
        self._fail()
        stored = (
            self.events[partition] if topic == EVENTS else self._topics.records[DELIVERIES_RETRY]
        )
        while first < end:
            yield stored[first : min(end, first + records_max)]
            first += records_max


class FakeQueues:
    """Says of a batch what `script` says of it, and keeps what was sent, by queue."""

    def __init__(self, script: Callable[[Sequence[Delivery]], list[Outcome]] | None = None) -> None:
        self.sent: defaultdict[str, list[Delivery]] = defaultdict(list)
        self.calls: list[int] = []
        self.script = script
        self.gate: dict[str, asyncio.Event] = {}

    async def send(
        self, destination: SqsDestination, deliveries: Sequence[Delivery]
    ) -> list[Outcome]:
        """See `Queues`; a queue with a gate answers when that is open."""
        self.calls.append(len(deliveries))
        if (gate := self.gate.get(destination.queue)) is not None:
            await gate.wait()
        if self.script is None:
            outcomes = [Outcome(each, "sent", message_id="m") for each in deliveries]
        else:
            outcomes = self.script(deliveries)
        self.sent[destination.queue] += [each.delivery for each in outcomes if each.state == "sent"]
        return outcomes

    def offsets(self, queue: str) -> list[tuple[int, int]]:
        """Partition and offset of what was sent, in order."""
        return [each.position for each in self.sent[queue]]


class FakeFollower:
    """Knows the subscriptions, and what the router writes about them."""

    ready = True

    def __init__(self, table: Subscriptions, topics: FakeTopics | None = None) -> None:
        self.on_change: Callable[[], object] = lambda: None
        self._table = table
        self._topics = topics or FakeTopics()
        self._applied = 0

    @property
    def table(self) -> Subscriptions:
        """See `SubscriptionsFollower`."""
        for each in self._topics.records[SUBSCRIPTIONS][self._applied :]:
            self._table.apply(each.key, each.value)
            self._applied += 1
        return self._table

    async def catch_up(self, timeout_s: float) -> bool:
        """See `SubscriptionsFollower`."""
        return True

    async def follow(self) -> None:
        """Tell of changes, until cancelled."""
        told = 0
        while True:
            if self.table.version != told:
                told = self.table.version
                self.on_change()
            await asyncio.sleep(0.001)


class FakeJobs:
    """Knows the jobs, as `topics` has them."""

    ready = True

    def __init__(self, topics: FakeTopics) -> None:
        self._topics = topics

    @property
    def table(self) -> Jobs:
        """See `JobsFollower`."""
        table = Jobs()
        for each in self._topics.records[DELIVERIES_JOBS]:
            table.apply(each.key, each.value)
        return table


class RouterInMemory:
    """A router over these parts. Enter it to have its lanes served."""

    def __init__(
        self,
        queues: FakeQueues,
        table: Subscriptions,
        events: dict[int, list[LogRecord]],
        topics: FakeTopics | None = None,
        *,
        retry_for_s: float = DAY_S,
        pause_max_s: float = 0.001,
        pause_after_s: float = DAY_S,
    ) -> None:
        self.topics = topics or FakeTopics()
        self.log = FakeLog(self.topics, events)
        self.queues = queues
        written: Any = self.topics
        self.table, self._follower = table, FakeFollower(table, self.topics)
        follower: Any = self._follower
        jobs: Any = FakeJobs(self.topics)
        limits = Limits(pause_max_s, retry_for_s, 16, pause_after_s)
        router = Router(queues, written, follower, jobs, lambda: self.log, limits)
        self.router, self.places, self.lanes = router, router.places, router.lanes
        self.route = router.step

    async def __aenter__(self) -> "RouterInMemory":
        self._running = asyncio.create_task(self.router.run())
        self._following = asyncio.create_task(self._follower.follow())
        self.route.assigned(self.log.events.keys())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        self._following.cancel()
        await asyncio.wait({self._running, self._following})
        if not self._running.cancelled():
            self._running.result()

    async def step(self, partition: int, first: int, end: int) -> None:
        """The step on a batch, and its commit."""
        await self.route(self.log.events[partition][first:end])
        self.log.committed_offsets[partition] = end

    async def caught_up(self) -> None:
        """Return when nobody is behind but who is stopped."""
        async with asyncio.timeout(60):
            while self.places.lanes() - self.table.stopped and not self._running.done():
                await asyncio.sleep(0.001)
        if self._running.done():
            self._running.result()
