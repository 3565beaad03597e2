"""A consumer group as Kafka knows it, and its log: members, committed offsets, the log's ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.admin import DeleteGroupsRequest
from aiokafka.protocol.group import LeaveGroupRequest

from contracts.topics import EVENTS, MATERIALIZE_GROUP

BROKER = 1  # the only one, so the group's coordinator
ASK_TIMEOUT_S = 30.0


class Group:
    """Asks Kafka, and does what a session's end would do, without the wait."""

    def __init__(
        self, name: str, topic: str, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer
    ) -> None:
        self._name = name
        self._topic = topic
        self._admin = admin
        self._consumer = consumer
        self.partitions = [
            TopicPartition(topic, number)
            for number in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        consumer.assign(self.partitions)

    async def members(self) -> dict[str, str]:
        """The client id of each member, by member id."""
        async with asyncio.timeout(ASK_TIMEOUT_S):
            answers = await self._admin.describe_consumer_groups([self._name], BROKER)
        return {member[0]: member[1] for member in answers[0].groups[0][5]}

    async def evict(self, client_id: str | None = None) -> None:
        """Take out a killed member, or all: as the broker does when a session of 15 s has ended."""
        for member, whose in (await self.members()).items():
            if client_id in (None, whose):
                await self.leave(member)

    async def leave(self, member: str) -> None:
        """Take out the member of this id."""
        async with asyncio.timeout(ASK_TIMEOUT_S):
            await self._admin._send_request_to_node(BROKER, LeaveGroupRequest(self._name, member))

    async def ends(self) -> dict[TopicPartition, int]:
        """The log's end by partition."""
        async with asyncio.timeout(ASK_TIMEOUT_S):
            return dict(await self._consumer.end_offsets(self.partitions))

    async def committed(self) -> dict[TopicPartition, int]:
        """The group's committed offset by partition; 0 for none."""
        async with asyncio.timeout(ASK_TIMEOUT_S):
            found = await self._admin.list_consumer_group_offsets(self._name, BROKER)
        return {tp: max(0, found[tp].offset) if tp in found else 0 for tp in self.partitions}

    async def lag(self) -> int:
        """Records that are not committed yet."""
        ends, committed = await self.ends(), await self.committed()
        return sum(end - committed[tp] for tp, end in ends.items())

    async def end_of(self, topic: str) -> int:
        """Where a topic of one partition ends."""
        partition = TopicPartition(topic, 0)
        async with asyncio.timeout(ASK_TIMEOUT_S):
            return int((await self._consumer.end_offsets([partition]))[partition])

    async def read(self, topic: str, first: int, count: int) -> list[Any]:
        """So many records of a topic of one partition, from `first` on."""
        partition, found = TopicPartition(topic, 0), list[Any]()
        self._consumer.assign([partition])
        self._consumer.seek(partition, first)
        async with asyncio.timeout(ASK_TIMEOUT_S):
            while len(found) < count:
                for records in (await self._consumer.getmany(timeout_ms=500)).values():
                    found += records
        self._consumer.assign(self.partitions)
        return found[:count]

    async def forget(self) -> None:
        """Delete the group and its offsets; it must have no members."""
        async with asyncio.timeout(ASK_TIMEOUT_S):
            answer = await self._admin._send_request_to_node(
                BROKER, DeleteGroupsRequest([self._name])
            )
        assert all(not code for _, code in answer.results), answer

    async def delete_below(self, offsets: dict[TopicPartition, int]) -> None:
        """Delete the log's records below these offsets, as retention would."""
        async with asyncio.timeout(ASK_TIMEOUT_S):
            await self._admin.delete_records(
                {tp: RecordsToDelete(before_offset=offset) for tp, offset in offsets.items()}
            )

    async def retain(self, retention_ms: int) -> None:
        """Set how long the log keeps a record."""
        wanted = {"retention.ms": str(retention_ms)}
        async with asyncio.timeout(ASK_TIMEOUT_S):
            await self._admin.alter_configs(
                [ConfigResource(ConfigResourceType.TOPIC, self._topic, wanted)]
            )

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Set the group's offsets; it must have no members."""
        async with asyncio.timeout(ASK_TIMEOUT_S):
            await self._consumer.commit(offsets)


@contextlib.asynccontextmanager
async def group(
    kafka: str, name: str = MATERIALIZE_GROUP, topic: str = EVENTS
) -> AsyncIterator[Group]:
    """The group on the broker at `kafka`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=name, enable_auto_commit=False)
    async with asyncio.timeout(ASK_TIMEOUT_S):
        await admin.start()
        await consumer.start()
        await consumer._client.set_topics([topic])  # and waits for what the broker knows of it
    try:
        yield Group(name, topic, admin, consumer)
    finally:
        await consumer.stop()
        await admin.close()
