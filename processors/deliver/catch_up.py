"""A turn of a lane that is behind in a partition: what it lacks is read again from the log and sent.

What could not be sent is told as stragglers, or begins the next turn. Given up is what was owed too
long; cancelled what its subscription no longer wants; lost what has left Kafka. The ledger has it all.
Who is disabled or paused keeps its place.
"""

import logging
import time
from collections.abc import Sequence

from contracts.deliveries import Delivery
from contracts.subscriptions import Subscription
from processors.consume.step import LogRecord
from processors.deliver.dead_letters import DeadLetters
from processors.deliver.deliver import NOTHING, Deliver
from processors.deliver.firsts import Firsts
from processors.deliver.lane import Lane, Position
from processors.deliver.leave import Leave
from processors.deliver.ledger import Ledger
from processors.deliver.lifecycle import Lifecycle
from processors.deliver.outcomes import Outcome
from processors.deliver.place import STRAGGLERS_MAX, Behind, Place, behind
from processors.deliver.places import Places
from processors.deliver.plan import Planned, plans
from processors.deliver.ranges import Ranges
from processors.deliver.reader import Reader
from processors.deliver.stops import Stops
from processors.deliver.windows import Windows
from service.kafka.follow import SubscriptionsFollower

log = logging.getLogger(__name__)


class CatchUp:
    """Takes turns; the caller holds the lane's lock. `retry_for_s` is how long an event is owed."""

    def __init__(
        self,
        places: Places,
        follower: SubscriptionsFollower,
        deliver: Deliver,
        dead: DeadLetters,
        ledger: Ledger,
        reader: Reader,
        windows: Windows,
        firsts: Firsts,
        lifecycle: Lifecycle,
        stops: Stops,
        retry_for_s: float,
    ) -> None:
        self._stops = stops
        self._places = places
        self._follower = follower
        self._deliver = deliver
        self._dead = dead
        self._ledger = ledger
        self._ranges = Ranges(ledger, places)
        self._leave = Leave(places, ledger, self._ranges)
        self._reader = reader
        self._windows = windows
        self._firsts = firsts
        self._lifecycle = lifecycle
        self._retry_for_s = retry_for_s

    async def __call__(self, lane: Lane, place: Place) -> bool:
        """Serve the place some of what it lacks; whether it got on. Raises `Transient`."""
        generation, lane.overdue = self._places.generation, False
        self._stops.look()
        now, routed = self._places.behind.get(place), self._places.routed.get(place.partition)
        if now is None or routed is None or now.next_offset > routed:
            return False  # its router reads again what it had in hand
        began = now
        subscription = self._follower.table.get(*place.lane)
        if subscription is not None and subscription.stopped:
            return await self._leave.hold(lane, place, now, routed)
        if subscription is None or not subscription.active:
            why = "its queue is not confirmed" if subscription else "deleted"
            await self._leave.cancel(lane, place, now, routed, why)
            self._stops.keep(lane.key)  # it may have been stopped while that was told
            return False
        if now.skip_to:
            return await self._leave.skip(lane, place, now)
        self._ranges.behind(lane, place, now.first, routed)
        if now.next_offset == routed and not now.stragglers:
            if lane.quick:
                await self._lifecycle.recovered(lane, subscription)
                if self._is_as_before(place, subscription, routed):
                    self._leave.forget(lane, place)
            await self._ledger.flush(lane)
            return False
        kept_from, _ = await self._reader.bounds(place.partition)
        if now.first < kept_from:
            now = Behind(
                max(now.next_offset, kept_from),
                {each: tries for each, tries in now.stragglers.items() if each >= kept_from},
                now.since_ms,
            )
        records, end, unread = await self._read(lane, place, now, routed)
        planned = self._plan(place, subscription, records)
        if self._follower.table.get(*place.lane) != subscription:
            return True  # stopped or changed while the log was read: matched by another table
        if began.first < kept_from:
            self._ranges.lost(lane, place, began.first, kept_from)
        self._drop(lane, place, now, planned, unread)
        failures = lane.breaker.failures
        left = await self._send(lane, subscription, planned, records, now)
        if lane.breaker.failures > failures:
            await self._lifecycle.failed(lane, subscription)
        await self._ledger.flush(lane)
        if generation != self._places.generation:
            return False
        if self._places.behind.get(place) is not began:
            return True  # stopped meanwhile, or told to skip: what was settled is remembered
        offsets = sorted([each.delivery.position[1] for each in left] + unread)
        attempts = {**now.stragglers, **lane.attempts_in(place.partition)}
        after = behind(offsets, end, attempts, lane.failure)
        self._places.put(place, after)
        self._places.drop(lane, place.partition, after.first)
        return after[:2] != now[:2] and len(offsets) < len(planned.deliveries) + len(unread)

    async def _read(
        self, lane: Lane, place: Place, now: Behind, routed: int
    ) -> tuple[list[LogRecord], int, list[int]]:
        """Stragglers and what comes next: records, the offset after them, stragglers not read."""
        for offset, tries in now.stragglers.items():
            lane.attempts.setdefault((place.partition, offset), tries)
        records, reached = await self._reader.single(place.partition, now.stragglers)
        unread = [each for each in now.stragglers if each >= reached]
        if unread or len(now.stragglers) >= STRAGGLERS_MAX:
            return records, now.next_offset, unread
        more, end = await self._windows.of(place, now.next_offset, routed)
        return records + more, end, unread

    def _plan(
        self, place: Place, subscription: Subscription, records: Sequence[LogRecord]
    ) -> Planned:
        planned = Planned(subscription, [], [])
        for plan in plans(lambda: self._follower.table, records, self._firsts, only=place.lane):
            if (some := plan.of.get(place.lane)) is not None:
                planned.deliveries.extend(some.deliveries)
                planned.unmade.extend(some.unmade)
        return planned

    async def _send(
        self,
        lane: Lane,
        subscription: Subscription,
        planned: Planned,
        records: Sequence[LogRecord],
        now: Behind,
    ) -> list[Outcome]:
        """Send what is planned; what is left, without what is given up."""
        left = await self._dead(lane, subscription, planned.unmade)
        todo = [each for each in planned.deliveries if each.position not in lane.settled]
        waiting: list[Outcome] = []
        if lane.breaker.failing and todo:
            waiting = await self._probe(lane, subscription, todo)
        if not waiting:
            waiting = await self._deliver(lane, subscription, todo, apart=True)
        return left + await self._overdue(lane, subscription, waiting, records, now)

    async def _probe(
        self, lane: Lane, subscription: Subscription, todo: Sequence[Delivery]
    ) -> list[Outcome]:
        """Half open: one message is tried, alone, when it is time. If it is not taken, all wait."""
        tried: dict[Position, Outcome] = {}
        if not lane.breaker.wait_s():
            probe = probe_of(todo, subscription, lane)
            answers = await self._deliver(lane, subscription, [probe], apart=True)
            if not answers:
                return []
            tried = {each.delivery.position: each for each in answers}
        why = (lane.breaker.why or Outcome(NOTHING, "again"))._replace(tried=False, message_id="")
        return [tried.get(each.position) or why._replace(delivery=each) for each in todo]

    async def _overdue(
        self,
        lane: Lane,
        subscription: Subscription,
        waiting: Sequence[Outcome],
        records: Sequence[LogRecord],
        now: Behind,
    ) -> list[Outcome]:
        """Give up what has been owed too long; what is left then.

        A queue that takes some has that of it which was tried, one that takes nothing all.
        """
        owed_s = subscription.delivery.retry_for_s or self._retry_for_s
        before_ms = (time.time() - owed_s) * 1000
        if now.since_ms > before_ms:
            return [*waiting]
        old = {each.offset for each in records if each.timestamp <= before_ms}
        given_up = [
            each
            for each in waiting
            if each.delivery.position[1] in old and (each.tried or lane.breaker.failing)
        ]
        await self._lifecycle.exhausted(lane, subscription, given_up, now.since_ms)
        exhausted = f"not taken for {owed_s:g} s"
        await self._dead(lane, subscription, given_up, exhausted)
        lane.overdue = any(each.delivery.position in lane.settled for each in given_up)
        return [each for each in waiting if each.delivery.position not in lane.settled]

    def _drop(
        self, lane: Lane, place: Place, now: Behind, planned: Planned, unread: Sequence[int]
    ) -> None:
        """Stragglers that are not to be delivered any more: erased, or the filter is another one."""
        here = {each.position[1] for each in planned.deliveries}
        here |= {each.delivery.position[1] for each in planned.unmade}
        for offset in now.stragglers.keys() - here - set(unread):
            self._ranges.cancelled(lane, place, offset, offset + 1, "erased, or no longer accepted")

    def _is_as_before(self, place: Place, subscription: Subscription, routed: int) -> bool:
        """Whether nothing was left to it meanwhile, and nobody has stopped it."""
        now = self._follower.table.get(*place.lane)
        return self._places.routed.get(place.partition) == routed and now == subscription


def probe_of(todo: Sequence[Delivery], subscription: Subscription, lane: Lane) -> Delivery:
    """Another one each time: a single message that fails for ever must not stand for its queue."""
    firsts = list(todo)
    if subscription.destination.is_fifo:  # the first of each entity
        firsts = list({each.entity: each for each in reversed(todo)}.values())
    return firsts[lane.breaker.failures % len(firsts)]
