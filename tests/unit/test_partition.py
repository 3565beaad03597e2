"""What is told to whoever waits in a queue when Kafka does not acknowledge in time."""

import asyncio

import pytest
from aiokafka import TopicPartition

from contracts.encoding.recordbatch import Record, new_record
from service.kafka.linger import Linger
from service.kafka.partition import (
    BATCH_BYTES_MAX,
    PartitionQueue,
    QueueLimits,
    Unaccepted,
    Unacknowledged,
)

LARGE = new_record(b"k", bytes(BATCH_BYTES_MAX * 2 // 3), b"\0", 1_790_000_000_000)


@pytest.mark.parametrize(
    ("appends", "errors"),
    [
        ([1, 1, 1], [Unacknowledged, Unaccepted, Unaccepted]),
        ([3, 1], [Unacknowledged, Unaccepted]),  # the batch holds one of the first three
        ([1], [Unacknowledged]),
    ],
)
async def test_what_was_not_sent_is_told_from_what_is_unknown(
    appends: list[int], errors: list[type[Exception]]
) -> None:
    assert await failures(appends) == errors


async def failures(appends: list[int]) -> list[type[BaseException]]:
    """What each append of so many large records fails with, of which one fits into a batch."""
    queue = PartitionQueue(
        TopicPartition("t", 0),
        QueueLimits(1 << 24, 0.01),
        lambda queue: None,
        Linger(60, lambda: None),
    )
    futures = [append(queue, [LARGE] * count) for count in appends]
    queue.cut(1, 0)
    async with asyncio.timeout(60):
        failed = await asyncio.gather(*futures, return_exceptions=True)
    return [type(each) for each in failed if isinstance(each, BaseException)]


def append(queue: PartitionQueue, records: list[Record]) -> asyncio.Future[int]:
    return queue.append(records, sum(record.size_bytes for record in records))


async def test_what_is_cut_later_is_told_likewise() -> None:
    async def story() -> list[type[BaseException]]:
        queue = PartitionQueue(
            TopicPartition("t", 0),
            QueueLimits(1 << 24, 0.01),
            lambda queue: None,
            Linger(60, lambda: None),
        )
        futures = [append(queue, [LARGE] * 2), append(queue, [LARGE])]
        queue.cut(1, 0)
        queue.acknowledge(0)
        queue.cut(1, 0)
        failed = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 20)
        return [type(each) for each in failed if isinstance(each, BaseException)]

    assert await story() == [Unacknowledged, Unaccepted]
