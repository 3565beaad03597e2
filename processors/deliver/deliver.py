"""From deliveries of one subscription to its queue, in order; what is refused for good is parked.

Nothing that a subscription holds stops another: where sending raises, the messages are sent one by
one, and the one that raises alone is kept on `deliveries.dead` with its cause.
"""

import asyncio
import itertools
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

from contracts.deliveries import SQS_BATCH_ENTRIES_MAX, Delivery
from contracts.destinations import SqsDestination
from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.subscriptions import Subscription
from contracts.topics import DELIVERIES_DEAD
from processors.consume.park import keep
from processors.deliver.outcomes import DENIED, Outcome
from service.kafka.eventlog import EventLog

log = logging.getLogger(__name__)

CALLS_AT_ONCE = 4
"""For one subscription; all together have `sends_max`."""
PATIENCE_S = 10.0
"""A queue that is slow falls behind as one that fails does: it is sent no more batches after this."""
NOTHING = Delivery("", {}, "", (0, 0))
OURS = (OSError, MemoryError, RuntimeError)
"""Raised for want of something here, not for what a message holds: trying again may help."""


Position = tuple[int, int]
"""Partition and offset in the log."""


def waits(outcome: Outcome) -> bool:
    """Whether the delivery is left for later; what a queue is known to deny is parked at once."""
    return outcome.state == "again" or (outcome.state == "not_now" and outcome.code not in DENIED)


def waves(
    deliveries: Sequence[Delivery], destination: SqsDestination, calls: int = CALLS_AT_ONCE
) -> Iterator[list[list[Delivery]]]:
    """`deliveries` in tens; `calls` of them, a wave, may be sent side by side, behind the wave before.

    A FIFO queue may take an entry of a batch behind one that it does not take, so an entity has one
    message in a wave there. A standard queue promises no order.
    """
    rounds: list[list[Delivery]] = [[*deliveries]]
    if destination.is_fifo:
        rounds, had = [], Counter[str]()
        for each in deliveries:
            if had[each.entity] == len(rounds):
                rounds.append([])
            rounds[had[each.entity]].append(each)
            had[each.entity] += 1
    for each_round in rounds:
        tens = range(0, len(each_round), SQS_BATCH_ENTRIES_MAX)
        batches = (each_round[at : at + SQS_BATCH_ENTRIES_MAX] for at in tens)
        while wave := list(itertools.islice(batches, calls)):
            yield wave


class Queues(Protocol):
    """The queues as the router needs them."""

    async def send(
        self, destination: SqsDestination, deliveries: Sequence[Delivery]
    ) -> list[Outcome]:
        """Send up to ten messages in order; one outcome for each.

        Raises nothing of the network.
        """


class Deliver:
    """Sends and parks."""

    def __init__(self, queues: Queues, dead: EventLog) -> None:
        self._queues = queues
        self._dead = dead

    async def __call__(
        self,
        key: tuple[str, str],
        subscription: Subscription,
        deliveries: Sequence[Delivery],
        settled: set[Position],
        calls: int = CALLS_AT_ONCE,
    ) -> list[Outcome]:
        """Send what is not `settled`, which grows, in so many calls at once.

        What is left when a batch has failed, or when it has taken `PATIENCE_S`: why, and whether it
        was tried. Raises `Transient` when Kafka does not take what was refused.
        """
        late = f"not all was sent within {PATIENCE_S:g} s"
        why = Outcome(NOTHING, "again", message=late, tried=False)
        failed: dict[Position, Outcome] = {}
        give_up_s = time.monotonic() + PATIENCE_S
        destination = subscription.destination
        todo = [each for each in deliveries if each.position not in settled]
        for batches in waves(todo, destination, calls):
            answers = await asyncio.gather(*(self._send(destination, each) for each in batches))
            outcomes = list(itertools.chain.from_iterable(answers))
            settled |= {each.delivery.position for each in outcomes if each.state == "sent"}
            for outcome in outcomes:  # after what was sent: Kafka may not take what is parked
                if outcome.state != "sent" and not waits(outcome):
                    await self.park(key, subscription, outcome)
                    settled.add(outcome.delivery.position)
            failed = {each.delivery.position: each for each in outcomes if waits(each)}
            if failed:
                why = next(iter(failed.values()))._replace(tried=False)
                log.warning("%d messages wait for %s: %s", len(failed), destination.arn, why.reason)
            if failed or time.monotonic() > give_up_s:
                break
        return [
            failed.get(each.position) or why._replace(delivery=each)
            for each in todo
            if each.position not in settled
        ]

    async def _send(
        self, destination: SqsDestination, batch: Sequence[Delivery]
    ) -> Sequence[Outcome]:
        try:
            return await self._queues.send(destination, batch)
        except Exception as error:
            if isinstance(error, OURS):
                return [Outcome(each, "again", message=repr(error)) for each in batch]
            if len(batch) == 1:
                return [Outcome(batch[0], "never", message=repr(error))]
        outcomes: list[Outcome] = []
        for each in batch:
            if outcomes and waits(outcomes[-1]):  # in order, or not at all
                outcomes.append(outcomes[-1]._replace(delivery=each, tried=False))
            else:
                outcomes += await self._send(destination, [each])
        return outcomes

    async def park(
        self,
        key: tuple[str, str],
        subscription: Subscription,
        outcome: Outcome,
        exhausted: str = "",
    ) -> None:
        """Keep what is given up on `deliveries.dead`, with the bound that is `exhausted`, if one is.

        Raises `Transient` if Kafka does not take it.
        """
        arn = subscription.destination.arn
        log.error("given up for %s: %s", arn, exhausted or outcome.reason)
        headers = [(name, text.encode()) for name, text in outcome.delivery.attributes.items()]
        headers += [
            ("reason", outcome.reason[:1000].encode(errors="replace")),
            ("destination", arn.encode()),
            ("error_code", outcome.code.encode()),
            ("exhausted", exhausted.encode()),
        ]
        record = new_record(
            ":".join(key).encode(),
            outcome.delivery.body.encode(),
            encode_headers(headers),
            time.time_ns() // 1_000_000,
        )
        await keep(self._dead, DELIVERIES_DEAD, [record])
