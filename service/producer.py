"""An idempotent producer over aiokafka's client: after each linger one Produce request per broker.

It carries the batches of all lanes that the broker leads. A partition that could not be written is
tried again with the same bytes; an error after which sequence numbers are no longer certain ends
the producer, and its owner makes a new one (aiokafka's own may stay broken: issue 1017).
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Self

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    DuplicateSequenceNumber,
    KafkaError,
    NoError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.transaction import InitProducerIdRequest

from contracts.connections import KafkaConnection
from service.lane import Lane, LaneLimits
from service.produce import Acks, Produce

log = logging.getLogger(__name__)

METADATA_MAX_AGE_S = 60
RETRY_S = 0.1


class Producer:
    """Sends what its lanes hold, from `run`; made by `connect`, closed by its owner."""

    def __init__(self, client: AIOKafkaClient, limits: LaneLimits) -> None:
        self._client = client
        self._limits = limits
        self._wake = asyncio.Event()
        self._producer_id, self._epoch = -1, -1
        self.lanes: dict[str, list[Lane]] = {}

    @classmethod
    async def connect(
        cls, connection: KafkaConnection, topics: Sequence[str], limits: LaneLimits
    ) -> Self:
        """A producer with a lane per partition of `topics`. Raises `KafkaError` or `OSError`."""
        client = AIOKafkaClient(
            metadata_max_age_ms=METADATA_MAX_AGE_S * 1000, **connection.client_args()
        )
        producer = cls(client, limits)
        try:
            await producer._start(topics)
        except BaseException:  # a cancelled start must not leave its connections either
            await client.close()
            raise
        return producer

    async def _start(self, topics: Sequence[str]) -> None:
        client = self._client
        await client.bootstrap()
        await client.set_topics(topics)
        for topic in topics:
            partitions = client.cluster.partitions_for_topic(topic)
            if not partitions:
                raise UnknownTopicOrPartitionError(f"the topic {topic} is not there")
            self.lanes[topic] = [
                Lane(topic, number, self._limits, self._wake.set) for number in sorted(partitions)
            ]
        made = await client.send(client.get_random_node(), InitProducerIdRequest(None, -1))
        if made.error_code:
            raise for_code(made.error_code)("no producer id")
        self._producer_id, self._epoch = made.producer_id, made.producer_epoch

    async def run(self) -> None:
        """Send until cancelled. Raises an `ExceptionGroup` of `KafkaError` when it has to end."""
        lanes = [lane for lanes in self.lanes.values() for lane in lanes]
        async with asyncio.TaskGroup() as requests:
            while True:
                await self._wake.wait()  # no deadline: idle lanes wait for their next record
                self._wake.clear()
                await asyncio.sleep(self._limits.linger_s)
                for node, led in self._by_leader([lane for lane in lanes if lane.due()]).items():
                    requests.create_task(self._send(node, led))

    async def close(self) -> None:
        """Disconnect; what is not acknowledged fails."""
        for lanes in self.lanes.values():
            for lane in lanes:
                lane.fail("the producer was closed")
        await self._client.close()

    def _by_leader(self, lanes: list[Lane]) -> dict[int, list[Lane]]:
        led = defaultdict(list)
        for lane in lanes:
            partition = TopicPartition(lane.topic, lane.partition)
            node = self._client.cluster.leader_for_partition(partition)
            lane.sending = True
            if node is None or node == -1:
                lane.cut(self._producer_id, self._epoch)  # its deadline runs from here
                self._retry(lane, "there is no leader")
            else:
                led[node].append(lane)
        return led

    async def _send(self, node: int, lanes: list[Lane]) -> None:
        by_partition = {(lane.topic, lane.partition): lane for lane in lanes}
        batches = defaultdict(list)
        for lane in lanes:
            batch = lane.cut(self._producer_id, self._epoch)
            batches[lane.topic].append((lane.partition, batch.data))
        request = Produce(batches.items(), round(self._limits.ack_s * 1000))
        try:
            answer: Acks = await self._client.send(node, request)
        except KafkaError as error:
            if not error.retriable:
                raise
            for lane in lanes:
                self._retry(lane, repr(error))
            return
        for ack in answer.acks:
            lane = by_partition.pop((ack.topic, ack.partition))
            error_class = for_code(ack.error)
            if error_class in (NoError, DuplicateSequenceNumber):
                lane.sending = False
                lane.settle(ack.offset)
            elif error_class.retriable:
                self._retry(lane, error_class.__name__)
            else:
                raise error_class(f"{ack.topic}-{ack.partition}")

    def _retry(self, lane: Lane, reason: str) -> None:
        """Have the lane's batch sent again, to whoever leads its partition by then."""
        log.warning("%s-%d: %s; trying again", lane.topic, lane.partition, reason)
        self._client.force_metadata_update()

        def again() -> None:
            lane.sending = False
            self._wake.set()

        asyncio.get_running_loop().call_later(RETRY_S, again)
