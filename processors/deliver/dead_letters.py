"""What is given up: the customer's queue for dead letters, `deliveries.dead`, and the ledger."""

import asyncio
import logging
import time
from collections.abc import Sequence

from contracts.deliveries import SQS_BATCH_ENTRIES_MAX, Delivery, fit_attributes
from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.subscriptions import Subscription
from contracts.topics import DELIVERIES_DEAD
from processors.consume.park import keep
from processors.deliver.lane import Lane
from processors.deliver.ledger import MESSAGE_MAX, Ledger
from processors.deliver.outcomes import Outcome
from processors.deliver.sender import Sender
from service.kafka.eventlog import EventLog

log = logging.getLogger(__name__)

PATIENCE_S = 10.0
"""A queue for dead letters that is slow is asked of the rest in the next turn."""

OF_A_JOB = ("attempt", "origin")
"""Attributes that a dead letter has no room for: `attempts` and `replay_id` say as much."""


class DeadLetters:
    """Gives up."""

    def __init__(
        self, send: Sender, ledger: Ledger, dead: EventLog, apart: asyncio.Semaphore
    ) -> None:
        """`apart`: the calls of lanes that are served apart, of which those for dead letters are some."""
        self._apart = apart
        self._send = send
        self._ledger = ledger
        self._dead = dead

    async def __call__(
        self,
        lane: Lane,
        subscription: Subscription,
        outcomes: Sequence[Outcome],
        exhausted: str = "",
    ) -> list[Outcome]:
        """Settle `outcomes` as dead, for the bound that is `exhausted`, if one is. What has to wait.

        The customer's queue for dead letters gets them first; where it does not answer, what has
        not exhausted its time waits for it, and what it was not asked of. Raises `Transient` if
        Kafka does not take what is given up.
        """
        outcomes = [each for each in outcomes if each.delivery.position not in lane.settled]
        told = await self._to_customer(lane, subscription, outcomes, exhausted)
        waiting: list[Outcome] = []
        dead: list[Outcome] = []
        for each, answer in zip(outcomes, told, strict=True):
            if answer.state == "again" and (not exhausted or not answer.tried):
                waiting.append(answer)
            else:
                dead.append(each._replace(message=f"{each.message}{_after(answer)}"))
        if dead:
            arn, reason = subscription.destination.arn, exhausted or dead[0].reason
            log.error("%d given up for %s: %s", len(dead), arn, reason)
            await self._bury(lane, subscription, dead, exhausted)
        for each in dead:
            position = each.delivery.position
            attempt = lane.attempts.get(position, 0)
            self._ledger.note(
                lane, subscription, "dead", each, attempt=attempt, exhausted=exhausted
            )
            lane.settle(position, "dead")
        return waiting

    async def _to_customer(
        self,
        lane: Lane,
        subscription: Subscription,
        outcomes: Sequence[Outcome],
        exhausted: str,
    ) -> Sequence[Outcome]:
        """What the customer's queue for dead letters says of each; `sent` where there is none."""
        queue = subscription.delivery.dead_letter
        if queue is None:
            return [Outcome(each.delivery, "sent") for each in outcomes]
        told: list[Outcome] = []
        until_s, down = time.monotonic() + PATIENCE_S, False
        for at in range(0, len(outcomes), SQS_BATCH_ENTRIES_MAX):
            some = outcomes[at : at + SQS_BATCH_ENTRIES_MAX]
            if down or time.monotonic() > until_s:
                told += [Outcome(each.delivery, "again", tried=False) for each in some]
                continue
            letters = [dead_letter(each, lane, exhausted) for each in some]
            async with self._apart:
                answers = await self._send(queue, letters)
            down = all(each.state == "again" for each in answers)
            told += [
                answer._replace(delivery=each.delivery)
                for answer, each in zip(answers, some, strict=True)
            ]
        return told

    async def _bury(
        self,
        lane: Lane,
        subscription: Subscription,
        outcomes: Sequence[Outcome],
        exhausted: str,
    ) -> None:
        """Keep what is given up on `deliveries.dead`, with the bound that is `exhausted`, if one is.

        Raises `Transient` if Kafka does not take it.
        """
        arn, records = subscription.destination.arn, []
        for each in outcomes:
            partition, offset = each.delivery.position
            headers = each.delivery.attributes | {
                "reason": each.reason[:MESSAGE_MAX],
                "destination": arn,
                "error_code": each.code,
                "exhausted": exhausted,
                "attempts": str(lane.attempts.get(each.delivery.position, 0)),
                "partition": str(partition),
                "offset": str(offset),
                "entity": each.delivery.entity,
                "replay_id": each.delivery.replay_id,
            }
            records.append(
                new_record(
                    lane.name,
                    each.delivery.body.encode(),
                    encode_headers(
                        [(name, text.encode(errors="replace")) for name, text in headers.items()]
                    ),
                    time.time_ns() // 1_000_000,
                )
            )
        await keep(self._dead, DELIVERIES_DEAD, records)


def dead_letter(outcome: Outcome, lane: Lane, exhausted: str) -> Delivery:
    """What the customer's queue for dead letters gets: the message, and why nobody took it."""
    delivery = outcome.delivery
    why = {
        "error_code": outcome.code,
        "error_message": (exhausted or outcome.message)[:256],
        "attempts": str(lane.attempts.get(delivery.position, 0)),
    }
    kept = {name: text for name, text in delivery.attributes.items() if name not in OF_A_JOB}
    return delivery._replace(attributes=fit_attributes(kept | why))


def _after(answer: Outcome) -> str:
    return "" if answer.state == "sent" else f" (dead letter queue: {answer.reason})"
