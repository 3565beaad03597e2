"""One partition's queue to Kafka: records that arrive while a batch is under way form the next one.

A lane cuts its own batches and has one under way at a time, so that many waiting requests cost one
produce request and never wake each other (aiokafka issue 528). Every future it hands out is done
within the deadline. While a batch stays unacknowledged the lane is stalled and refuses new records,
because what aiokafka has taken it keeps and sends when the broker is back.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.wire import Record


class Unacknowledged(Exception):
    """Kafka did not confirm the record in time; whether it has it is unknown."""


class Unaccepted(Exception):
    """The record was not handed to Kafka: no connection, stalled, or too much waits already."""


class LaneLimits(NamedTuple):
    """`waiting_bytes` bounds what waits in one lane, `ack_s` how long anything waits for Kafka.

    A busy lane cuts its batches on ticks of a clock that all lanes share, `tick_s` apart, so that
    one produce request carries them all: its cost is fixed, whatever it carries.
    """

    waiting_bytes: int
    ack_s: float
    tick_s: float = 0.004


class Lane:
    """Appends to one partition in the order of `append` calls."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        partition: int,
        limits: LaneLimits,
        broken: Callable[[], None],
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._limits = limits
        self._broken = broken
        self._waiting: deque[tuple[Record, asyncio.Future[int]]] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._cut_s = 0.0
        self.stalled = False
        self._task = asyncio.create_task(self._run(), name=f"lane {topic}-{partition}")

    def append(self, record: Record) -> asyncio.Future[int]:
        """A future of the record's offset once all in-sync replicas have it.

        Raises `Unaccepted` at once; the future raises `Unacknowledged`, at the latest after `ack_s`.
        """
        if self.stalled:
            raise Unaccepted("Kafka does not acknowledge at the moment")
        size = len(record.value or b"")
        if self._waiting_bytes + size > self._limits.waiting_bytes and self._waiting:
            raise Unaccepted(f"{self._waiting_bytes:,} bytes wait for Kafka already")
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, future))
        self._waiting_bytes += size
        self._wake.set()
        return future

    async def close(self, drain_s: float) -> None:
        """Send what waits for at most `drain_s`, then fail the rest."""
        if self._waiting and not self.stalled and drain_s > 0:
            await asyncio.wait({future for _, future in self._waiting}, timeout=drain_s)
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=1)
        self._fail_waiting(Unacknowledged("the producer was closed"))

    async def _run(self) -> None:
        while True:
            await self._wake.wait()  # no deadline: an idle lane waits for its next record
            self._wake.clear()
            while self._waiting:
                await self._next_tick()
                await self._send(self._cut())

    async def _next_tick(self) -> None:
        """Wait for the tick after the last cut; a lane that has been idle for one does not wait."""
        loop, tick_s = asyncio.get_running_loop(), self._limits.tick_s
        due_s = (self._cut_s // tick_s + 1) * tick_s
        if (pause_s := due_s - loop.time()) > 0:
            await asyncio.sleep(pause_s)
        self._cut_s = loop.time()

    def _cut(self) -> list[tuple[Record, asyncio.Future[int]]]:
        """Move as many waiting records as fit into one batch of the producer."""
        self._batch = self._producer.create_batch()
        append, waiting, cut = self._batch.append, self._waiting, []
        while waiting:
            key, value, headers, timestamp_ms = waiting[0][0]
            if append(timestamp=timestamp_ms, key=key, value=value, headers=headers) is None:
                break
            cut.append(waiting.popleft())
            self._waiting_bytes -= len(value or b"")
        self._batch.close()
        return cut

    async def _send(self, cut: list[tuple[Record, asyncio.Future[int]]]) -> None:
        futures = [future for _, future in cut]
        try:
            async with asyncio.timeout(self._limits.ack_s):
                delivered = await self._producer.send_batch(
                    self._batch, self._topic, partition=self._partition
                )
        except (KafkaError, TimeoutError) as error:
            # the producer did not take the batch (no metadata, closed): the next record tries anew
            _fail(futures, Unacknowledged(f"Kafka did not take the batch: {error!r}"))
            return
        await asyncio.wait({delivered}, timeout=self._limits.ack_s)
        if not delivered.done():
            await self._stall(delivered, futures)
        self._settle(delivered, futures)

    async def _stall(
        self, delivered: asyncio.Future[object], futures: list[asyncio.Future[int]]
    ) -> None:
        self.stalled = True
        late = Unacknowledged(f"Kafka did not acknowledge within {self._limits.ack_s:g} s")
        _fail(futures, late)
        self._fail_waiting(late)
        await asyncio.wait({delivered})  # nobody waits for it: aiokafka retries until it knows
        self.stalled = False

    def _settle(
        self, delivered: asyncio.Future[object], futures: list[asyncio.Future[int]]
    ) -> None:
        error = delivered.exception()
        if error is not None:
            # after one failed batch an idempotent producer may fail for ever (aiokafka issue 1017)
            _fail(futures, Unacknowledged(f"Kafka refused the batch: {error!r}"))
            self._broken()
            return
        offset: int = delivered.result().offset  # type: ignore[attr-defined]  # RecordMetadata
        for index, future in enumerate(futures):
            if not future.done():
                future.set_result(offset + index)

    def _fail_waiting(self, error: Exception) -> None:
        _fail([future for _, future in self._waiting], error)
        self._waiting.clear()
        self._waiting_bytes = 0


def _fail(futures: list[asyncio.Future[int]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
