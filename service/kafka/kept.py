"""What Kafka keeps of a topic: asked for now and then, over connections of its own."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from service.connections import KafkaConnection


class NotTold(Exception):
    """Kafka did not say; the message says why."""


async def first_offsets(connection: KafkaConnection, topic: str) -> list[int]:
    """The first offset that is kept, by partition. Raises `NotTold`."""
    admin = AIOKafkaAdminClient(**connection.client_args())
    consumer = AIOKafkaConsumer(group_id=None, **connection.consumer_args())
    try:
        async with asyncio.timeout(3 * connection.request_timeout_s):
            try:
                await admin.start()
                await consumer.start()
                [about] = await admin.describe_topics([topic])
                asked = [TopicPartition(topic, each["partition"]) for each in about["partitions"]]
                firsts = await consumer.beginning_offsets(sorted(asked))
            finally:
                await consumer.stop()
                await admin.close()
    except (KafkaError, TimeoutError, OSError) as error:
        raise NotTold(f"asking for the offsets of {topic}: {error!r}") from error
    return [firsts[each] for each in sorted(asked)]
