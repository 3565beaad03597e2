"""What Kafka keeps of a topic, and how far a group is: asked now and then, over connections of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from service.connections import KafkaConnection
from service.kafka.coordinator import GroupAdmin

POLL_S = 0.2


class NotTold(Exception):
    """Kafka did not say; the message says why."""


async def first_offsets(connection: KafkaConnection, topic: str) -> list[int]:
    """The first offset that is kept, by partition. Raises `NotTold`."""
    async with _asking(connection, topic) as (consumer, _, partitions):
        firsts = await consumer.beginning_offsets(partitions)
    return [firsts[each] for each in partitions]


async def is_past(
    connection: KafkaConnection, topic: str, group: str, time_ms: int, within_s: float
) -> bool:
    """Whether `group` has done all that was received before the time, in ms since 1970, soon enough.

    Raises `NotTold`.
    """
    async with _asking(connection, topic, within_s) as (consumer, admin, partitions):
        ends = await consumer.end_offsets(partitions)
        later = await consumer.offsets_for_times(dict.fromkeys(partitions, time_ms))
        wanted = {at: each.offset if (each := later.get(at)) else ends[at] for at in partitions}
        deadline_s = asyncio.get_running_loop().time() + within_s
        while True:
            found = await admin.list_consumer_group_offsets(group)
            done = {at: found[at].offset if at in found else 0 for at in partitions}
            if all(done[at] >= wanted[at] for at in partitions):
                return True
            if asyncio.get_running_loop().time() > deadline_s:
                return False
            await asyncio.sleep(POLL_S)


@contextlib.asynccontextmanager
async def _asking(
    connection: KafkaConnection, topic: str, more_s: float = 0.0
) -> AsyncIterator[tuple[AIOKafkaConsumer, GroupAdmin, list[TopicPartition]]]:
    """Connected, with the topic's partitions. Raises `NotTold`, also after the deadline."""
    admin = GroupAdmin(**connection.client_args())
    consumer = AIOKafkaConsumer(group_id=None, **connection.consumer_args())
    try:
        async with (
            asyncio.timeout(3 * connection.request_timeout_s + more_s),
            contextlib.AsyncExitStack() as opened,  # closes each, whatever becomes of the others
        ):
            opened.push_async_callback(admin.close)
            opened.push_async_callback(consumer.stop)
            await admin.start()
            await consumer.start()
            [about] = await admin.describe_topics([topic])
            asked = [TopicPartition(topic, each["partition"]) for each in about["partitions"]]
            yield consumer, admin, sorted(asked)
    except (KafkaError, TimeoutError, OSError) as error:
        raise NotTold(f"asking for the offsets of {topic}: {error!r}") from error
