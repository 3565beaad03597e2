"""From deliveries of one subscription to its queue: waves of calls, and what becomes of each message.

deliveries -> waves -> calls -> outcomes -> ledger; what is refused for good -> dead letters
"""

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Sequence

from contracts.attempts import State
from contracts.deliveries import Delivery
from contracts.subscriptions import Subscription
from processors.deliver.dead_letters import DeadLetters
from processors.deliver.lane import Lane, Position
from processors.deliver.ledger import Ledger
from processors.deliver.outcomes import WAITS, Outcome
from processors.deliver.sender import Sender
from processors.deliver.waves import waves

log = logging.getLogger(__name__)

CALLS_AT_ONCE, CALLS_APART = 16, 4
"""For one subscription, and for one that is served apart or new; all together have `sends_max`."""
PATIENCE_S = 10.0
"""Who is served apart starts no more calls after this, so that its turn ends."""
NOTHING = Delivery("", {}, "", (0, 0))


class Deliver:
    """Sends, tells the ledger, gives up what is refused.

    `resting`: no call is begun any more. `share`: of a subscription's own rate, as other processes have
    other partitions.
    """

    def __init__(
        self,
        send: Sender,
        ledger: Ledger,
        dead: DeadLetters,
        pause_max_s: float,
        apart: asyncio.Semaphore,
    ) -> None:
        """`apart`: the calls at once of all lanes together that are served apart."""
        self.resting = False
        self.share = 1.0
        self._send = send
        self._ledger = ledger
        self._dead = dead
        self._pause_max_s = pause_max_s
        self._apart = apart

    async def __call__(
        self,
        lane: Lane,
        subscription: Subscription,
        deliveries: Sequence[Delivery],
        *,
        apart: bool = False,
    ) -> list[Outcome]:
        """Send what is not settled; the caller holds the lane's lock, and may serve it `apart`.

        What is left, in order: why, and whether it was tried. Sending ends with a wave of which a call took
        nothing. On return the ledger has what was done; raises `Transient` when Kafka does not take
        that, or what is given up.
        """
        destination = subscription.destination
        todo = [each for each in deliveries if each.position not in lane.settled]
        left: dict[Position, Outcome] = {}
        why = Outcome(NOTHING, "again", message="its turn has ended", tried=False)
        allowed = self._allowed(lane, subscription, len(todo))
        until_s, held = time.monotonic() + PATIENCE_S, set[str]()
        calls = CALLS_AT_ONCE if lane.proven and not apart else CALLS_APART
        try:
            for batches in waves(todo[:allowed], destination, calls):
                if self.resting or time.monotonic() > until_s:
                    break
                if held:  # an entity's order: nothing overtakes a message that waits
                    kept = ([each for each in some if each.entity not in held] for some in batches)
                    batches = [some for some in kept if some]
                failed, stopped = await self._wave(lane, subscription, batches, apart)
                left |= {each.delivery.position: each for each in failed}
                if stopped is not None:
                    why = stopped._replace(tried=False)
                    break
                if destination.is_fifo:
                    held |= {each.delivery.entity for each in failed}
        finally:
            await self._ledger.flush(lane)
        return [
            left.get(each.position) or why._replace(delivery=each)
            for each in todo
            if each.position not in lane.settled
        ]

    def _allowed(self, lane: Lane, subscription: Subscription, wanted: int) -> int:
        """How many may be sent by the subscription's own limit, of which this process has a share."""
        per_s = subscription.delivery.messages_per_s
        if per_s is None:
            return wanted
        allowed = lane.rate.allowed(per_s * self.share, wanted)
        lane.rate.spend(allowed)
        return allowed

    async def _wave(
        self,
        lane: Lane,
        subscription: Subscription,
        batches: Sequence[Sequence[Delivery]],
        apart: bool,
    ) -> tuple[list[Outcome], Outcome | None]:
        """Send batches side by side: what waits of them; an outcome if no more should be sent."""

        async def call(batch: Sequence[Delivery]) -> Sequence[Outcome]:
            async with self._apart if apart else contextlib.nullcontext():
                return await self._send(subscription.destination, batch)

        started_s = time.monotonic()
        answers = await asyncio.gather(*(call(batch) for batch in batches))
        wave_s = time.monotonic() - started_s
        lane.answered(wave_s)
        failed: list[Outcome] = []
        refused: list[Outcome] = []
        for outcome in itertools.chain.from_iterable(answers):
            position, state = outcome.delivery.position, outcome.state
            attempt = lane.attempts.get(position, 0) + (outcome.tried and state != "not_now")
            if state == "sent":
                lane.settle(position, "delivered")
            elif attempt:
                lane.attempts[position] = attempt
            if state == "never":
                refused.append(outcome)
            elif state in WAITS:
                failed.append(outcome)
            if state == "sent" or (state == "again" and outcome.tried):
                told: State = "delivered" if state == "sent" else "failed"
                self._ledger.note(
                    lane,
                    subscription,
                    told,
                    outcome,
                    attempt=attempt,
                    latency_ms=round(wave_s * 1000),
                )
        failed += await self._dead(lane, subscription, refused)  # after what was sent is known
        nothing = [each[0] for each in answers if all(it.state in WAITS for it in each)]
        return failed, self._judge(lane, subscription, nothing, len(answers))

    def _judge(
        self, lane: Lane, subscription: Subscription, nothing: Sequence[Outcome], calls: int
    ) -> Outcome | None:
        """What the breaker makes of a wave of so many calls; `nothing`: of those that took nothing."""
        arn = subscription.destination.arn
        if len(nothing) < calls and lane.breaker.took():
            log.warning("%s takes messages again", arn)
            self._ledger.note_lane(lane, "closed", destination=arn)
        if not nothing:
            return None
        why = nothing[0]
        if len(nothing) < calls:
            lane.breaker.slowed()
        elif lane.breaker.failed(why, subscription.delivery.retry_pause_max_s or self._pause_max_s):
            log.warning("%s takes nothing: %s", arn, why.reason)
            self._ledger.note_lane(lane, "opened", destination=arn, why=why)
        return why
