"""What becomes of a lane that fails for long: people are told, it is paused, people are told that it is over.

`Lane.told_ms` says of which failure people were told; with `Breaker.since_ms` it is kept in the lane's
places, so a restart neither forgets nor repeats it.
"""

import time
from collections.abc import Sequence

from uuid_utils import uuid7

from contracts.changes import SERVICE, change_key, change_value
from contracts.criteria import rfc_3339
from contracts.encoding.recordbatch import Record, encode_headers, new_record
from contracts.pauses import Pause, pause_key
from contracts.subscriptions import Subscription
from contracts.topics import SUBSCRIPTIONS
from processors.consume.park import keep
from processors.consume.step import Transient
from processors.deliver.announcements import Announcements, hops_from
from processors.deliver.lane import Key, Lane
from processors.deliver.ledger import MESSAGE_MAX
from processors.deliver.outcomes import Outcome
from processors.deliver.places import CATCH_UP_TIMEOUT_S, Places
from processors.deliver.reader import Reader
from service.kafka.eventlog import EventLog
from service.kafka.follow import SubscriptionsFollower


class Lifecycle:
    """Of all lanes; a subscription is paused after `pause_after_s` of nothing but failures."""

    def __init__(
        self,
        topics: EventLog,
        subscriptions: SubscriptionsFollower,
        places: Places,
        reader: Reader,
        pause_after_s: float,
    ) -> None:
        self._topics = topics
        self._subscriptions = subscriptions
        self._places = places
        self._reader = reader
        self._pause_after_s = pause_after_s
        self._announce = Announcements(topics)

    async def exhausted(
        self, lane: Lane, subscription: Subscription, given_up: Sequence[Outcome], since_ms: int
    ) -> None:
        """Tell of the first that are given up for time; once. Raises `Transient`."""
        if not given_up or lane.told_ms:
            return
        hops = hops_from(each.delivery for each in given_up)
        told_ms = lane.breaker.since_ms or since_ms
        await self._announce(lane.key[0], subscription, "exhausted", told_ms, given_up[0], hops)
        if hops == 1:
            lane.told_ms = told_ms

    async def recovered(self, lane: Lane, subscription: Subscription) -> None:
        """Tell that what was told of is over. Raises `Transient`."""
        if lane.told_ms and len(self._places.of(lane.key)) == 1:
            await self._announce(lane.key[0], subscription, "recovered", lane.told_ms)
            lane.told_ms = 0

    async def failed(self, lane: Lane, subscription: Subscription) -> None:
        """Another try was in vain: pause the subscription if it is time. Raises `Transient`."""
        since_ms, now_ms = lane.breaker.since_ms, time.time_ns() // 1_000_000
        if not since_ms or now_ms - since_ms < self._pause_after_s * 1000:
            return
        why = lane.breaker.why
        pause = Pause(
            at=rfc_3339(now_ms),
            since=rfc_3339(since_ms),
            missed_from=rfc_3339(await self._oldest_ms(lane, since_ms)),
            code=why.code if why else "",
            reason=(why.message[:MESSAGE_MAX] if why else "").encode(errors="replace").decode(),
        )
        if not await self._is_unchanged(lane, subscription):
            return
        # whatever it was tried with: who is paused is sent nothing, so no loop can come of it
        await self._announce(lane.key[0], subscription, "paused", since_ms, why)
        if not await self._is_unchanged(lane, subscription):
            return  # somebody has changed it meanwhile
        await keep(self._topics, SUBSCRIPTIONS, _records(lane.key, subscription, pause, now_ms))

    async def _is_unchanged(self, lane: Lane, subscription: Subscription) -> bool:
        """Whether it is what Kafka has by now. Raises `Transient`."""
        if not await self._subscriptions.catch_up(CATCH_UP_TIMEOUT_S):
            raise Transient("the subscriptions cannot be read from Kafka")
        return self._subscriptions.table.get(*lane.key) == subscription

    async def _oldest_ms(self, lane: Lane, since_ms: int) -> int:
        """When the first event that is not settled had been received, in our partitions."""
        oldest_ms = [since_ms]
        for place in self._places.of(lane.key):
            first = self._places.behind[place].first
            if first >= self._places.routed.get(place.partition, 0):
                continue  # it lacks nothing
            records, _ = await self._reader.window(place.partition, first, first + 1)
            oldest_ms += [each.timestamp for each in records[:1]]
        return min(oldest_ms)


def _records(key: Key, subscription: Subscription, pause: Pause, now_ms: int) -> list[Record]:
    """That it is paused, behind who says so."""
    paused, change_id = subscription.while_paused(pause).document(), str(uuid7())
    change = change_value(change_id, pause.at, SERVICE, "pause", subscription.document(), paused)
    headers = encode_headers([("ce_tenant", key[0].encode())])
    pairs = (
        (change_key(*key, change_id), change),
        (pause_key(*key), pause.model_dump_json().encode()),
    )
    return [new_record(name, value, headers, now_ms) for name, value in pairs]
