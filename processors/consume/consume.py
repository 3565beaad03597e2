"""From the `events` topic through one step to a commit: the only file that knows offsets.

    batch -> step (retried while `Transient`) -> rejects parked -> offsets committed

One batch is in hand at a time. Offsets are committed explicitly, the one after the last record of
each partition, and only for an assignment that is still ours: a batch whose partitions went to
another process meanwhile is dropped, the new owner reads it again.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from contracts.topics import REJECTED
from processors.consume.loss import Guard, RecordsLost
from processors.consume.park import park
from processors.consume.step import Halt, LogRecord, Reject, Step, Transient
from service.kafka.eventlog import EventLog

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
REVOKE_TIMEOUT_S = 10.0


class Consume(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped base
    """Handles batches for one step.

    `consumer_of` gives the started consumer; `failure` is what ends the process, `failed` says that
    there is one; `batches` counts those that came, `at_work` says whether one is in hand, `joined` that
    the group has given us partitions; `handled` counts the records committed.
    """

    def __init__(self, step: Step, rejected: EventLog, backoff_max_s: float, guard: Guard) -> None:
        self.consumer_of: Callable[[], Any] = lambda: None
        self.failure: Exception | None = None
        self.failed = asyncio.Event()
        self.batches = 0
        self.at_work = False
        self.joined = False
        self.handled = 0
        self._step = step
        self._rejected = rejected
        self._backoff_max_s = backoff_max_s
        self._guard = guard
        self._assignment = 0
        self._moving = False
        self._working = asyncio.Lock()
        self._in_hand: asyncio.Task[None] | None = None

    async def handle(self, records: Sequence[LogRecord]) -> None:
        """Bring one batch to its commit, or give it back and set `failure`."""
        if self.failure is not None:
            return
        self.batches, self.at_work = self.batches + 1, True
        try:
            await self._until_done(records, self._assignment)
        except Halt as error:
            self._give_back(records)
            self.fail(error)
        except Exception as error:  # a bug, not an outage: rewind, then let the process end
            log.exception("the step failed on %s", _spans(records))
            self._give_back(records)
            self.fail(error)
        finally:
            self.at_work = False

    @property
    def consumer(self) -> Any:
        """The aiokafka consumer, None before it has started."""
        return self.consumer_of()

    def fail(self, error: Exception) -> None:
        """Take no further batch; the process ends with the first `error`."""
        self.failure = self.failure or error
        self.failed.set()

    async def hold(self, partitions: Collection[TopicPartition]) -> None:
        """End the process when records of `partitions` left Kafka before they were handled."""
        try:
            await self._guard.hold(self.consumer, partitions)
        except (RecordsLost, TimeoutError) as error:
            self.fail(error)

    async def _until_done(self, records: Sequence[LogRecord], assignment: int) -> None:
        pause_s, tries = FIRST_PAUSE_S, 0
        while assignment == self._assignment:
            try:
                async with self._working:
                    if assignment == self._assignment:
                        self._in_hand = asyncio.create_task(self._once(records))
                        await self._in_hand
                return
            except asyncio.CancelledError:
                if assignment == self._assignment:  # not dropped: the process stops
                    raise
                break
            except Transient as error:
                tries += 1
                if not tries & (tries - 1):  # the 1st, 2nd, 4th, 8th ... time
                    waits = "%s waits, tried %d times, again in %.1f s: %s"
                    log.warning(waits, _spans(records), tries, pause_s, error)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, self._backoff_max_s)
        log.warning("%s went to another process before it was done", _spans(records))

    async def _once(self, records: Sequence[LogRecord]) -> None:
        if self._moving:  # read just before the partitions went: are they to stay?
            raise Transient("its partitions are being assigned")
        ours = {partition.partition for partition in self.consumer.assignment()}
        if not ours.issuperset({record.partition for record in records}):
            log.warning("%s went to another process before it was begun", _spans(records))
            return
        rejects: list[Reject] = await self._step(records)
        if rejects:
            log.warning("%d records rejected, the first: %s", len(rejects), rejects[0].reason)
            await park(self._rejected, REJECTED, rejects)
        try:
            await asyncio.wait_for(self.consumer.commit(next_offsets(records)), REVOKE_TIMEOUT_S)
            self.handled += len(records)
        except (CommitFailedError, IllegalStateError) as error:
            log.warning("%s is done, its commit came too late: %s", _spans(records), error)
        except (KafkaError, TimeoutError) as error:
            raise Transient(f"the commit failed: {error!r}") from error

    def _give_back(self, records: Sequence[LogRecord]) -> None:
        first: dict[TopicPartition, int] = {}
        for record in records:
            first.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        for partition, offset in first.items():
            if partition in self.consumer.assignment():
                self.consumer.seek(partition, offset)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let the batch in hand reach its commit before the partitions go, within a bound.

        After that it is dropped: what it stored later, the next owner would not see and store again.
        """
        self._moving, self.joined = True, False
        try:
            await asyncio.wait_for(self._working.acquire(), REVOKE_TIMEOUT_S)
        except TimeoutError:
            self._assignment += 1
            if self._in_hand is not None:
                self._in_hand.cancel()
                await asyncio.wait({self._in_hand}, timeout=REVOKE_TIMEOUT_S)
        else:
            self._assignment += 1
            self._working.release()
        await self.rest()

    async def rest(self) -> None:
        """Have the step end what it does beside its batches, before others have the partitions."""
        try:
            await asyncio.wait_for(self._step.revoked(), REVOKE_TIMEOUT_S)
        except TimeoutError:
            log.warning("what is done beside the batches goes on while the partitions go")

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """What the step knows of these partitions is from before others had them."""
        partitions = set(assigned)
        self._moving = False
        self._step.assigned({partition.partition for partition in partitions})
        await self.hold(partitions)
        self.joined = True


def next_offsets(records: Iterable[LogRecord]) -> dict[TopicPartition, int]:
    """What to commit after `records`: per partition the offset after the last one (Kafka's rule)."""
    last = {record.partition: record for record in records}
    return {TopicPartition(each.topic, number): each.offset + 1 for number, each in last.items()}


def _spans(records: Sequence[LogRecord]) -> str:
    """`events 0:120-180 3:7-7`, for a log line."""
    spans: dict[int, list[int]] = {}
    for record in records:
        spans.setdefault(record.partition, [record.offset, 0])[1] = record.offset
    return f"{records[0].topic} " + " ".join(f"{p}:{a}-{b}" for p, (a, b) in spans.items())
