"""Refuses to skip: records that left Kafka before their group had handled them end the process.

Kafka deletes by age, whoever has read or not. A consumer that resets to `earliest` would go on
behind the gap and say nothing, so ours resets to nothing: its group begins here and is checked here,
at every assignment and whenever the broker calls an offset out of range.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    CorruptRecordException,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)

from processors.consume.step import Halt

log = logging.getLogger(__name__)

HOLD_TIMEOUT_S = 10.0
"""No heartbeat is sent while partitions are being assigned, and a session ends after 15 s."""
CONFIRM_S = 4.0
"""A broker that has just become the leader may not know the log's end yet."""
PAUSE_S = 0.5


class RecordsLost(Halt):
    """A committed offset lies outside the log; the message names each partition and the way on."""


class Place(NamedTuple):
    """Where a group stands in a partition; `committed` is None for a group that is new there.

    Kafka has the offsets from `start` up to `end`, which is the next to be written.
    """

    partition: TopicPartition
    committed: int | None
    start: int
    end: int

    @property
    def outside(self) -> bool:
        """Whether the next record to handle is no longer in the log, or never was."""
        return self.committed is not None and not self.start <= self.committed <= self.end

    def __str__(self) -> str:
        name = f"{self.partition.topic}-{self.partition.partition}: "
        if self.committed is None:
            return f"{name}first in Kafka {self.start}"
        if self.committed > self.end:
            fate = f"past the log's end {self.end}"
        else:
            fate = f"{self.start - self.committed} records lost"
        return f"{name}committed {self.committed}, first in Kafka {self.start}, {fate}"


class Guard:
    """Holds `group` to what it has committed; with `accept_loss` it goes on at the log's start."""

    def __init__(self, group: str, accept_loss: bool = False) -> None:
        self._group = group
        self._accept_loss = accept_loss
        self._holding = asyncio.Lock()

    async def hold(self, consumer: Any, partitions: Collection[TopicPartition]) -> None:
        """Put a new group at the log's start, and refuse an offset that lies outside the log.

        Raises `RecordsLost`, after which nothing is moved or committed, or `TimeoutError` when Kafka
        has not answered within `HOLD_TIMEOUT_S`.
        """
        async with self._holding:
            try:
                async with asyncio.timeout(HOLD_TIMEOUT_S):
                    await self._until_held(consumer, list(partitions))
            except TimeoutError as error:
                unsaid = f"Kafka has not said within {HOLD_TIMEOUT_S:g} s what it holds"
                raise TimeoutError(unsaid) from error

    async def _until_held(self, consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        while True:
            try:
                return await self._place(consumer, await _confirmed(consumer, partitions))
            except (CommitFailedError, IllegalStateError) as error:
                # whoever has the partitions now does the same for them
                log.info("partitions went to another process meanwhile: %s", error)
                return None
            except KafkaError as error:
                log.warning("Kafka does not say what it holds, asking again: %r", error)
            await asyncio.sleep(PAUSE_S)

    async def _place(self, consumer: Any, places: Sequence[Place]) -> None:
        lost = [place for place in places if place.outside]
        if lost and not self._accept_loss:
            raise RecordsLost(_refusal(self._group, lost))
        for place in lost:
            log.error(
                "group %s: the loss is accepted, going on at the start. %s", self._group, place
            )
        new = [place for place in places if place.committed is None]
        if new:  # or one whose offsets Kafka has forgotten, which looks the same
            level = logging.WARNING if any(place.start for place in new) else logging.INFO
            log.log(level, "group %s begins. %s", self._group, "; ".join(map(str, new)))
        moved = new + lost
        for place in moved:
            consumer.seek(place.partition, place.start)
        if moved:  # committed at once, so that a new group cannot lose its first records unseen
            await consumer.commit({place.partition: place.start for place in moved})


def _refusal(group: str, lost: Sequence[Place]) -> str:
    if any(place.committed is not None and place.committed > place.end for place in lost):
        what = "its offsets are past the log's end, so this is not the log that it has read"
        after = "for materialize, with an empty database (docs/explanation/reliability.md)"
    else:
        what = "records left Kafka before it had handled them"
        after = "when `python -m processors audit` (or `events audit`) has named them"
    return (
        f"Group {group} stops, nothing was skipped: {what}. Restore the log; or, {after}, start once"
        " with EVENTS_ACCEPT_LOSS=true to go on at the first record that Kafka has."
        f" {'; '.join(map(str, lost))}"
    )


async def _confirmed(consumer: Any, partitions: Sequence[TopicPartition]) -> list[Place]:
    """The group's places; an offset outside the log is asked for again for `CONFIRM_S`."""
    confirmed_s = time.monotonic() + CONFIRM_S
    while True:
        places = await _ask(consumer, partitions)
        if time.monotonic() > confirmed_s or not any(place.outside for place in places):
            return places
        await asyncio.sleep(PAUSE_S)


async def _ask(consumer: Any, partitions: Sequence[TopicPartition]) -> list[Place]:
    # in this order: a commit made meanwhile lies neither before the start nor past the end
    starts = await consumer.beginning_offsets(partitions)
    committed = await asyncio.gather(*(consumer.committed(each) for each in partitions))
    ends = await consumer.end_offsets(partitions)
    return [
        Place(partition, offset, starts[partition], ends[partition])
        for partition, offset in sorted(zip(partitions, committed, strict=True))
    ]


class GuardedConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # untyped base
    """A consumer that skips nothing: where it cannot go on, it answers no records.

    `hold` is called where it has no offset to read from, `fail` when a batch cannot be read: records
    of other partitions, taken by the same call, are gone with aiokafka's error.
    """

    def __init__(
        self,
        hold: Callable[[Collection[TopicPartition]], Awaitable[None]],
        fail: Callable[[Exception], None],
        *topics: str,
        **args: Any,
    ) -> None:
        super().__init__(*topics, **args)
        self._hold = hold
        self._fail = fail

    async def getmany(self, *partitions: TopicPartition, **limits: Any) -> dict[Any, Any]:
        """See `AIOKafkaConsumer`, but it waits until there are records: after none FastStream sleeps.

        FastStream would log these errors and ask again for ever.
        """
        try:
            while not (found := await super().getmany(*partitions, **limits)):
                pass  # it waited for its timeout
            return dict(found)
        except (NoOffsetForPartitionError, OffsetOutOfRangeError):
            await self._hold(self.assignment())
        except (CorruptRecordException, UnsupportedCodecError) as error:
            self._fail(error)
        return {}
