"""The log read by its offsets, outside any consumer group: what `audit`, `rebuild` and
`retry` know of Kafka.

Nothing is committed here. What a group has committed is only asked for.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import EVENTS, MATERIALIZE_GROUP, RECORD_BYTES_MAX
from processors.consume.step import Transient
from service.connections import KafkaConnection
from service.kafka.coordinator import GroupAdmin
from service.kafka.topic_id import TopicId

POLL_MS = 500

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many offsets of it are done, and of how many."""


class Log:
    """A connection to Kafka. Every method raises `Transient` when Kafka fails or stays silent."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._admin = GroupAdmin(**connection.client_args())
        self._deadline_s = 3 * connection.request_timeout_s
        self._consumer = AIOKafkaConsumer(
            group_id=None,
            auto_offset_reset="none",  # an offset that is not there is an error, never skipped
            enable_auto_commit=False,
            max_partition_fetch_bytes=4 * RECORD_BYTES_MAX,
            fetch_max_wait_ms=20,  # the broker answers nothing else on the connection meanwhile
            **connection.consumer_args(),
        )
        self._topic_id = TopicId(connection, EVENTS)
        self._at: tuple[TopicPartition, int] | None = None  # the next record that would be read
        self._readings = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, connection: KafkaConnection) -> AsyncIterator[Self]:
        """A connection for as long as the context is open."""
        log = cls(connection)
        try:
            await log.start()
            yield log
        finally:
            await log.stop()

    async def start(self) -> None:
        """Connect."""
        with self._failing_as_transient("connecting"):
            async with asyncio.timeout(self._deadline_s):
                await self._admin.start()
                await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect, within a bound."""
        with contextlib.suppress(KafkaError, TimeoutError, OSError):
            async with asyncio.timeout(self._deadline_s), contextlib.AsyncExitStack() as closing:
                closing.push_async_callback(self._topic_id.close)
                closing.push_async_callback(self._admin.close)
                closing.push_async_callback(self._consumer.stop)

    async def topic_id(self) -> uuid.UUID:
        """The id that the topic `events` has now: another one when it was made anew."""
        with self._failing_as_transient(f"asking for the id of {EVENTS}"):
            return await self._topic_id.now()

    async def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        """First offset that is kept and the one after the last, by partition of `topic`."""
        with self._failing_as_transient(f"asking for the offsets of {topic}"):
            async with asyncio.timeout(self._deadline_s):
                [about] = await self._admin.describe_topics([topic])
                numbers = sorted(each["partition"] for each in about["partitions"])
                asked = [TopicPartition(topic, number) for number in numbers]
                firsts = await self._consumer.beginning_offsets(asked)
                ends = await self._consumer.end_offsets(asked)
        if not asked:
            raise Transient(f"Kafka has no topic {topic}")
        return {each.partition: (firsts[each], ends[each]) for each in asked}

    async def offsets_at(self, topic: str, at_ms: int) -> dict[int, int]:
        """The first offset of that time or later, by partition; the end where all is older."""
        bounds = await self.bounds(topic)
        asked = {TopicPartition(topic, number): at_ms for number in bounds}
        with self._failing_as_transient(f"asking for the offsets of {topic} at a time"):
            async with asyncio.timeout(self._deadline_s):
                found = await self._consumer.offsets_for_times(asked)
        return {
            each.partition: told.offset if told else bounds[each.partition][1]
            for each, told in found.items()
        }

    async def committed(
        self, group: str = MATERIALIZE_GROUP, topic: str = EVENTS
    ) -> dict[int, int]:
        """The offset up to which `group` is done, by partition of `topic`; none where it has none."""
        with self._failing_as_transient(f"asking for the offsets of {group}"):
            async with asyncio.timeout(self._deadline_s):
                found = await self._admin.list_consumer_group_offsets(group)
        return {
            each.partition: told.offset
            for each, told in found.items()
            if each.topic == topic and told.offset >= 0
        }

    async def read(
        self, topic: str, partition: int, first: int, end: int, records_max: int
    ) -> AsyncGenerator[list[Any], None]:
        """The records with offsets from `first` up to, not with, `end`, in batches."""
        source, position = TopicPartition(topic, partition), first
        if self._at != (source, first):
            self._consumer.assign([source])
            self._consumer.seek(source, first)
        self._readings += 1
        reading = self._readings
        self._consumer.resume(source)
        give_up = time.monotonic() + self._deadline_s
        try:
            while position < end:
                with self._failing_as_transient(f"reading {topic} {partition}:{position}"):
                    async with asyncio.timeout(self._deadline_s):
                        most = min(records_max, end - position)
                        fetched = await self._consumer.getmany(
                            source, timeout_ms=POLL_MS, max_records=most
                        )
                        # also over what is no record
                        moved = await self._consumer.position(source)
                self._at = (source, moved)
                if moved > position:
                    position, give_up = moved, time.monotonic() + self._deadline_s
                elif time.monotonic() > give_up:
                    raise Transient(f"Kafka gives nothing at {topic} {partition}:{position}")
                if records := [each for each in fetched.get(source, ()) if each.offset < end]:
                    yield records
                    # Kafka is not late, the reader was busy
                    give_up = time.monotonic() + self._deadline_s
        finally:
            if reading == self._readings:  # else another one has begun
                self._consumer.pause(source)  # it would ask for more all the time, read or not

    @contextlib.contextmanager
    def _failing_as_transient(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (KafkaError, TimeoutError, OSError) as error:
            raise Transient(f"Kafka failed at {doing}: {error!r}") from error
