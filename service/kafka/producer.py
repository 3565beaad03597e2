"""An idempotent producer: one Produce request per broker whenever the linger ends.

It carries the batches of all queues that the broker leads. A partition that could not be written is
tried again with the same bytes, whoever leads it by then; an error after which sequence numbers are
no longer certain ends the producer, and its owner makes a new one (aiokafka's own may stay broken:
issue 1017). A broker that is silent holds up the queues that it leads, until another leads them.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Self

from aiokafka import TopicPartition
from aiokafka.errors import (
    DuplicateSequenceNumber,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.transaction import InitProducerIdRequest

from contracts.encoding.compression import Codec, codec
from contracts.encoding.recordbatch import EncodedBatch
from service.connections import KafkaConnection
from service.kafka.cluster import NO_LEADER, Cluster
from service.kafka.first_ids import FirstIds
from service.kafka.linger import Linger
from service.kafka.links import Links
from service.kafka.outages import Outages
from service.kafka.partition import PartitionQueue, QueueLimits
from service.kafka.produce import Ack, Acks

log = logging.getLogger(__name__)

RETRY_S = 0.1
STALLED_RETRY_S = 1.0
"""When nobody waits any longer: a batch has up to 512 KiB."""
LOOK_S = 0.5
TURN_BYTES_MAX = 1024 * 1024  # to compress them holds the loop for about 1 ms
NO_ANSWER = Ack(-1, -1)  # UNKNOWN_SERVER_ERROR


class Producer:
    """Sends what its queues hold; made by `connect`, closed by its owner."""

    def __init__(
        self, cluster: Cluster, limits: QueueLimits, replicas_ms: int, codec: Codec | None
    ) -> None:
        self._cluster = cluster
        self._limits = limits
        self._replicas_ms = replicas_ms
        self._codec = codec  # one for all queues: they share a thread
        self._loop = asyncio.get_running_loop()
        self._producer_id, self._epoch = -1, -1
        self._due: list[PartitionQueue] = []
        self._linger = Linger(limits.linger_s, self._send_due)
        self._links = Links(cluster, self._add, self._failed)
        self._outages = Outages(log)
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self.queues: dict[str, list[PartitionQueue]] = {}

    @classmethod
    async def connect(
        cls,
        connection: KafkaConnection,
        topics: Sequence[str],
        limits: QueueLimits,
        first_ids: FirstIds,
    ) -> Self:
        """A producer with a queue per partition of `topics`, except of one that was made anew.

        Raises `KafkaError`, `OSError` or `TimeoutError`.
        """
        cluster = Cluster(connection, topics, first_ids)
        shared = codec(connection.compression, connection.compression_bytes_min)
        producer = cls(cluster, limits, connection.replicas_ms, shared)
        try:
            await producer._start()
        except BaseException:  # a cancelled start must not leave its connections either
            await cluster.close()
            raise
        return producer

    async def _start(self) -> None:
        cluster = self._cluster
        await cluster.refresh()
        for topic in cluster.topics:
            if not cluster.partitions(topic):
                raise UnknownTopicOrPartitionError(f"the topic {topic} is not there")
        self._grow()
        made = await cluster.ask(InitProducerIdRequest(None, -1))
        if made.error_code:
            raise for_code(made.error_code)("no producer id")
        self._producer_id, self._epoch = made.producer_id, made.producer_epoch

    def _grow(self) -> None:
        """A queue for each partition that is new; from then on keys go where the larger number says."""
        for topic in self._cluster.topics:
            if topic in self._cluster.first_ids.made_anew:
                continue
            queues = self.queues.setdefault(topic, [])
            known, now = len(queues), self._cluster.partitions(topic)
            if known and now > known:
                log.info("%s has %d partitions now, before %d", topic, now, known)
            queues += [
                PartitionQueue(
                    TopicPartition(topic, number),
                    self._limits,
                    self._add,
                    self._linger,
                    self._codec,
                )
                for number in range(known, now)
            ]

    @property
    def reachable(self) -> bool:
        """Whether any broker answers."""
        return self._cluster.answers

    async def run(self) -> None:
        """Return when a topic was made anew. Raises `KafkaError` when the producer has to end."""
        keeping = asyncio.create_task(self._cluster.keep(self._learned), name="cluster")
        ends: set[asyncio.Future[None]] = {self._ended, keeping}
        try:
            while not (ended := [each for each in ends if each.done()]):
                self._look()
                await asyncio.wait(ends, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            ended[0].result()
        finally:
            keeping.cancel()

    def _look(self) -> None:
        """Ask who leads what while a broker keeps its queues waiting."""
        if self._links.slow:
            self._cluster.outdated()

    def _learned(self) -> None:
        if self._cluster.first_ids.made_anew & self.queues.keys() and not self._ended.done():
            self._ended.set_result(None)  # sequence numbers, and what waits, are of the old one
        self._grow()
        self._links.learned()

    async def close(self) -> None:
        """Disconnect; what is not acknowledged fails."""
        self._ended.cancel()
        for queue in [each for queues in self.queues.values() for each in queues]:
            queue.fail("the producer was closed")
        try:
            await self._links.close()
        finally:  # also when its owner is ended meanwhile
            await self._cluster.close()

    def _add(self, *queues: PartitionQueue) -> None:
        """Send what `queues` hold, after the linger."""
        self._due += queues
        self._linger.begin()

    def _send_due(self) -> None:
        due = self._take_due()
        if self._ended.done():
            return
        led: dict[int | None, list[PartitionQueue]] = {}
        leader_of = self._cluster.leaders.get
        for queue in due:
            led.setdefault(leader_of(queue.partition), []).append(queue)
        for node, queues in led.items():
            self._send(node, queues)
        self._linger.waits(self._waiting)
        if self._due:
            self._loop.call_soon(self._send_due)

    def _take_due(self) -> list[PartitionQueue]:
        """The queues to cut in this turn of the loop: those that are left have the next one."""
        size_bytes = count = 0
        for queue in self._due:
            count += 1
            size_bytes += queue.cut_bytes
            if size_bytes >= TURN_BYTES_MAX:
                break
        due, self._due = self._due[:count], self._due[count:]
        return due

    @property
    def _waiting(self) -> int:
        return sum([queue.waiting for queues in self.queues.values() for queue in queues])

    def _send(self, node: int | None, queues: list[PartitionQueue]) -> None:
        batches: dict[str, list[tuple[int, EncodedBatch]]] = {}
        for queue in queues:
            batch = queue.cut(self._producer_id, self._epoch)  # its deadline runs from here
            topic, number = queue.partition
            batches.setdefault(topic, []).append((number, batch.data))
        if node is None or node == NO_LEADER:
            self._retry(queues, LeaderNotAvailableError())
            return
        connection = self._links.connections.get(node)
        if connection is None or not connection.usable:
            self._open(node, queues)
            return
        answer = connection.produce(batches, self._replicas_ms)
        answer.add_done_callback(partial(self._answered, node, queues))

    def _answered(
        self, node: int, queues: list[PartitionQueue], answer: asyncio.Future[Acks]
    ) -> None:
        if (error := answer.exception()) is not None:
            self._failed(queues, error, node)
            return
        acks, answered = answer.result(), 0
        for queue in queues:
            ack = acks.get(queue.partition, NO_ANSWER)
            error_class = for_code(ack.error)
            if error_class in (NoError, DuplicateSequenceNumber):
                answered += queue.acknowledge(ack.offset)
            else:
                self._failed([queue], error_class(f"{queue.partition}"), node)
        if self._outages:
            self._outages.over(str(queue) for queue in queues if queue.batch is None)
        self._linger.waits(self._waiting, answered)

    def _open(self, node: int, queues: list[PartitionQueue]) -> None:
        """Have `queues` sent when there is a connection to `node`."""
        address = self._cluster.brokers.get(node)
        if address is None:
            self._retry(queues, LeaderNotAvailableError(f"the leader {node} is no known broker"))
        else:
            self._links.open(node, address, queues)

    def _failed(self, queues: list[PartitionQueue], error: BaseException, node: int) -> None:
        """Try again what may succeed then; any other error ends the producer."""
        if self._ended.done():
            return
        if isinstance(error, OSError | TimeoutError) or (
            isinstance(error, KafkaError) and error.retriable
        ):
            self._retry(queues, error, f"broker {node}")
        else:
            self._ended.set_exception(error)

    def _retry(self, queues: Sequence[PartitionQueue], error: BaseException, by: str = "") -> None:
        """Have the queues' batches sent again, to whoever leads their partitions by then."""
        self._outages.failed(map(str, queues), error, by)
        self._cluster.outdated()
        pause_s = STALLED_RETRY_S if all(queue.stalled for queue in queues) else RETRY_S
        self._loop.call_later(pause_s, self._add, *queues)
