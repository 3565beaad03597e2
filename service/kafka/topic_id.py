"""Which log a topic is (KIP-516): one that was deleted and made anew has another id, and is another log."""

import uuid

from aiokafka.errors import UnknownTopicOrPartitionError

from service.connections import KafkaConnection
from service.kafka.cluster import Cluster


class TopicId:
    """Asks for the id of one topic, over connections of its own that nothing long is under way on."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._cluster = Cluster(connection, (topic,))
        self._topic = topic

    async def now(self) -> uuid.UUID:
        """The id that the topic has now. Raises `KafkaError`, `OSError` or `TimeoutError`."""
        await self._cluster.refresh()
        found = self._cluster.topic_ids.get(self._topic)
        if found is None:
            raise UnknownTopicOrPartitionError(f"the topic {self._topic} is not there")
        return found

    async def close(self) -> None:
        """Disconnect."""
        await self._cluster.close()
