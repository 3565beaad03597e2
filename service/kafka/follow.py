"""Follow the compacted `subscriptions` topic into a `Subscriptions` table, from its beginning.

The table is replaced whole only when the reader has reached the end that the topic had at the
start, so nobody ever sees half of it. On any error it is read anew; the last good table stays.
A broker answers a connection in order, so the topic's end is asked for on one of its own: on the
reader's it would come after the fetch that waits there for news.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.changes import Changes
from contracts.subscription_table import Subscriptions, UnreadableSubscription
from contracts.topics import SUBSCRIPTIONS
from service.connections import KafkaConnection

log = logging.getLogger(__name__)

RETRY_S = 1.0
POLL_MS = 500


class SubscriptionsFollower:
    """A table of subscriptions that follows the log, a few milliseconds behind it."""

    def __init__(self, connection: KafkaConnection, *, with_changes: bool = False) -> None:
        self._connection = connection
        self._with_changes = with_changes
        self._partition = TopicPartition(SUBSCRIPTIONS, 0)
        self._moved = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._next_offset = -1
        self._asker: AIOKafkaConsumer | None = None
        self.table = self._new_table()

    @property
    def ready(self) -> bool:
        """Whether the table was complete at least once."""
        return self._next_offset >= 0

    async def start(self) -> None:
        """Begin to follow in the background."""
        self._task = asyncio.create_task(self._follow(), name="subscriptions")

    async def stop(self) -> None:
        """Stop following; the table stays as it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=5)

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

    def _new_table(self) -> Subscriptions:
        return Subscriptions(Changes() if self._with_changes else None)

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
                log.warning("subscriptions cannot be read, trying again: %r", error)
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
        table, position = self._new_table(), 0
        while True:
            async with asyncio.timeout(self._connection.request_timeout_s):
                position = max(position, await consumer.position(self._partition))
            if position >= end:
                self.table = table
                async with self._moved:
                    self._next_offset = position
                    self._moved.notify_all()
            records = await consumer.getmany(self._partition, timeout_ms=POLL_MS)
            for record in records.get(self._partition, ()):
                try:
                    table.apply(record.key, record.value)
                except UnreadableSubscription as error:
                    log.error("subscriptions at offset %d is passed over: %s", record.offset, error)
