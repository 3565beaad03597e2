"""Serves the subscriptions that are behind, from the log, until they have caught up.

    place -> its events from `events` -> its queue -> the place moves, or waits: 1 s, doubled, with jitter
                                                   -> an event that was owed too long is given up

Waiting burns nothing: an event is owed since it was posted, or since the place fell behind if that was
later, and given up when that was too long ago. A few places at a time, each with a pause of its own, so
that a queue that hangs holds up the others that are behind for seconds, and nobody else at all.
"""

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from contracts.subscriptions import Subscription
from contracts.topics import DELIVERIES_RETRY, EVENTS, ROUTE_GROUP
from processors.consume.replay import Log
from processors.consume.step import LogRecord, Transient
from processors.deliver.deliver import CALLS_AT_ONCE, Deliver
from processors.deliver.outcomes import Outcome
from processors.deliver.parked import Parked, Place, read_place
from processors.deliver.route import CATCH_UP_TIMEOUT_S, plan_of
from service.kafka.follow import SubscriptionsFollower

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
PLACES_AT_ONCE = 8
RECORDS_MAX = 500


class Patience(NamedTuple):
    """Longest pause between two tries, and how long an event is owed, in s."""

    pause_max_s: float
    owed_max_s: float


class Retry:
    """The work beside the router's step; `log_of` makes a connection to Kafka."""

    def __init__(
        self,
        parked: Parked,
        follower: SubscriptionsFollower,
        deliver: Deliver,
        log_of: Callable[[], Log],
        patience: Patience,
    ) -> None:
        self._parked = parked
        self._follower = follower
        self._deliver = deliver
        self._log_of = log_of
        self._patience = patience
        self._reading = asyncio.Lock()  # the connection reads one partition at a time
        self._pauses: dict[Place, float] = {}
        self._due_s: dict[Place, float] = {}

    async def run(self) -> None:
        """Serve until cancelled; while Kafka fails, try again."""
        while True:
            source = self._log_of()
            try:
                await source.start()
                while True:
                    await self._round(source)
            except Transient as error:
                log.warning("who is behind waits: %s", error)
            finally:
                await source.stop()
            await asyncio.sleep(FIRST_PAUSE_S)

    async def _round(self, source: Log) -> None:
        """What is due, or wait for it."""
        self._parked.moved.clear()
        if not self._parked.known:
            await self._learn(source)
        self._due_s = {place: self._due_s.get(place, 0.0) for place in self._parked.behind}
        now_s = time.monotonic()
        due = sorted((at_s, place) for place, at_s in self._due_s.items() if at_s <= now_s)
        places = [place for _, place in due[:PLACES_AT_ONCE]]
        if not places:
            wait_s = min(self._due_s.values(), default=math.inf) - now_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wait_s == math.inf else wait_s):
                    await self._parked.moved.wait()
            return
        if not await self._follower.catch_up(CATCH_UP_TIMEOUT_S):
            raise Transient("the subscriptions cannot be read from Kafka")
        bounds = await source.bounds(EVENTS)
        turns = (self._turn(source, place, bounds[place.partition][0]) for place in places)
        results = await asyncio.gather(*turns, return_exceptions=True)
        await self._parked.save()
        for failure in results:
            if isinstance(failure, BaseException):
                raise failure

    async def _learn(self, source: Log) -> None:
        """Read who is behind in our partitions."""
        generation, behind = self._parked.generation, dict[Place, tuple[int, int]]()
        if not self._parked.partitions:
            return
        for number, (first, end) in (await source.bounds(DELIVERIES_RETRY)).items():
            async for batch in source.read(DELIVERIES_RETRY, number, first, end, RECORDS_MAX):
                for record in batch:
                    _apply(behind, record)
        routed = await source.committed(ROUTE_GROUP)
        if generation == self._parked.generation:
            self._parked.learn(behind, routed)
            self._pauses.clear()

    async def _turn(self, source: Log, place: Place, kept_from: int) -> None:
        """Serve one place some of what it lacks."""
        subscription = self._follower.table.get(place.tenant, place.subscription_id)
        offset, routed = self._parked.behind.get(place), self._parked.routed.get(place.partition)
        if offset is None:
            return
        if subscription is None or not subscription.active or offset == routed:
            self._parked.forget(place)
            self._pauses.pop(place, None)
            log.info("subscription %s of %s is not behind any more", *place[1::-1])
            return
        if routed is None or offset > routed:  # its router reads again what it had in hand
            self._wait(place)
            return
        if offset < kept_from:
            log.error("%d records left Kafka before %s was served", kept_from - offset, place)
        generation, settled = self._parked.generation, self._parked.settled[place]
        records, next_offset = await self._read(source, place, max(offset, kept_from), routed)
        planned = plan_of(self._follower.table, records).get(place[:2])
        left: Sequence[Outcome] = []
        if planned is not None:
            for outcome in planned.unmade:
                if outcome.delivery.position not in settled:
                    await self._deliver.park(place[:2], subscription, outcome)
                    settled.add(outcome.delivery.position)
            # one that has failed is tried with a single call: it holds up others for no longer
            calls = 1 if place in self._pauses else CALLS_AT_ONCE
            left = await self._deliver(place[:2], subscription, planned.deliveries, settled, calls)
            if generation == self._parked.generation:
                left = await self._give_up(place, subscription, left, records)
        if generation != self._parked.generation:
            return
        reached = left[0].delivery.position[1] if left else next_offset
        self._parked.move(place, reached, settled)
        if left and reached == offset:
            self._wait(place)
        elif not left:
            self._pauses.pop(place, None)

    async def _give_up(
        self,
        place: Place,
        subscription: Subscription,
        left: Sequence[Outcome],
        records: Sequence[LogRecord],
    ) -> Sequence[Outcome]:
        """Park what has been owed too long; what is left then.

        A queue that is throttled or slow has that of it which was tried, one that takes nothing all.
        """
        owed_max_s = self._patience.owed_max_s
        before_ms = (time.time() - owed_max_s) * 1000
        since_ms = self._parked.since_ms.get(place)
        if since_ms is None or since_ms > before_ms:
            return left
        received_ms = {record.offset: record.timestamp for record in records}
        given_up = [
            each
            for each in left
            if (each.tried or each.state == "not_now")
            and received_ms[each.delivery.position[1]] <= before_ms
        ]
        for each in given_up:
            why = f"not taken for {owed_max_s:g} s"
            await self._deliver.park(place[:2], subscription, each, why)
            self._parked.settled[place].add(each.delivery.position)
        return [each for each in left if each not in given_up]

    def _wait(self, place: Place) -> None:
        pause_s = self._pauses.get(place, FIRST_PAUSE_S)
        self._pauses[place] = min(2 * pause_s, self._patience.pause_max_s)
        # full jitter: who fell behind together does not come back together
        self._due_s[place] = time.monotonic() + random.uniform(0, pause_s)  # noqa: S311

    async def _read(
        self, source: Log, place: Place, first: int, end: int
    ) -> tuple[list[LogRecord], int]:
        """Some records from `first` on, before `end`, and the offset to go on at."""
        if first >= end:
            return [], end
        async with self._reading:
            batches = source.read(EVENTS, place.partition, first, end, RECORDS_MAX)
            async with contextlib.aclosing(batches):
                async for batch in batches:
                    return batch, batch[-1].offset + 1
        return [], end


def _apply(behind: dict[Place, tuple[int, int]], record: LogRecord) -> None:
    try:
        place, offset = read_place(record)
    except ValueError as error:
        log.error("%s at %d is passed over: %s", DELIVERIES_RETRY, record.offset, error)
        return
    if offset is None:
        behind.pop(place, None)
    else:
        behind[place] = offset
