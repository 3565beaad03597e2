"""How long Kafka still keeps what a group has not handled: the measure that warns before a loss.

An observer of its own (`service/kafka/backlog.py`) looks at the log every few seconds, beside the
consumer that does the work and at no cost to it.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import EVENTS
from service.connections import KafkaConnection
from service.kafka.backlog import (
    Backlog,
    backlogs,
    observing,
    retention_of,
    seconds_until_loss,
)

log = logging.getLogger(__name__)

LOOK_S = 5.0
LOOK_TIMEOUT_S = 15.0
FIRST_LOOK_S = 0.5
RETENTION_AGE_S = 60.0


class TimeLeft:
    """Backlogs by partition of a topic, and its retention, as last seen; all of it ages by itself.

    `partitions` gives those that are ours at the moment.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        group: str,
        partitions: Callable[[], Collection[TopicPartition]],
        topic: str = EVENTS,
    ) -> None:
        self.group = group
        self.backlogs: dict[int, Backlog] = {}
        self.retention_ms: int | None = None
        self._connection = connection
        self._partitions = partitions
        self._topic = topic
        self._seen_s = -math.inf

    @property
    def fresh(self) -> bool:
        """Whether Kafka answered lately."""
        return time.monotonic() - self._seen_s < LOOK_S + LOOK_TIMEOUT_S

    @property
    def known(self) -> bool:
        """Whether how long there is left is known of every partition that is ours."""
        ours = {partition.partition for partition in self._partitions()}
        return self.retention_ms is not None and ours <= self.backlogs.keys()

    def seconds(self) -> dict[int, float]:
        """Seconds until a loss by partition, now; nothing while the retention is not known."""
        if self.retention_ms is None:
            return {}
        now_ms, retention_ms = time.time_ns() // 1_000_000, self.retention_ms
        return {
            number: seconds_until_loss(backlog, retention_ms, now_ms)
            for number, backlog in self.backlogs.items()
        }

    async def follow(self) -> None:
        """Look again and again, until cancelled; what was seen stays while Kafka is away."""
        while True:
            try:
                async with observing(self._connection, self.group) as observer:
                    await self._look_on(observer)
            except (KafkaError, TimeoutError, OSError) as error:
                log.warning("the log's retention cannot be watched, trying again: %r", error)
                await asyncio.sleep(LOOK_S)

    async def _look_on(self, observer: AIOKafkaConsumer) -> None:
        # until others are ours: aiokafka's coordination fails when an assignment is replaced while it
        # looks for its node
        asked_s = -math.inf
        while observer.assignment() in (set(), set(self._partitions())):
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                if time.monotonic() - asked_s > RETENTION_AGE_S:
                    await self._ask_retention()
                    asked_s = time.monotonic()
                self.backlogs = await backlogs(observer, self._partitions(), self.backlogs)
            self._seen_s = time.monotonic()
            await asyncio.sleep(LOOK_S if self.backlogs else FIRST_LOOK_S)

    async def _ask_retention(self) -> None:
        try:
            self.retention_ms = await retention_of(self._topic, self._connection)
        except KafkaError as error:  # not the right to ask, for one: the backlogs are still known
            log.warning("the retention of %s is not known: %r", self._topic, error)
