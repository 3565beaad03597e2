"""Append records to Kafka topics and know that they are durable: acks=all, idempotent.

`EventLog` keeps one producer and its lanes; a producer that failed is replaced, not repaired. While
there is none, `append` refuses at once and `ready` is false.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Iterator, Sequence

from aiokafka.errors import KafkaError

from contracts.connections import KafkaConnection
from contracts.recordbatch import Record
from service.lane import Lane, LaneLimits, Unaccepted, Unacknowledged
from service.outages import Outages
from service.producer import Producer

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
        self._producer: Producer | None = None
        self._known: list[tuple[str, int]] = []
        self._outages = Outages(log)
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """A broker answers, and most partitions take records: a few are no reason to go away."""
        lanes = list(self._all_lanes())
        reachable = self._producer is not None and self._producer.reachable
        return reachable and 2 * sum(lane.stalled for lane in lanes) < len(lanes)

    @property
    def stalled_partitions(self) -> list[tuple[str, int]]:
        """Topic and number of the partitions that take no records; while disconnected all that were known."""
        if not self._lanes:
            return self._known
        return [tuple(lane.partition) for lane in self._all_lanes() if lane.stalled]

    def append(self, topic: str, record: Record) -> asyncio.Future[int]:
        """A future of the record's offset once it is durable; see `Lane.append` for what is raised."""
        lanes = self._lanes.get(topic)
        if not lanes:
            raise Unaccepted("there is no connection to Kafka")
        return lanes[record.key_hash % len(lanes)].append((record,), record.size_bytes)

    def append_together(self, topic: str, records: Sequence[Record]) -> asyncio.Future[int]:
        """The same for a few records of the first one's partition, in order; the offset of the last."""
        lanes = self._lanes.get(topic)
        if not lanes:
            raise Unaccepted("there is no connection to Kafka")
        lane = lanes[records[0].key_hash % len(lanes)]
        return lane.append(records, sum(record.size_bytes for record in records))

    async def append_all(self, topic: str, records: Sequence[Record]) -> list[Exception | None]:
        """Append `records`; when all are settled, what each failed with, None for durable ones."""
        failures: list[Exception | None] = [None] * len(records)
        lanes = self._lanes.get(topic)
        if not lanes:
            return [Unaccepted("there is no connection to Kafka") for _ in records]
        indexes: dict[int, list[int]] = {}
        for index, record in enumerate(records):
            indexes.setdefault(record.key_hash % len(lanes), []).append(index)
        appended = [
            (found, _appended(lanes[number], [records[index] for index in found]))
            for number, found in indexes.items()
        ]
        for found, future in appended:
            try:
                await future  # its lane keeps the deadline
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
                    producer = await Producer.connect(self._connection, self._topics, self._limits)
                await self._serve(producer)
            except* (KafkaError, TimeoutError, OSError) as errors:
                for error in errors.exceptions:
                    self._outages.failed(["connection to Kafka"], error)
            await asyncio.sleep(RECONNECT_S)

    async def _serve(self, producer: Producer) -> None:
        self._producer, self._lanes = producer, producer.lanes
        log.info("connected to Kafka")
        self._outages.over(["connection to Kafka"])
        try:
            await producer.run()
        finally:
            self._known = [tuple(lane.partition) for lane in self._all_lanes()]
            self._producer, self._lanes = None, {}
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    await producer.close()

    async def _drain(self) -> None:
        """Wait until Kafka has what was appended, for at most `DRAIN_S`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while not all(lane.idle for lane in self._all_lanes()):
                    await asyncio.sleep(self._limits.linger_s)

    def _all_lanes(self) -> Iterator[Lane]:
        return itertools.chain.from_iterable(self._lanes.values())


def _appended(lane: Lane, records: Sequence[Record]) -> asyncio.Future[int]:
    """`Lane.append`, with a refusal in the future."""
    try:
        return lane.append(records, sum(record.size_bytes for record in records))
    except Unaccepted as error:
        refused: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        refused.set_exception(error)
        return refused
