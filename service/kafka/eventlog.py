"""Append records to Kafka topics and know that they are durable: acks=all, idempotent.

`EventLog` keeps one producer and its queues; a producer that failed is replaced, not repaired. While
there is none, `append` refuses at once and `ready` is false.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Iterator, Sequence

from aiokafka.errors import KafkaError

from contracts.encoding.recordbatch import Record
from service.connections import KafkaConnection
from service.kafka.first_ids import FirstIds
from service.kafka.outages import Outages
from service.kafka.partition import PartitionQueue, QueueLimits, Unaccepted, Unacknowledged
from service.kafka.producer import Producer

log = logging.getLogger(__name__)

RECONNECT_S = 1.0
DRAIN_S = 5.0


class EventLog:
    """The topics of one cluster, to append to. Start and stop it on the loop that uses it."""

    def __init__(
        self, connection: KafkaConnection, topics: Sequence[str], limits: QueueLimits
    ) -> None:
        self._connection = connection
        self._topics = topics
        self._limits = limits
        self._queues: dict[str, list[PartitionQueue]] = {}
        self._producer: Producer | None = None
        self._first_ids = FirstIds()
        self._known: list[tuple[str, int]] = []
        self._outages = Outages(log)
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """A broker answers, and most partitions take records: a few are no reason to go away.

        A topic that was made anew is one: who takes it for the old one has to be told.
        """
        queues = list(self._all_queues())
        reachable = self._producer is not None and self._producer.reachable
        return (
            reachable
            and not self.made_anew
            and 2 * sum(queue.stalled for queue in queues) < len(queues)
        )

    @property
    def made_anew(self) -> list[str]:
        """Topics that were deleted and made anew since `start`: nothing is appended to them."""
        return sorted(self._first_ids.made_anew)

    @property
    def stalled_partitions(self) -> list[tuple[str, int]]:
        """Topic and number of the partitions that take no records; while disconnected all that were known."""
        if not self._queues:
            return self._known
        return [tuple(queue.partition) for queue in self._all_queues() if queue.stalled]

    def partition_of(self, topic: str, key_hash: int) -> int:
        """Which partition gets a record with this hash of its key now; 0 without a connection."""
        queues = self._queues.get(topic)
        return key_hash % len(queues) if queues else 0

    def append(self, topic: str, record: Record) -> asyncio.Future[int]:
        """A future of the record's offset once it is durable; raises as `PartitionQueue.append` does."""
        queues = self._queues.get(topic)
        if not queues:
            raise Unaccepted(self._first_ids.refusal(topic))
        return queues[record.key_hash % len(queues)].append((record,), record.size_bytes)

    def append_together(self, topic: str, records: Sequence[Record]) -> asyncio.Future[int]:
        """The same for a few records of the first one's partition, in order; the offset of the last."""
        queues = self._queues.get(topic)
        if not queues:
            raise Unaccepted("there is no connection to Kafka")
        queue = queues[records[0].key_hash % len(queues)]
        return queue.append(records, sum(record.size_bytes for record in records))

    async def append_all(self, topic: str, records: Sequence[Record]) -> list[Exception | None]:
        """Append `records`; when Kafka has answered for all, what each failed with, None for durable ones."""
        failures: list[Exception | None] = [None] * len(records)
        queues = self._queues.get(topic)
        if not queues:
            return [Unaccepted(self._first_ids.refusal(topic)) for _ in records]
        indexes: dict[int, list[int]] = {}
        for index, record in enumerate(records):
            indexes.setdefault(record.key_hash % len(queues), []).append(index)
        appended = [
            (found, _appended(queues[number], [records[index] for index in found]))
            for number, found in indexes.items()
        ]
        for found, future in appended:
            try:
                await future  # its queue keeps the deadline
            except (Unaccepted, Unacknowledged) as error:
                for index in found:
                    failures[index] = error
        return failures

    async def start(self) -> None:
        """Begin connecting, and keep doing so in the background."""
        self._task = asyncio.create_task(self._keep_connected(), name="eventlog")

    async def stop(self) -> None:
        """Send what waits, within a bound, and disconnect."""
        if self._task is not None:
            await self._drain()
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=3 * DRAIN_S)

    async def _keep_connected(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._connection.request_timeout_s):
                    producer = await Producer.connect(
                        self._connection, self._topics, self._limits, self._first_ids
                    )
                await self._serve(producer)
            except* (KafkaError, TimeoutError, OSError) as errors:
                for error in errors.exceptions:
                    self._outages.failed(["connection to Kafka"], error)
            await asyncio.sleep(RECONNECT_S)

    async def _serve(self, producer: Producer) -> None:
        self._producer, self._queues = producer, producer.queues
        log.info("connected to Kafka")
        self._outages.over(["connection to Kafka"])
        try:
            await producer.run()
        finally:
            self._known = [tuple(queue.partition) for queue in self._all_queues()]
            self._producer, self._queues = None, {}
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    await producer.close()

    async def _drain(self) -> None:
        """Wait until Kafka has what was appended, for at most `DRAIN_S`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while not all(queue.idle for queue in self._all_queues()):
                    await asyncio.sleep(self._limits.linger_s)

    def _all_queues(self) -> Iterator[PartitionQueue]:
        return itertools.chain.from_iterable(self._queues.values())


def _appended(queue: PartitionQueue, records: Sequence[Record]) -> asyncio.Future[int]:
    """`PartitionQueue.append`, with a refusal in the future."""
    try:
        return queue.append(records, sum(record.size_bytes for record in records))
    except Unaccepted as error:
        refused: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        refused.set_exception(error)
        return refused
