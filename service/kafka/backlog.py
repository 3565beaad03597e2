"""What a group has before it in a topic, asked by an observer that is no member of the group.

Committed offsets, the log's ends, and the time of the first record after the committed offset. Kafka
deletes whole segments by their newest record, so none leaves sooner than its own time and the topic's
`retention.ms` say; a limit by size (`retention.bytes`) is not counted.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Collection, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, for_code

from service.connections import KafkaConnection
from service.kafka.coordinator import mend_coordinator

START_TIMEOUT_S = 15.0
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


async def backlogs(
    observer: AIOKafkaConsumer,
    partitions: Collection[TopicPartition],
    known: Mapping[int, Backlog],
) -> dict[int, Backlog]:
    """What the observer's group has before it, by partition; one whose time cannot be told is left out.

    `known` is what was seen before. Raises `KafkaError`; the caller has the deadline.
    """
    ours = set(partitions)
    if observer.assignment() != ours:
        observer.assign(list(ours))
        for partition in ours:
            observer.seek(partition, 0)
            observer.pause(partition)  # it reads single records, when it is asked to
    seen_ms = time.time_ns() // 1_000_000
    starts, ends = await observer.beginning_offsets(ours), await observer.end_offsets(ours)
    seen: dict[int, Backlog] = {}
    for partition in ours:
        before = known.get(partition.partition)
        committed = await observer.committed(partition)
        offset = starts[partition] if committed is None else committed
        lag = max(0, ends[partition] - offset)
        if not lag:
            since_ms: int | None = seen_ms
        elif offset < starts[partition]:  # lost already
            since_ms = 0
        else:
            since_ms = await since(observer, partition, offset, before)
        if since_ms is not None:
            seen[partition.partition] = Backlog(offset, lag, since_ms)
    return seen


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
async def observing(connection: KafkaConnection, group: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that knows the group's offsets and is no member of it."""
    mend_coordinator()
    observer = AIOKafkaConsumer(
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=1,  # Kafka still answers one batch, the one that was asked for
        **connection.consumer_args(),
    )
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
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
    asked = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": None})
    async with _admin(connection) as admin:
        [answer] = await admin.describe_configs([asked])
    [(code, message, _, _, entries)] = answer.resources
    if code:
        raise for_code(code)(message)
    return next(int(value) for name, value, *_ in entries if name == "retention.ms")


async def partitions_of(topic: str, connection: KafkaConnection) -> list[TopicPartition]:
    """The topic's partitions, in their order; none when it is not there. Raises `KafkaError`."""
    async with _admin(connection) as admin:
        [about] = await admin.describe_topics([topic])
    return sorted(TopicPartition(topic, each["partition"]) for each in about["partitions"])


@contextlib.asynccontextmanager
async def _admin(connection: KafkaConnection) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection.client_args())
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()
