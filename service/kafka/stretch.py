"""What one partition of a topic has got since a time, read at once and not followed.

The leader is asked for the offset of that time, then for the records from there to the end, within bounds
of bytes and time. So a read costs what that partition got since, whatever the others get.
"""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaError, LeaderNotAvailableError, NoError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

from contracts.encoding.batches import Unreadable, split
from service.connections import KafkaConnection
from service.kafka.cluster import NO_LEADER, Cluster
from service.kafka.outages import Outages

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 1.0
REST_S = 1.0
"""How long a broker is left alone that has failed: whoever asks has another source."""
PLAIN_RATIO_MAX = 8
"""What a read may take decompressed, to what it may fetch."""
ANY_REPLICA, UNCOMMITTED_TOO = -1, 0


class NotRead(Exception):
    """There is no telling what the partition got; the message says why."""


class TooMuch(NotRead):
    """It got more than a read may take."""


class Record(NamedTuple):
    """A record as it was fetched; its time in ms since 1970."""

    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Stretches:
    """Reads of one topic, over connections of its own. Start and stop it on the loop that uses it."""

    def __init__(self, connection: KafkaConnection, topic: str, bytes_max: int) -> None:
        self._topic = topic
        self._bytes_max = bytes_max
        self._cluster = Cluster(connection, (topic,))
        self._connections: dict[int, asyncio.Future[AIOKafkaConnection]] = {}
        self._resting: dict[int, float] = {}  # until when, by broker
        self._outages = Outages(log)
        self._task: asyncio.Task[None] | None = None
        self.partitions = 0
        """How many the topic has, as far as is known: 0 when it was made anew since `start`."""

    async def start(self) -> None:
        """Begin to learn who leads what, and go on."""
        self._cluster.outdated()
        self._task = asyncio.create_task(self._cluster.keep(self._learned), name="stretches")

    async def stop(self) -> None:
        """Disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=READ_TIMEOUT_S)
        for node in list(self._connections):
            self._disconnect(node)
        await self._cluster.close()

    def _learned(self) -> None:
        anew = self._topic in self._cluster.first_ids.made_anew
        self.partitions = 0 if anew else self._cluster.partitions(self._topic)

    async def since(self, partition: int, time_ms: int) -> list[bytes]:
        """The batches from the first record of that time, or a later one, to the end, for `records`.

        What was acknowledged before the call is in them. Raises `NotRead` in time.
        """
        node = self._cluster.leaders.get(TopicPartition(self._topic, partition), NO_LEADER)
        if asyncio.get_running_loop().time() < self._resting.get(node, 0):
            raise NotRead("its leader does not answer")
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                connection = await self._connected(node)
                return await self._read(connection, partition, time_ms)
        except (KafkaError, OSError, TimeoutError, ValueError) as error:
            self._failed(node, error)
            raise NotRead(f"{self._topic}-{partition}: {error!r}") from error
        except Unreadable as error:
            raise NotRead(f"{self._topic}-{partition}: {error}") from error

    async def _read(self, connection: Any, partition: int, time_ms: int) -> list[bytes]:
        asked = OffsetRequest(ANY_REPLICA, UNCOMMITTED_TOO, [(self._topic, [(partition, time_ms)])])
        found = _of_partition(await connection.send(asked))
        offset, end = found[3], -1
        batches: list[bytes] = []
        room, plain = self._bytes_max, PLAIN_RATIO_MAX * self._bytes_max
        while offset >= 0 and (end < 0 or offset < end):
            if room <= 0:
                raise TooMuch(f"{self._topic}-{partition} got more than {self._bytes_max:,} bytes")
            wanted = [(self._topic, [(partition, offset, room)])]
            part = _of_partition(await connection.send(FetchRequest(0, 0, room, 0, wanted)))
            end, data = part[2], part[-1]
            room -= len(data) or room  # nothing more comes of asking again
            for next_offset, batch in split(data, plain):
                offset = next_offset
                plain -= len(batch)
                batches.append(batch)
        self._outages.over([self._topic])
        return batches

    async def _connected(self, node: int) -> AIOKafkaConnection:
        opening = self._connections.get(node)
        if opening is None or (opening.done() and not opening.result().connected()):
            address = self._cluster.brokers.get(node)
            if address is None:
                raise LeaderNotAvailableError
            opening = asyncio.ensure_future(create_conn(*address, **self._cluster.arguments))
            self._connections[node] = opening
        return await asyncio.shield(opening)

    def _failed(self, node: int, error: BaseException) -> None:
        self._outages.failed([self._topic], error, f"broker {node}")
        self._resting[node] = asyncio.get_running_loop().time() + REST_S
        self._disconnect(node)
        self._cluster.outdated()

    def _disconnect(self, node: int) -> None:
        opening = self._connections.pop(node, None)
        if opening is None:
            return
        opening.cancel()
        opening.add_done_callback(_close)


def _close(opening: asyncio.Future[AIOKafkaConnection]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _of_partition(answer: Any) -> Any:
    """The one partition that was asked for. Raises `KafkaError`."""
    [[_, [found]]] = answer.topics
    error = for_code(found[1])
    if error is not NoError:
        raise error
    return found


def records(batch: bytes) -> Iterator[Record]:
    """The records of a batch. Raises `NotRead`."""
    try:
        read = MemoryRecords(batch).next_batch()
        for each in read or ():
            yield Record(each.timestamp, each.key, each.value, each.headers)
    except (KafkaError, ValueError) as error:
        raise NotRead(f"a batch cannot be read: {error!r}") from error
