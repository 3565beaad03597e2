"""Topics of a test's own on the real broker."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from service.connections import KafkaConnection

WITHIN_S = 60
FOR_EVER = {"retention.ms": "-1"}
"""Records of tests are of any time; a broker deletes what is too old half a minute after its start and
every five minutes then."""


@contextlib.asynccontextmanager
async def a_topic(kafka: KafkaConnection, partitions: int) -> AsyncIterator[str]:
    """An empty topic that takes records: a broker names a leader before that leader knows of it."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(**kafka.client_args())
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=FOR_EVER)])
        async with AIOKafkaConsumer(**kafka.client_args()) as consumer:
            places = [TopicPartition(name, number) for number in range(partitions)]
            await asyncio.wait_for(consumer.end_offsets(places), WITHIN_S)  # its leaders answer
        yield name
        await admin.delete_topics([name])
    finally:
        await admin.close()
