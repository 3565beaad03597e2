"""An idempotent producer: one Produce request per broker whenever the linger ends.

It carries the batches of all lanes that the broker leads. A partition that could not be written is
tried again with the same bytes; an error after which sequence numbers are no longer certain ends
the producer, and its owner makes a new one (aiokafka's own may stay broken: issue 1017). Who leads
what is aiokafka's client to know.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Self

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

from contracts.compression import Codec, codec
from contracts.connections import KafkaConnection
from contracts.recordbatch import EncodedBatch
from service.broker import BrokerConnection
from service.lane import Lane, LaneLimits
from service.linger import Linger
from service.produce import Ack, Acks

log = logging.getLogger(__name__)

METADATA_MAX_AGE_S = 60
RETRY_S = 0.1
TURN_BYTES_MAX = 1024 * 1024  # to compress them holds the loop for about 1 ms
NO_ANSWER = Ack(-1, -1)  # UNKNOWN_SERVER_ERROR


class Producer:
    """Sends what its lanes hold; made by `connect`, closed by its owner."""

    def __init__(
        self,
        client: AIOKafkaClient,
        arguments: dict[str, Any],
        limits: LaneLimits,
        codec: Codec | None = None,
    ) -> None:
        self._client = client
        self._arguments = arguments
        self._limits = limits
        self._codec = codec  # one for all lanes: they share a thread
        self._loop = asyncio.get_running_loop()
        self._producer_id, self._epoch = -1, -1
        self._due: list[Lane] = []
        self._linger = Linger(limits.linger_s, self._send_due)
        self._connections: dict[int, BrokerConnection] = {}
        self._opening: dict[int, tuple[asyncio.Task[BrokerConnection], list[Lane]]] = {}
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self.lanes: dict[str, list[Lane]] = {}

    @classmethod
    async def connect(
        cls, connection: KafkaConnection, topics: Sequence[str], limits: LaneLimits
    ) -> Self:
        """A producer with a lane per partition of `topics`. Raises `KafkaError` or `OSError`."""
        arguments = connection.client_args()
        client = AIOKafkaClient(metadata_max_age_ms=METADATA_MAX_AGE_S * 1000, **arguments)
        del arguments["bootstrap_servers"]
        producer = cls(
            client,
            arguments,
            limits,
            codec(connection.compression, connection.compression_bytes_min),
        )
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
                Lane(
                    TopicPartition(topic, number),
                    self._limits,
                    self._add,
                    self._linger,
                    self._codec,
                )
                for number in sorted(partitions)
            ]
        made = await client.send(client.get_random_node(), InitProducerIdRequest(None, -1))
        if made.error_code:
            raise for_code(made.error_code)("no producer id")
        self._producer_id, self._epoch = made.producer_id, made.producer_epoch

    async def run(self) -> None:
        """Return never. Raises `KafkaError` when the producer has to end."""
        await self._ended

    async def close(self) -> None:
        """Disconnect; what is not acknowledged fails."""
        self._ended.cancel()
        for lanes in self.lanes.values():
            for lane in lanes:
                lane.fail("the producer was closed")
        opening = [task for task, _ in self._opening.values()]
        for task in opening:
            task.cancel()
        for connection in self._connections.values():
            connection.close()
        closing: list[asyncio.Future[Any]] = [*opening]
        closing += (connection.closed for connection in self._connections.values())
        if closing:
            await asyncio.wait(closing)
        await self._client.close()

    def _add(self, *lanes: Lane) -> None:
        """Send what `lanes` hold, after the linger."""
        self._due += lanes
        self._linger.begin()

    def _send_due(self) -> None:
        due = self._take_due()
        if self._ended.done():
            return
        led: dict[int | None, list[Lane]] = {}
        leader_of = self._client.cluster.leader_for_partition
        for lane in due:
            led.setdefault(leader_of(lane.partition), []).append(lane)
        for node, lanes in led.items():
            self._send(node, lanes)
        self._linger.waits(self._waiting)
        if self._due:
            self._loop.call_soon(self._send_due)

    def _take_due(self) -> list[Lane]:
        """The lanes to cut in this turn of the loop: those that are left have the next one."""
        size_bytes = count = 0
        for lane in self._due:
            count += 1
            size_bytes += lane.cut_bytes
            if size_bytes >= TURN_BYTES_MAX:
                break
        due, self._due = self._due[:count], self._due[count:]
        return due

    @property
    def _waiting(self) -> int:
        return sum([lane.waiting for lanes in self.lanes.values() for lane in lanes])

    def _send(self, node: int | None, lanes: list[Lane]) -> None:
        batches: dict[str, list[tuple[int, EncodedBatch]]] = {}
        for lane in lanes:
            batch = lane.cut(self._producer_id, self._epoch)  # its deadline runs from here
            topic, number = lane.partition
            batches.setdefault(topic, []).append((number, batch.data))
        if node is None or node == -1:
            self._retry(lanes, "there is no leader")
            return
        connection = self._connections.get(node)
        if connection is None or not connection.usable:
            self._open(node, lanes)
            return
        answer = connection.produce(batches, round(self._limits.ack_s * 1000))
        answer.add_done_callback(partial(self._answered, lanes))

    def _answered(self, lanes: list[Lane], answer: asyncio.Future[Acks]) -> None:
        if (error := answer.exception()) is not None:
            self._failed(lanes, error)
            return
        acks, answered = answer.result(), 0
        for lane in lanes:
            ack = acks.get(lane.partition, NO_ANSWER)
            error_class = for_code(ack.error)
            if error_class in (NoError, DuplicateSequenceNumber):
                answered += lane.settle(ack.offset)
            else:
                self._failed([lane], error_class(f"{lane.partition}"))
        self._linger.waits(self._waiting, answered)

    def _open(self, node: int, lanes: list[Lane]) -> None:
        """Have `lanes` sent when there is a connection to `node`."""
        if node in self._opening:
            self._opening[node][1].extend(lanes)
            return
        broker = self._client.cluster.broker_metadata(node)
        if broker is None:
            self._retry(lanes, f"the leader {node} is no known broker")
            return
        opening = BrokerConnection.open(broker.host, broker.port, self._arguments)
        task = asyncio.create_task(opening, name=f"connect to broker {node}")
        self._opening[node] = task, lanes
        task.add_done_callback(partial(self._opened, node))

    def _opened(self, node: int, task: asyncio.Task[BrokerConnection]) -> None:
        _, lanes = self._opening.pop(node)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            self._failed(lanes, error)
        elif self._ended.done():
            task.result().close()
        else:
            self._connections[node] = task.result()
            self._add(*lanes)

    def _failed(self, lanes: list[Lane], error: BaseException) -> None:
        """Try again what may succeed then; any other error ends the producer."""
        if self._ended.done():
            return
        if isinstance(error, OSError | TimeoutError) or (
            isinstance(error, KafkaError) and error.retriable
        ):
            self._retry(lanes, repr(error))
        else:
            self._ended.set_exception(error)

    def _retry(self, lanes: Iterable[Lane], reason: str) -> None:
        """Have the lanes' batches sent again, to whoever leads their partitions by then."""
        for lane in lanes:
            topic, number = lane.partition
            log.warning("%s-%d: %s; trying again", topic, number, reason)
        self._client.force_metadata_update()
        self._loop.call_later(RETRY_S, self._add, *lanes)
