"""Step: events become messages in the queues of the subscriptions that accept them.

Every subscription that a client was told of before it posted an event is known here when the event
is routed: the step first reads the subscriptions topic to its present end. A delivery that a queue
refuses for good is parked on `deliveries.dead` with its cause; one that failed is tried again with
the batch, without those that were sent already. After a crash a batch may be sent twice: standard
queues are at least once, FIFO queues drop the repeat by its deduplication id.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from typing import Protocol

from contracts.deliveries import Delivery, delivery
from contracts.recordbatch import encode_headers, new_record
from contracts.subscriptions import SqsDestination, Subscription
from contracts.topics import DELIVERIES_DEAD
from contracts.wire import Undecodable, decode_event, decode_tenant
from processors.outcomes import Outcome
from processors.sqs import packed
from processors.step import LogRecord, Reject, Transient
from service.eventlog import EventLog
from service.follow import SubscriptionsFollower
from service.lane import Unaccepted, Unacknowledged

log = logging.getLogger(__name__)

CATCH_UP_TIMEOUT_S = 5.0

Plan = dict[tuple[str, str], tuple[Subscription, list[Delivery]]]


class Queues(Protocol):
    """The queues as this step needs them."""

    async def send(
        self, destination: SqsDestination, deliveries: Sequence[Delivery]
    ) -> list[Outcome]:
        """Send up to ten messages in order; one outcome for each. Raises nothing of the network."""


class Route:
    """The step."""

    def __init__(self, follower: SubscriptionsFollower, queues: Queues, dead: EventLog) -> None:
        self._follower = follower
        self._queues = queues
        self._dead = dead
        self._settled: set[tuple[str, str, tuple[int, int]]] = set()  # of the batch in hand

    def assigned(self, partitions: Collection[int]) -> None:
        """Nothing is remembered across assignments."""
        self._settled.clear()

    async def __call__(self, records: Sequence[LogRecord]) -> list[Reject]:
        """Deliver `records`. Rejects nothing: what is no event the materializer parks."""
        if not await self._follower.catch_up(CATCH_UP_TIMEOUT_S):
            raise Transient("the subscriptions cannot be read from Kafka")
        plan = self._plan(records)
        results = await asyncio.gather(
            *(self._deliver(key, *planned) for key, planned in plan.items()), return_exceptions=True
        )
        for failure in results:
            if isinstance(failure, BaseException):
                raise failure
        self._settled.clear()
        return []

    def _plan(self, records: Sequence[LogRecord]) -> Plan:
        """The deliveries to make by (tenant, subscription), in the order of the log."""
        plan: Plan = {}
        for record in records:
            try:
                tenant = decode_tenant(record.headers)
                if not self._follower.table.of(tenant):
                    continue
                event = decode_event(record.value)
            except Undecodable:  # or a tombstone: what was delivered stays where it is
                continue
            position = (record.partition, record.offset)
            for subscription in self._follower.table.matching(tenant, event):
                if (tenant, subscription.id, position) not in self._settled:
                    made = delivery(tenant, event, record.value or b"", subscription.id, position)
                    plan.setdefault((tenant, subscription.id), (subscription, []))[1].append(made)
        return plan

    async def _deliver(
        self, key: tuple[str, str], subscription: Subscription, deliveries: list[Delivery]
    ) -> None:
        """Send in order; stops at the first batch that failed. Raises `Transient`."""
        for batch in packed(deliveries):
            outcomes = await self._queues.send(subscription.destination, batch)
            for outcome in outcomes:
                if outcome.state == "refused":
                    await self._park(key, subscription, outcome)
                if outcome.state != "failed":
                    self._settled.add((*key, outcome.delivery.position))
            failed = [outcome for outcome in outcomes if outcome.state == "failed"]
            if failed:
                arn = subscription.destination.arn
                raise Transient(f"{len(failed)} messages for {arn}: {failed[0].reason}")

    async def _park(
        self, key: tuple[str, str], subscription: Subscription, outcome: Outcome
    ) -> None:
        """Keep what the queue refused on `deliveries.dead`. Raises `Transient` if Kafka does not."""
        log.error("%s refused a message: %s", subscription.destination.arn, outcome.reason)
        headers = [(name, text.encode()) for name, text in outcome.delivery.attributes.items()]
        headers += [
            ("reason", outcome.reason[:1000].encode()),
            ("destination", subscription.destination.arn.encode()),
        ]
        record = new_record(
            ":".join(key).encode(),
            outcome.delivery.body.encode(),
            encode_headers(headers),
            time.time_ns() // 1_000_000,
        )
        try:
            await self._dead.append(DELIVERIES_DEAD, record)
        except (Unaccepted, Unacknowledged) as error:
            raise Transient(f"{DELIVERIES_DEAD} does not take the message: {error}") from error
