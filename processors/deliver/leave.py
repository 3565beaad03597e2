"""What becomes of a place that is not served on: cancelled, skipped, held where it is, or behind no more."""

import logging

from processors.deliver.lane import Lane
from processors.deliver.ledger import Ledger
from processors.deliver.place import Behind, Place
from processors.deliver.places import Places
from processors.deliver.ranges import Ranges

log = logging.getLogger(__name__)

SKIPPED = "skipped when it was enabled, or a pause was lifted"


class Leave:
    """The caller holds the lane's lock. Methods raise `Transient`."""

    def __init__(self, places: Places, ledger: Ledger, ranges: Ranges) -> None:
        self._places = places
        self._ledger = ledger
        self._ranges = ranges

    async def hold(self, lane: Lane, place: Place, now: Behind, routed: int) -> bool:
        """It is stopped: what failed is over, and what it lacks stays."""
        lane.told_ms = 0
        lane.breaker.forgive()
        if now.failing_ms or now.told_ms:
            self._places.put(place, now._replace(failing_ms=0, told_ms=0))
        if now.first < routed:
            self._ranges.behind(lane, place, now.first, routed)
        await self._ledger.flush(lane)
        return False

    async def skip(self, lane: Lane, place: Place, now: Behind) -> bool:
        """It was told to leave out what it had missed; whether there was any."""
        self._cancel_up_to(lane, place, now, now.skip_to, SKIPPED)
        await self._ledger.flush(lane)
        if self._places.behind.get(place) == now:  # else it was stopped again
            after = Behind(max(now.next_offset, now.skip_to), {}, started=now.started)
            self._places.put(place, after, anew=True)
            self._places.drop(lane, place.partition, after.first)
        return True

    def _cancel_up_to(self, lane: Lane, place: Place, now: Behind, end: int, why: str) -> None:
        for offset in now.stragglers:
            self._ranges.cancelled(lane, place, offset, offset + 1, why)
        if now.next_offset < end:
            self._ranges.cancelled(lane, place, now.next_offset, end, why)

    async def cancel(self, lane: Lane, place: Place, now: Behind, routed: int, why: str) -> None:
        """Nobody wants what it lacks."""
        self._cancel_up_to(lane, place, now, routed, why)
        self._ranges.behind(lane, place, routed, routed)
        await self._ledger.flush(lane)
        if self._places.routed.get(place.partition) == routed:
            self.forget(lane, place)
        elif place in self._places.behind:  # the router has left more to it: for the next turn
            self._places.put(place, Behind(routed, {}))
        lane.told_ms = 0
        lane.breaker.forgive()

    def forget(self, lane: Lane, place: Place) -> None:
        """It is served with the others again."""
        self._places.forget(place)
        self._places.drop(lane, place.partition, self._places.routed.get(place.partition, 0))
        log.info("subscription %s of %s is not behind any more", *place[1::-1])
