"""One call for messages of one queue, whatever is raised: an outcome for each.

Nothing that a message holds stops another: where sending raises, the messages are sent one by one, and the
one that raises alone is refused with its cause.
"""

from collections.abc import Sequence
from typing import Protocol

from contracts.deliveries import Delivery
from contracts.destinations import SqsDestination
from processors.deliver.outcomes import WAITS, Outcome
from processors.deliver.slots import Slots

OURS = (OSError, MemoryError, RuntimeError)
"""Raised for want of something here, not for what a message holds: trying again may help."""


class Queues(Protocol):
    """The queues as the router needs them."""

    async def send(
        self, destination: SqsDestination, deliveries: Sequence[Delivery]
    ) -> list[Outcome]:
        """Send up to ten messages in order; one outcome for each.

        Raises nothing of the network.
        """


class Sender:
    """Sends to `queues`, as far as there are `slots`."""

    def __init__(self, queues: Queues, slots: Slots) -> None:
        self._queues = queues
        self._slots = slots

    async def __call__(
        self, destination: SqsDestination, batch: Sequence[Delivery]
    ) -> Sequence[Outcome]:
        """Send up to ten messages of one tenant, in order: where one waits, those behind it do."""
        tenant = batch[0].attributes.get("tenant", "")
        await self._slots.take(tenant)
        try:
            return await self._send(destination, batch)
        finally:
            self._slots.give(tenant)

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
            if outcomes and outcomes[-1].state in WAITS:  # in order, or not at all
                outcomes.append(outcomes[-1]._replace(delivery=each, tried=False))
            else:
                outcomes += await self._send(destination, [each])
        return outcomes
