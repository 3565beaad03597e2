"""Which deliveries are still to come, as Kafka says at one time; and that the ledger has all before it.

The committed offsets are asked for before the places: a router notes who is behind, then commits. What is
neither waiting then nor delivered later was told on `deliveries` before, so the ledger is waited for
up to the end that the topic has after that.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from contracts.topics import DELIVERIES, LEDGER_GROUP, ROUTE_GROUP
from processors.consume.replay import Log, Progress
from processors.deliver.kept import read_places
from processors.deliver.place import Behind, Place
from processors.upkeep.audit import Unprovable

LEDGER_WITHIN_S = 60.0
LOOK_S = 0.2

Why = Literal["unrouted", "behind"]


@dataclass(frozen=True)
class Waiting:
    """Up to where events were matched, by partition, and who was behind at that time."""

    routed: Mapping[int, int]
    places: Mapping[Place, Behind]

    def why(self, place: Place, offset: int) -> Why | None:
        """What the delivery of this event waits for; None when it does not."""
        if offset >= self.routed.get(place.partition, 0):
            return "unrouted"
        behind = self.places.get(place)
        if behind and (offset >= behind.next_offset or offset in behind.stragglers):
            return "behind"
        return None


async def waiting(log: Log) -> Waiting:
    """As of now. Raises `Transient`."""
    routed = await log.committed(ROUTE_GROUP)
    return Waiting(routed, await read_places(log))


async def wait_for_ledger(log: Log, progress: Progress) -> None:
    """Return when the ledger has stored all that `deliveries` holds at the call.

    Raises `Unprovable` when it has not within `LEDGER_WITHIN_S`.
    """
    bounds, give_up = await log.bounds(DELIVERIES), time.monotonic() + LEDGER_WITHIN_S
    most = 0
    while True:
        stored = await log.committed(LEDGER_GROUP, DELIVERIES)
        lacking = sum(
            max(0, end - max(first, stored.get(number, 0)))
            for number, (first, end) in bounds.items()
        )
        if not lacking:
            return
        if time.monotonic() > give_up:
            raise Unprovable(
                f"{LEDGER_GROUP} has not stored {lacking:,} records of {DELIVERIES} within"
                f" {LEDGER_WITHIN_S:g} s, so what they say is not known. Start the"
                " ledger, or run it again later."
            )
        most = max(most, lacking)
        progress("waiting for the ledger", most - lacking, most)
        await asyncio.sleep(LOOK_S)
