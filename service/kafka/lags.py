"""How far groups are behind a topic, as Kafka tells it: read when somebody asks, once for all who ask.

A reading serves for `AGE_S`, one that failed too; between two of them nothing is asked. Whoever asks
waits `WAIT_S` at most, and is then told what was read before, which says when that was, while it is of use.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from service.connections import KafkaConnection
from service.kafka.backlog import (
    Backlog,
    backlogs,
    observing,
    partitions_of,
    retention_of,
    seconds_until_loss,
)
from service.kafka.kept import NotTold

log = logging.getLogger(__name__)

AGE_S = 3.0
WAIT_S = 1.0
READ_TIMEOUT_S = 10.0
KEPT_S = 15.0
"""Then a reading is told no more: what it said is not how it is."""
CONNECTED_S = 60.0
"""Then partitions and retention are asked anew, over new connections."""


class Lag(NamedTuple):
    """What a group has before it: `records`, and since when the oldest waits, in ms since 1970.

    Without any `since_ms` is None and `loss_s`, the seconds until the oldest may leave Kafka, infinite.
    """

    records: int
    since_ms: int | None
    loss_s: float


class Reading(NamedTuple):
    """The lag of each group, in their order, and when it was seen, in ms since 1970."""

    seen_ms: int
    lags: list[Lag]


class Lags:
    """Reads them on the loop that uses it; `stop` it at the end."""

    def __init__(self, connection: KafkaConnection, topic: str, groups: Sequence[str]) -> None:
        self._connection = connection
        self._topic = topic
        self._groups = groups
        self._reading: asyncio.Task[None] | None = None
        self._newest: Reading | None = None
        self._read_s = self._connected_s = -math.inf
        self._open = contextlib.AsyncExitStack()
        self._observers: list[AIOKafkaConsumer] = []
        self._known: list[dict[int, Backlog]] = []
        self._partitions: list[TopicPartition] = []
        self._retention_ms = -1

    async def now(self) -> Reading:
        """The newest reading, of at most `KEPT_S` ago. Raises `NotTold`, in time."""
        if self._reading is None or (
            self._reading.done() and time.monotonic() - self._read_s > AGE_S
        ):
            self._reading = asyncio.create_task(self._read(), name="lags")
        await asyncio.wait({self._reading}, timeout=WAIT_S)
        newest = self._newest
        if newest is None or time.time_ns() // 1_000_000 - newest.seen_ms > KEPT_S * 1000:
            raise NotTold(f"Kafka does not say how far {' and '.join(self._groups)} are")
        return newest

    async def stop(self) -> None:
        """Disconnect."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading}, timeout=READ_TIMEOUT_S)
        await self._open.aclose()

    async def _read(self) -> None:
        """Have a new one, unless Kafka does not tell."""
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                if time.monotonic() - self._connected_s > CONNECTED_S:
                    await self._connect()
                self._newest = await self._look()
        except (KafkaError, TimeoutError, OSError, NotTold) as error:
            log.warning("how far the groups are cannot be read: %r", error)
            self._connected_s = -math.inf
        finally:
            self._read_s = time.monotonic()

    async def _connect(self) -> None:
        await self._open.aclose()
        observers = [
            await self._open.enter_async_context(observing(self._connection, group))
            for group in self._groups
        ]
        self._partitions = await partitions_of(self._topic, self._connection)
        if not self._partitions:
            raise NotTold(f"there is no topic {self._topic}")
        self._retention_ms = await retention_of(self._topic, self._connection)
        self._observers, self._known = observers, [{} for _ in observers]
        self._connected_s = time.monotonic()

    async def _look(self) -> Reading:
        for number, observer in enumerate(self._observers):
            found = await backlogs(observer, self._partitions, self._known[number])
            if len(found) < len(self._partitions):
                raise NotTold("the time of a record")
            self._known[number] = found
        now_ms = time.time_ns() // 1_000_000
        return Reading(now_ms, [self._lag(found, now_ms) for found in self._known])

    def _lag(self, found: dict[int, Backlog], now_ms: int) -> Lag:
        waiting = [each for each in found.values() if each.lag]
        return Lag(
            sum(each.lag for each in waiting),
            min((each.since_ms for each in waiting), default=None),
            min(
                (seconds_until_loss(each, self._retention_ms, now_ms) for each in waiting),
                default=math.inf,
            ),
        )
