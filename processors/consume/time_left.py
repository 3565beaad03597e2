"""How long Kafka still keeps what a group has not handled: the measure that warns before a loss.

An observer of its own looks at the log every few seconds, beside the consumer that does the work and
at no cost to it: committed offsets, the log's ends, and the time of the first record after the
committed offset. Kafka deletes whole segments by their newest record, so none leaves sooner than its
own time and the topic's `retention.ms` say; a limit by size (`retention.bytes`) is not counted.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Collection
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, for_code

from contracts.topics import EVENTS
from service.connections import KafkaConnection

log = logging.getLogger(__name__)

LOOK_S = 5.0
LOOK_TIMEOUT_S = 15.0
FIRST_LOOK_S = 0.5
RETENTION_AGE_S = 60.0
FETCH_TIMEOUT_MS = 2_000


class Backlog(NamedTuple):
    """What a group has before it in a partition: no unhandled record is older than `since_ms`.

    `offset` is the next to handle and `lag` the number of records from there on. Without any,
    `since_ms` is when that was seen; times in ms since 1970.
    """

    offset: int
    lag: int
    since_ms: int


def seconds_until_loss(backlog: Backlog, retention_ms: int, now_ms: int) -> float:
    """Until the first unhandled record may leave Kafka; 0 when it may have, infinite for ever."""
    if retention_ms < 0:
        return math.inf
    return max(0.0, (backlog.since_ms + retention_ms - now_ms) / 1000)


class TimeLeft:
    """Backlogs by partition of a topic, and its retention, as last seen; all of it ages by itself.

    `partitions` gives those that are ours at the moment.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        group: str,
        partitions: Callable[[], Collection[TopicPartition]],
        topic: str = EVENTS,
    ) -> None:
        self.group = group
        self.backlogs: dict[int, Backlog] = {}
        self.retention_ms: int | None = None
        self._connection = connection
        self._partitions = partitions
        self._topic = topic
        self._seen_s = -math.inf

    @property
    def fresh(self) -> bool:
        """Whether Kafka answered lately."""
        return time.monotonic() - self._seen_s < LOOK_S + LOOK_TIMEOUT_S

    @property
    def known(self) -> bool:
        """Whether how long there is left is known of every partition that is ours."""
        ours = {partition.partition for partition in self._partitions()}
        return self.retention_ms is not None and ours <= self.backlogs.keys()

    def seconds(self) -> dict[int, float]:
        """Seconds until a loss by partition, now; nothing while the retention is not known."""
        if self.retention_ms is None:
            return {}
        now_ms, retention_ms = time.time_ns() // 1_000_000, self.retention_ms
        return {
            number: seconds_until_loss(backlog, retention_ms, now_ms)
            for number, backlog in self.backlogs.items()
        }

    async def follow(self) -> None:
        """Look again and again, until cancelled; what was seen stays while Kafka is away."""
        while True:
            try:
                async with _observer(self._connection, self.group) as observer:
                    await self._look_on(observer)
            except (KafkaError, TimeoutError, OSError) as error:
                log.warning("the log's retention cannot be watched, trying again: %r", error)
                await asyncio.sleep(LOOK_S)

    async def _look_on(self, observer: AIOKafkaConsumer) -> None:
        # until others are ours: aiokafka's coordination fails when an assignment is replaced while it
        # looks for its node
        asked_s = -math.inf
        while observer.assignment() in (set(), set(self._partitions())):
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                if time.monotonic() - asked_s > RETENTION_AGE_S:
                    await self._ask_retention()
                    asked_s = time.monotonic()
                await self._look(observer)
            self._seen_s = time.monotonic()
            await asyncio.sleep(LOOK_S if self.backlogs else FIRST_LOOK_S)

    async def _ask_retention(self) -> None:
        try:
            self.retention_ms = await retention_of(self._topic, self._connection)
        except KafkaError as error:  # not the right to ask, for one: the backlogs are still known
            log.warning("the retention of %s is not known: %r", self._topic, error)

    async def _look(self, observer: AIOKafkaConsumer) -> None:
        ours = set(self._partitions())
        if observer.assignment() != ours:
            observer.assign(list(ours))
            for partition in ours:
                observer.seek(partition, 0)
                observer.pause(partition)  # it reads single records, when it is asked to
        seen_ms = time.time_ns() // 1_000_000
        starts, ends = await observer.beginning_offsets(ours), await observer.end_offsets(ours)
        seen: dict[int, Backlog] = {}
        for partition in ours:
            known = self.backlogs.get(partition.partition)
            committed = await observer.committed(partition)
            offset = starts[partition] if committed is None else committed
            lag = max(0, ends[partition] - offset)
            if not lag:
                since_ms: int | None = seen_ms
            elif offset < starts[partition]:  # lost already
                since_ms = 0
            else:
                since_ms = await since(observer, partition, offset, known)
            if since_ms is not None:
                seen[partition.partition] = Backlog(offset, lag, since_ms)
        self.backlogs = seen


async def since(
    observer: AIOKafkaConsumer, partition: TopicPartition, offset: int, known: Backlog | None
) -> int | None:
    """The time of the record at `offset`; when it cannot be read, of what is known before it."""
    if known is None or known.offset > offset:
        return await _time_of(observer, partition, offset)
    if known.offset == offset and known.lag:
        return known.since_ms
    found_ms = await _time_of(observer, partition, offset)
    return known.since_ms if found_ms is None else found_ms


async def _time_of(
    observer: AIOKafkaConsumer, partition: TopicPartition, offset: int
) -> int | None:
    observer.seek(partition, offset)
    observer.resume(partition)
    try:
        found = await observer.getmany(partition, timeout_ms=FETCH_TIMEOUT_MS, max_records=1)
    except OffsetOutOfRangeError:  # it left between two questions
        return None
    finally:
        observer.pause(partition)
        observer.seek(partition, offset)  # drops what came with it
    records = found.get(partition)
    return records[0].timestamp if records else None


@contextlib.asynccontextmanager
async def _observer(connection: KafkaConnection, group: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that knows the group's offsets and is no member of it."""
    observer = AIOKafkaConsumer(
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=1,  # Kafka still answers one batch, the one that was asked for
        **connection.consumer_args(),
    )
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            await observer.start()
        yield observer
    finally:
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(connection.request_timeout_s):
                await observer.stop()


async def retention_of(topic: str, connection: KafkaConnection) -> int:
    """The topic's `retention.ms`, -1 for ever. Needs the right to describe its configuration.

    Raises `KafkaError`.
    """
    admin = AIOKafkaAdminClient(**connection.client_args())
    try:
        await admin.start()
        asked = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": None})
        [answer] = await admin.describe_configs([asked])
    finally:
        await admin.close()
    [(code, message, _, _, entries)] = answer.resources
    if code:
        raise for_code(code)(message)
    return next(int(value) for name, value, *_ in entries if name == "retention.ms")
