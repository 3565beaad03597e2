"""Follow a compacted topic of one partition into a table, from its beginning: subscriptions, jobs.

The table is replaced whole only when the reader has reached the end that the topic had at the
start, so nobody ever sees half of it. On any error it is read anew; the last good table stays.
A broker answers a connection in order, so the topic's end is asked for on one of its own: on the
reader's it would come after the fetch that waits there for news.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Generic, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.changes import Changes
from contracts.jobs import Jobs, UnreadableJob
from contracts.subscription_table import Subscriptions, UnreadableSubscription
from contracts.topics import DELIVERIES_JOBS, SUBSCRIPTIONS
from service.connections import KafkaConnection

log = logging.getLogger(__name__)

RETRY_S = 1.0
POLL_MS = 500


class Table(Protocol):
    """What the records of a topic leave."""

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record. Raises an error of the follower's `unreadable`."""


Followed = TypeVar("Followed", bound=Table)


class Follower(Generic[Followed]):
    """A table that follows its topic, a few milliseconds behind it.

    `on_change` is called when it has moved; an error of `unreadable` costs its record alone.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        new_table: Callable[[], Followed],
        unreadable: type[Exception],
    ) -> None:
        self.on_change: Callable[[], object] = lambda: None
        self._connection = connection
        self._new_table = new_table
        self._unreadable = unreadable
        self._partition = TopicPartition(topic, 0)
        self._moved = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._next_offset = -1
        self._asker: AIOKafkaConsumer | None = None
        self.table = new_table()

    @property
    def ready(self) -> bool:
        """Whether the table was complete at least once."""
        return self._next_offset >= 0

    async def start(self) -> None:
        """Begin to follow in the background."""
        self._task = asyncio.create_task(self._follow(), name=self._partition.topic)

    async def stop(self) -> None:
        """Stop following; the table stays as it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=4 * self._connection.request_timeout_s)

    async def catch_up(self, timeout_s: float) -> bool:
        """Whether the table holds all that the topic held at the call, before the timeout."""
        try:
            async with asyncio.timeout(timeout_s):
                if self._asker is None:
                    return False
                ends = await self._asker.end_offsets([self._partition])
                return await self.wait_for(ends[self._partition] - 1, timeout_s)
        except (KafkaError, TimeoutError):
            return False

    async def wait_for(self, offset: int, timeout_s: float) -> bool:
        """Whether the table holds the record at `offset` before the timeout."""
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self._next_offset > offset)
        except TimeoutError:
            return False
        return True

    async def _follow(self) -> None:
        while True:
            try:
                async with self._connected() as reader, self._connected() as asker:
                    async with asyncio.timeout(3 * self._connection.request_timeout_s):
                        reader.assign([self._partition])
                        end = (await asker.end_offsets([self._partition]))[self._partition]
                        await reader.seek_to_beginning(self._partition)
                    self._asker = asker
                    await self._read(reader, end)
            except (KafkaError, TimeoutError, OSError) as error:
                log.warning("%s cannot be read, trying again: %r", self._partition.topic, error)
            finally:
                self._asker = None
            await asyncio.sleep(RETRY_S)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            group_id=None,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            **self._connection.consumer_args(),
        )
        try:
            async with asyncio.timeout(3 * self._connection.request_timeout_s):
                await consumer.start()
            yield consumer
        finally:
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(self._connection.request_timeout_s):
                    await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer, end: int) -> None:
        table, position, told = self._new_table(), 0, -1
        while True:
            async with asyncio.timeout(self._connection.request_timeout_s):
                position = max(position, await consumer.position(self._partition))
            if position >= end and position > told:
                self.table = table
                async with self._moved:
                    self._next_offset = position
                    self._moved.notify_all()
                self.on_change()
                told = position
            records = await consumer.getmany(self._partition, timeout_ms=POLL_MS)
            for record in records.get(self._partition, ()):
                try:
                    table.apply(record.key, record.value)
                except self._unreadable as error:
                    topic, offset = self._partition.topic, record.offset
                    log.error("%s at offset %d is passed over: %s", topic, offset, error)


class SubscriptionsFollower(Follower[Subscriptions]):
    """The subscriptions of all tenants; who changed them too, `with_changes`."""

    def __init__(self, connection: KafkaConnection, *, with_changes: bool = False) -> None:
        def new_table() -> Subscriptions:
            return Subscriptions(Changes() if with_changes else None)

        super().__init__(connection, SUBSCRIPTIONS, new_table, UnreadableSubscription)


class JobsFollower(Follower[Jobs]):
    """The jobs of all tenants."""

    def __init__(self, connection: KafkaConnection) -> None:
        super().__init__(connection, DELIVERIES_JOBS, Jobs, UnreadableJob)
