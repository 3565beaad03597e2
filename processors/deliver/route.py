"""Step: events become messages in the queues of the subscriptions that accept them.

Every subscription that a client was told of before it posted an event is known here when the event
is routed: the step first reads the subscriptions topic to its present end. Each subscription has a
lane. A lane whose queue fails, or keeps silent for longer than it is used to, falls behind, alone:
`places.py` keeps from where, `lanes.py` serves it until it has caught up, and the batch goes on. A
delivery that a queue refuses for good, or that cannot be made, is kept on `deliveries.dead` with its
cause. After a crash a batch may be sent twice: standard queues are at least once, FIFO queues drop the
repeat by its deduplication id.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence

from processors.consume.step import LogRecord, Reject, Transient
from processors.deliver.firsts import Firsts
from processors.deliver.lane import Key
from processors.deliver.lanes import Lanes
from processors.deliver.places import CATCH_UP_TIMEOUT_S, Places
from processors.deliver.plan import Plan, plans
from processors.deliver.stops import Stops
from service.kafka.follow import SubscriptionsFollower

LOOK_S = 0.05
SPILL_S = 1.0
"""However well the lanes get on, a batch is not held for longer."""


class Route:
    """The step."""

    def __init__(
        self,
        follower: SubscriptionsFollower,
        places: Places,
        lanes: Lanes,
        firsts: Firsts,
        stops: Stops,
    ) -> None:
        self._stops = stops
        self._follower = follower
        self._firsts = firsts
        self._places = places
        self._lanes = lanes

    def assigned(self, partitions: Collection[int]) -> None:
        """Nothing is remembered across assignments."""
        self._lanes.assigned(partitions)

    async def revoked(self) -> None:
        """Let what is under way come to its end: another process will go on from there."""
        await self._lanes.rest()

    async def __call__(self, records: Sequence[LogRecord]) -> list[Reject]:
        """Deliver `records`. Rejects nothing: what is no event the materializer parks."""
        if not await self._follower.catch_up(CATCH_UP_TIMEOUT_S):
            raise Transient("the subscriptions cannot be read from Kafka")
        if not await self._places.is_known(CATCH_UP_TIMEOUT_S):
            raise Transient("who is behind cannot be read from Kafka")
        places = self._places
        places.in_hand = {each.partition: each.offset for each in reversed(records)}
        places.matching = dict(places.in_hand)
        self._stops.look(again=any(places.routed.get(n) != at for n, at in places.matching.items()))
        served: set[Key] = set()
        try:
            for plan in plans(lambda: self._follower.table, records, self._firsts, places.behind):
                # with no await since the plan was made: who is behind gets them apart
                places.take(plan.ends)
                served |= plan.of.keys()
                await self._deliver(plan)
                self._stops.look()  # before the next is planned
            await places.save()
        except BaseException:  # who is stopped before the next try stays before all of it
            places.failed(served)
            raise
        self._lanes.done()
        return []

    async def _deliver(self, plan: Plan) -> None:
        """Return when each lane has settled its part, or is behind. Raises `Transient`."""
        if not plan.of:
            return
        serving = {}
        for key, planned in plan.of.items():
            if self._lanes.is_behind(key):  # in another partition: one pace for all of them
                self._lanes.spill(key, planned, plan.ends)
            else:
                serving[self._lanes.begin(key, planned, plan.ends)] = key, planned
        late = await self._late({task: key for task, (key, _) in serving.items()})
        for task in late:
            key, planned = serving[task]
            self._lanes.spill(key, planned, plan.ends, task)
        await self._places.save()
        failures = [each.exception() for each in serving if each not in late]
        for failure in filter(None, failures):
            raise failure

    async def _late(self, serving: Mapping[asyncio.Task[None], Key]) -> set[asyncio.Task[None]]:
        """Wait for the lanes as long as one of them gets on; those that are not done then."""
        started_s, pending = time.monotonic(), {*serving}
        while pending:
            _, pending = await asyncio.wait(pending, timeout=LOOK_S)
            if time.monotonic() > started_s + SPILL_S:
                break
            if all(self._lanes.of(serving[task]).is_stuck(started_s) for task in pending):
                break
        return pending
