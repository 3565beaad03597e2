"""One topic of the cluster: who leads it as a healthy broker says, and all that it holds."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from tests.cluster.brokers import DEADLINE_S, NODES, Brokers

POLL_S = 0.1


class Partition(NamedTuple):
    """Its leader, -1 for none, and the nodes whose replica is in sync."""

    leader: int
    in_sync: list[int]


class Topic:
    """`partitions` of them, with a replica on each broker."""

    def __init__(self, brokers: Brokers, name: str) -> None:
        self._brokers = brokers
        self.name = name

    @classmethod
    async def create(cls, brokers: Brokers, partitions: int) -> "Topic":
        """A new one, when the cluster has come up."""
        topic = cls(brokers, f"cluster-{uuid.uuid4().hex[:8]}")
        await until(topic._created(partitions))
        await until(topic.whole)
        return topic

    def _created(self, partitions: int) -> Callable[[], Awaitable[bool]]:
        async def create() -> bool:
            try:
                answer = await self._admin(
                    lambda admin: admin.create_topics([NewTopic(self.name, partitions, len(NODES))])
                )
            except (KafkaError, OSError):
                return False  # not all are up
            return not any(code for _, code, *_ in answer.topic_errors)

        return create

    async def grow(self, partitions: int) -> None:
        """Have so many partitions from now on."""
        grown = {self.name: NewPartitions(partitions)}
        await self._admin(lambda admin: admin.create_partitions(grown))

    async def partitions(self) -> dict[int, Partition]:
        """By number, as the broker says that has been well for longest."""
        arguments = self._brokers.connection().client_args()
        del arguments["bootstrap_servers"]
        host, port = next(each.address for each in self._brokers.healthy()).split(":")
        connection = await create_conn(host, int(port), **arguments)
        try:
            answer = await connection.send(MetadataRequest([self.name], False))
        finally:
            await connection.close()
        ((_, _, _, found),) = answer.topics
        return {number: Partition(leader, in_sync) for _, number, leader, _, in_sync, *_ in found}

    async def whole(self) -> bool:
        """Every partition has all its replicas in sync; fails when a broker ended by itself."""
        for broker in self._brokers.by_node.values():
            broker.require_alive()
        try:
            found = await self.partitions()
        except (KafkaError, OSError):
            return False
        return bool(found) and all(len(each.in_sync) == len(NODES) for each in found.values())

    async def leader(self) -> int:
        """Who leads most."""
        leaders = Counter(each.leader for each in (await self.partitions()).values())
        return leaders.most_common(1)[0][0]

    async def led_by_others(self, node: int) -> bool:
        """Every partition has a leader, and it is not `node`."""
        return all(each.leader not in (node, -1) for each in (await self.partitions()).values())

    async def ids(self) -> Counter[str]:
        """How often each id is in the log; the id is the record's value."""
        consumer = AIOKafkaConsumer(**self._brokers.connection().client_args())
        await consumer.start()
        try:
            parts = [TopicPartition(self.name, number) for number in await self.partitions()]
            consumer.assign(parts)
            await consumer.seek_to_beginning()
            ends, found = await consumer.end_offsets(parts), Counter[str]()
            async with asyncio.timeout(DEADLINE_S):
                while any([await consumer.position(part) < ends[part] for part in parts]):
                    for records in (await consumer.getmany(timeout_ms=1000)).values():
                        found.update(record.value.decode() for record in records)
            return found
        finally:
            await consumer.stop()

    async def _admin(self, do: Callable[[AIOKafkaAdminClient], Awaitable[Any]]) -> Any:
        admin = AIOKafkaAdminClient(**self._brokers.connection().client_args())
        try:
            await admin.start()
            return await do(admin)
        finally:
            await admin.close()


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = DEADLINE_S) -> None:
    """Poll `condition` until it holds."""
    async with asyncio.timeout(within_s):
        while not await condition():
            await asyncio.sleep(POLL_S)
