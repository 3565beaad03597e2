"""Append records to Kafka topics and know that they are durable: acks=all, idempotent.

`EventLog` keeps one producer and its lanes; a producer that failed is replaced, not repaired. While
there is none, `append` refuses at once and `ready` is false.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.connections import KafkaConnection
from contracts.topics import RECORD_BYTES_MAX
from contracts.wire import Record, partition_of
from service.lane import Lane, LaneLimits, Unaccepted

log = logging.getLogger(__name__)

RECONNECT_S = 1.0
DRAIN_S = 5.0


class EventLog:
    """The topics of one cluster, to append to. Start and stop it on the loop that uses it."""

    def __init__(
        self, connection: KafkaConnection, topics: Sequence[str], limits: LaneLimits
    ) -> None:
        self._connection = connection
        self._topics = topics
        self._limits = limits
        self._lanes: dict[str, list[Lane]] = {}
        self._broken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether an append has a chance now: connected, and no lane stalled."""
        return bool(self._lanes) and not any(
            lane.stalled for lanes in self._lanes.values() for lane in lanes
        )

    def append(self, topic: str, record: Record) -> asyncio.Future[int]:
        """A future of the record's offset once it is durable; see `Lane.append` for what is raised."""
        lanes = self._lanes.get(topic)
        if not lanes:
            raise Unaccepted("there is no connection to Kafka")
        return lanes[partition_of(record.key, len(lanes))].append(record)

    async def start(self) -> None:
        """Begin connecting, and keep doing so in the background."""
        self._task = asyncio.create_task(self._keep_connected(), name="eventlog")

    async def stop(self) -> None:
        """Send what waits, within a bound, and disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=3 * DRAIN_S)

    async def _keep_connected(self) -> None:
        while True:
            producer = AIOKafkaProducer(
                acks="all",
                enable_idempotence=True,
                max_batch_size=512 * 1024,
                max_request_size=2 * RECORD_BYTES_MAX,
                metadata_max_age_ms=60_000,
                **self._connection.client_args(),
            )
            try:
                await self._serve(producer)
            except (KafkaError, TimeoutError, OSError) as error:
                log.warning("no connection to Kafka, trying again: %s", error)
            finally:
                await self._discard(producer)
            await asyncio.sleep(RECONNECT_S)

    async def _serve(self, producer: AIOKafkaProducer) -> None:
        async with asyncio.timeout(3 * self._connection.request_timeout_s):
            await producer.start()
            partitions = {topic: await producer.partitions_for(topic) for topic in self._topics}
        self._broken.clear()
        self._lanes = {
            topic: [
                Lane(producer, topic, number, self._limits, self._broken.set)
                for number in sorted(numbers)
            ]
            for topic, numbers in partitions.items()
        }
        log.info("connected to Kafka")
        await self._broken.wait()  # no deadline: as long as the producer is whole
        log.error("the producer failed and is replaced")

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        lanes = [lane for lanes in self._lanes.values() for lane in lanes]
        self._lanes = {}
        drain_s = 0 if self._broken.is_set() else DRAIN_S
        await asyncio.gather(*(lane.close(drain_s) for lane in lanes))
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await producer.stop()
