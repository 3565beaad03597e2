"""Step: events become messages in the queues of the subscriptions that accept them.

Every subscription that a client was told of before it posted an event is known here when the event
is routed: the step first reads the subscriptions topic to its present end. A subscription whose
queue fails falls behind, alone: `parked.py` keeps from where, `retry.py` serves it until it has
caught up, and the batch goes on. A delivery that a queue refuses for good, or that cannot be made,
is kept on `deliveries.dead` with its cause. After a crash a batch may be sent twice: standard queues
are at least once, FIFO queues drop the repeat by its deduplication id.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from contracts.deliveries import Delivery, delivery
from contracts.encoding.wire import Undecodable, decode_event, decode_tenant
from contracts.filters import Failure, View
from contracts.subscription_table import Subscriptions
from contracts.subscriptions import Subscription
from processors.consume.step import LogRecord, Reject, Transient
from processors.deliver.deliver import Deliver
from processors.deliver.outcomes import Outcome
from processors.deliver.parked import Parked, Place
from service.kafka.follow import SubscriptionsFollower

log = logging.getLogger(__name__)

CATCH_UP_TIMEOUT_S = 5.0

Key = tuple[str, str]
"""Tenant and subscription."""


class Planned(NamedTuple):
    """What one subscription is to get, in the order of the log, and what could not be made of it."""

    subscription: Subscription
    deliveries: list[Delivery]
    unmade: list[Outcome]


class Route:
    """The step."""

    def __init__(self, follower: SubscriptionsFollower, deliver: Deliver, parked: Parked) -> None:
        self._follower = follower
        self._deliver = deliver
        self._parked = parked
        # of the batch in hand, by subscription
        self._settled: defaultdict[Key, set[tuple[int, int]]] = defaultdict(set)

    def assigned(self, partitions: Collection[int]) -> None:
        """Nothing is remembered across assignments."""
        self._settled.clear()
        self._parked.assigned(partitions)

    async def __call__(self, records: Sequence[LogRecord]) -> list[Reject]:
        """Deliver `records`. Rejects nothing: what is no event the materializer parks."""
        if not await self._follower.catch_up(CATCH_UP_TIMEOUT_S):
            raise Transient("the subscriptions cannot be read from Kafka")
        if not await self._parked.is_known(CATCH_UP_TIMEOUT_S):
            raise Transient("who is behind cannot be read from Kafka")
        plan = plan_of(self._follower.table, records, self._parked.behind)
        self._parked.take(records)  # with no await since the plan: who is behind gets them apart
        results = await asyncio.gather(
            *(self._serve(key, planned) for key, planned in plan.items()), return_exceptions=True
        )
        for failure in results:
            if isinstance(failure, BaseException):
                raise failure
        await self._parked.save()
        self._settled.clear()
        return []

    async def _serve(self, key: Key, planned: Planned) -> None:
        """Send; the subscription falls behind where its queue fails. Raises `Transient`."""
        settled, generation = self._settled[key], self._parked.generation
        for outcome in planned.unmade:
            if outcome.delivery.position not in settled:
                await self._deliver.park(key, planned.subscription, outcome)
                settled.add(outcome.delivery.position)
        left = await self._deliver(key, planned.subscription, planned.deliveries, settled)
        if generation != self._parked.generation:
            return  # whoever has the partitions now reads these records again
        for partition, offset in reversed([each.delivery.position for each in left]):
            # in the end to the first of each
            self._parked.move(Place(*key, partition), offset, settled)


def plan_of(
    table: Subscriptions, records: Iterable[LogRecord], behind: Collection[Place] = ()
) -> dict[Key, Planned]:
    """The deliveries of `records` by subscription, without the places in `behind`."""
    plan: dict[Key, Planned] = {}
    for record in records:
        try:
            tenant = decode_tenant(record.headers)
            if not table.has(tenant):
                continue
            event = decode_event(record.value)
        except Undecodable:  # or a tombstone: what was delivered stays where it is
            continue
        view = View(event)
        for found in table.matching(tenant, view):
            name = found.subscription_id if isinstance(found, Failure) else found
            if Place(tenant, name, record.partition) in behind:
                continue
            if (planned := plan.get((tenant, name))) is None:
                subscription = table.get(tenant, name)
                if subscription is None:
                    continue
                planned = plan[tenant, name] = Planned(subscription, [], [])
            cause = found.cause if isinstance(found, Failure) else None
            _plan(planned, tenant, view, record, cause)
    return plan


def _plan(
    planned: Planned, tenant: str, view: View, record: LogRecord, cause: Exception | None
) -> None:
    """Add the delivery to the plan; what cannot be told, or made, is parked with its cause."""
    position, value = (record.partition, record.offset), record.value or b""
    name, headers = planned.subscription.id, record.headers
    try:
        if cause is not None:
            raise cause
        fairness = planned.subscription.delivery.fairness
        planned.deliveries.append(
            delivery(tenant, view.event, value, name, position, headers=headers, fairness=fairness)
        )
    except Exception as error:
        log.exception("nothing can be made for subscription %s of %s", name, tenant)
        bare = Delivery(value.decode(errors="replace"), {"tenant": tenant}, "", position)
        planned.unmade.append(Outcome(bare, "never", message=repr(error)))
