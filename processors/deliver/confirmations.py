"""Asks the owner of a queue whether a tenant may name it: one message with a token, as SNS does.

A subscription that waits for its confirmation gets nothing else. The router that has partition 0 of
`events` asks for all: that happens seldom, and one who asks is enough. Who takes the partition over asks
again, for nobody keeps what was asked; so does a queue that did not take the message, until the token ends.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from contracts.deliveries import Delivery
from contracts.destinations import SqsDestination
from contracts.ownership import Proof, token
from contracts.paths import CONFIRMATION
from contracts.subscription_table import Subscriptions
from processors.deliver.places import Places
from processors.deliver.sender import Sender
from service.destinations import Destinations
from service.kafka.follow import SubscriptionsFollower

log = logging.getLogger(__name__)

ASKING_PARTITION = 0
LOOK_S = 1.0
AGAIN_S = 60.0
"""After a message that was not taken; and one tenant has a queue asked no oftener, whatever it names."""
AT_ONCE = 10
"""Messages in one look, so that many do not take the calls from events."""
QUEUES_MAX = 10_000


class Question(NamedTuple):
    """What one message asks."""

    tenant: str
    subscription_id: str
    queue: SqsDestination
    proof: Proof

    @property
    def pair(self) -> tuple[str, str]:
        """Who has which queue asked."""
        return self.tenant, self.queue.arn

    @property
    def name(self) -> tuple[str, str, str, str]:
        """The same for the same question."""
        return self.tenant, self.subscription_id, self.queue.arn, self.proof.asked_at


class Confirmations:
    """Asks each question once, and again where the queue did not take it."""

    def __init__(
        self,
        places: Places,
        subscriptions: SubscriptionsFollower,
        send: Sender,
        destinations: Destinations,
    ) -> None:
        self._places = places
        self._subscriptions = subscriptions
        self._send = send
        self._destinations = destinations
        self._asked: set[tuple[str, str, str, str]] = set()
        self._again_at_s: dict[tuple[str, str], float] = {}
        self._all_asked: tuple[Subscriptions, int] | None = None

    async def run(self) -> None:
        """Look for questions, until cancelled."""
        if not self._destinations.key:
            return  # the edge stores none that would need one
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Ask what is to be asked now."""
        if ASKING_PARTITION not in self._places.partitions or not self._subscriptions.ready:
            self._asked.clear()
            self._all_asked = None
            return
        table = self._subscriptions.table
        seen = table, table.version
        if self._all_asked == seen:
            return  # many that wait for their owners cost nothing
        waiting = list(_waiting(table))
        self._asked &= {each.name for each in waiting}
        now_s, due = time.monotonic(), dict[tuple[str, str], Question]()
        for each in waiting:
            if each.name not in self._asked and self._again_at_s.get(each.pair, 0.0) <= now_s:
                due.setdefault(each.pair, each)
        # who was never asked about first, so that queues that fail hold up no other
        some = sorted(due, key=lambda pair: self._again_at_s.get(pair, 0.0))[:AT_ONCE]
        await asyncio.gather(*(self._ask(due[pair], now_s) for pair in some))
        self._all_asked = seen if all(each.name in self._asked for each in waiting) else None

    async def _ask(self, question: Question, now_s: float) -> None:
        if len(self._again_at_s) >= QUEUES_MAX:
            self._again_at_s.pop(next(iter(self._again_at_s)))
        self._again_at_s.pop(question.pair, None)
        self._again_at_s[question.pair] = now_s + AGAIN_S
        (outcome,) = await self._send(question.queue, [self._message(question)])
        if outcome.state == "sent":
            self._asked.add(question.name)
        name = f"{question.tenant}:{question.subscription_id}"
        told = outcome.reason or outcome.state
        log.info("the owner of %s was asked for %s: %s", question.queue.arn, name, told)

    def _message(self, question: Question) -> Delivery:
        tenant, subscription_id, queue, proof = question
        attributes = {
            "tenant": tenant,
            "subscription_id": subscription_id,
            "confirmation": "true",
        }
        given = token(self._destinations.key, tenant, subscription_id, queue.arn, proof.asked_at)
        body = {
            "token": given,
            "subscription": subscription_id,
            "expires_at": proof.expires_at.isoformat(timespec="seconds"),
            "confirm": f"POST {CONFIRMATION.format(id=subscription_id)} with the token,"
            " or leave it: nothing is sent here without that.",
        }
        entity = f"{tenant}:{subscription_id}"
        text = msgspec.json.encode(body).decode()
        return Delivery(text, attributes, entity, (-1, -1), replay_id=given)


def _waiting(table: Subscriptions) -> Iterator[Question]:
    """What there is to be asked, or was asked already."""
    now = datetime.now(UTC)
    for (tenant, subscription_id), subscription in table.unconfirmed.items():
        if subscription.ownership is None or not subscription.enabled:
            continue
        for pointer, proof in subscription.ownership.proofs.items():
            if proof.pending and not proof.expired(now):
                yield Question(tenant, subscription_id, subscription.queues[pointer], proof)
