"""What became of deliveries, told: attempts on the topic `deliveries`."""

import time
from collections import Counter

from contracts.attempts import Attempt, State, encode_attempt
from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.subscriptions import Subscription
from contracts.topics import DELIVERIES
from processors.consume.step import Transient
from processors.deliver.lane import Lane
from processors.deliver.outcomes import Outcome
from service.kafka.eventlog import EventLog

MESSAGE_MAX = 1000
NO_HEADERS = encode_headers([])


class Ledger:
    """Tells; `counts` is how often each state was told by this process."""

    def __init__(self, topics: EventLog) -> None:
        self.counts: Counter[State] = Counter()
        self._topics = topics

    def note(
        self,
        lane: Lane,
        subscription: Subscription,
        state: State,
        outcome: Outcome,
        *,
        attempt: int,
        latency_ms: int = 0,
        exhausted: str = "",
    ) -> None:
        """An attempt to be told with the next `flush`."""
        delivery = outcome.delivery
        partition, offset = delivery.position
        told = Attempt(
            at=time.time_ns() // 1_000_000,
            tenant=lane.key[0],
            subscription_id=lane.key[1],
            destination=subscription.destination.arn,
            state=state,
            event_id=delivery.attributes.get("event_id", ""),
            partition=partition,
            offset=offset,
            attempt=attempt,
            origin=lane.origin,
            latency_ms=latency_ms,
            code=outcome.code,
            message=outcome.message[:MESSAGE_MAX],
            message_id=outcome.message_id,
            job_id=delivery.replay_id,
            exhausted=exhausted,
        )
        lane.unrecorded.append((delivery.entity.encode(), told))

    def note_lane(
        self,
        lane: Lane,
        state: State,
        *,
        destination: str = "",
        why: Outcome | None = None,
        partition: int = -1,
        offset: int = -1,
        until: int = -1,
        since_ms: int = 0,
        exhausted: str = "",
    ) -> None:
        """Something of the lane itself, or of a range of the log, to be told with the next `flush`."""
        told = Attempt(
            at=time.time_ns() // 1_000_000,
            tenant=lane.key[0],
            subscription_id=lane.key[1],
            destination=destination,
            state=state,
            partition=partition,
            offset=offset,
            until=until,
            since=since_ms,
            code=why.code if why else "",
            message=why.message[:MESSAGE_MAX] if why else "",
            exhausted=exhausted,
        )
        lane.unrecorded.append((lane.name, told))

    async def flush(self, lane: Lane) -> None:
        """On return Kafka has all that was noted of the lane. Raises `Transient`."""
        told = lane.unrecorded
        if not told:
            return
        records = [new_record(key, encode_attempt(each), NO_HEADERS, each.at) for key, each in told]
        failures = await self._topics.append_all(DELIVERIES, records)
        lane.unrecorded = [
            each for each, failure in zip(told, failures, strict=True) if failure is not None
        ] + lane.unrecorded[len(told) :]
        self.counts.update(
            each.state for (_, each), failure in zip(told, failures, strict=True) if failure is None
        )
        if failed := next(filter(None, failures), None):
            raise Transient(f"{DELIVERIES} does not take attempts: {failed}") from failed
