"""What the ledger is told of ranges of the log: what may be missing, is cancelled, or is lost."""

import logging
import math
import time

from processors.deliver.deliver import NOTHING
from processors.deliver.lane import Lane
from processors.deliver.ledger import Ledger
from processors.deliver.outcomes import Outcome
from processors.deliver.place import Place
from processors.deliver.places import Places

log = logging.getLogger(__name__)

TELL_EVERY_S = 10.0
CAUGHT_UP = math.inf
"""Instead of when it was told to be behind."""


class Ranges:
    """Tells, with the next flush of the lane."""

    def __init__(self, ledger: Ledger, places: Places) -> None:
        self._ledger = ledger
        self._places = places

    def behind(self, lane: Lane, place: Place, first: int, until: int) -> None:
        """How far it is behind, now and then; that it is not, once."""
        now_s, told_s = time.monotonic(), lane.told_behind_s.get(place.partition, -math.inf)
        is_told = told_s == CAUGHT_UP
        if is_told if first == until else not is_told and now_s - told_s < TELL_EVERY_S:
            return
        since_ms = self._places.behind[place].since_ms
        self._ledger.note_lane(
            lane, "behind", partition=place.partition, offset=first, until=until, since_ms=since_ms
        )
        lane.told_behind_s[place.partition] = CAUGHT_UP if first == until else now_s

    def cancelled(self, lane: Lane, place: Place, first: int, until: int, why: str) -> None:
        """Nobody wants what is left of this."""
        outcome = Outcome(NOTHING, "never", message=why)
        self._ledger.note_lane(
            lane, "cancelled", why=outcome, partition=place.partition, offset=first, until=until
        )

    def lost(self, lane: Lane, place: Place, first: int, until: int) -> None:
        """It left Kafka before it was delivered."""
        log.error("%s: records before %d left Kafka before they were delivered", place, until)
        self._ledger.note_lane(
            lane, "dead", partition=place.partition, offset=first, until=until,
            exhausted="the event left Kafka",
        )  # fmt: skip
