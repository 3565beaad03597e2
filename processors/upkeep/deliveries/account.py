"""What became of every delivery that was owed: the account that an audit of deliveries draws up."""

import time
import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

from processors.upkeep.account import SHOWN_MAX, Range
from processors.upkeep.deliveries.owed import Chunk, Pair
from processors.upkeep.deliveries.period import Period
from processors.upkeep.deliveries.told import Told

ENDED = ("delivered", "dead", "cancelled")
WAITS = ("behind", "unrouted")
UNJUDGED = ("changed", "gone", "erased")
NOTED = ("duplicates", "repeats", "erasures", "unreadable")
WRONG = ("missing", "causeless", "foreign")


class Wrong(NamedTuple):
    """A delivery and what is wrong with it; `offset` is of its event on `events`."""

    tenant: str
    subscription_id: str
    event_id: str
    partition: int
    offset: int
    detail: str


@dataclass
class Account:
    """What became of the events of `ranges` of the topic with this id, as of `at_s`.

    Pairs of an event and a subscription: those of `ENDED`, `WAITS` and `WRONG` were judged, `foreign` ones
    beside them. `changed` are pairs, `gone` rows of the ledger whose subscription is not there any more, and
    `erased` pairs of repeats whose first may have been erased. `duplicates` counts deliveries beyond the
    first, `repeats`, `erasures` and `unreadable` records that are no events of their own.
    """

    topic_id: uuid.UUID
    period: Period
    ranges: list[Range]
    at_s: float = field(default_factory=time.time)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            (*ENDED, *WAITS, *UNJUDGED, *NOTED, *WRONG),
            0,
        )
    )
    wrong: dict[str, list[Wrong]] = field(default_factory=lambda: {kind: [] for kind in WRONG})

    @property
    def proven(self) -> bool:
        """Whether each delivery is delivered, dead with a cause, cancelled or waits, and none is foreign."""
        return not any(self.counts[kind] for kind in WRONG)

    @property
    def offsets(self) -> int:
        """How many offsets were looked at."""
        return sum(each.end - each.first for each in self.ranges)

    @property
    def judged(self) -> int:
        """How many deliveries were owed."""
        return sum(self.counts[kind] for kind in (*ENDED, *WAITS, "missing", "causeless"))

    def note(self, chunk: Chunk) -> None:
        """Enter what is no delivery."""
        self.counts["changed"] += chunk.changed
        self.counts["repeats"] += len(chunk.repeats)
        self.counts["erasures"] += chunk.erasures
        self.counts["unreadable"] += chunk.unreadable

    def ended(self, partition: int, told: Told) -> bool:
        """Enter a pair that has come to its end of its own; whether it has."""
        if told.delivered:
            self.counts["delivered"] += 1
            self.counts["duplicates"] += max(0, told.automatic - 1)
        elif told.ended == "dead" and not told.has_cause:
            self.differ(
                "causeless", partition, told.pair, told.event_id, "dead, and nothing says why"
            )
        elif told.ended:
            self.counts[told.ended] += 1
        else:
            return False
        return True

    def differ(self, kind: str, partition: int, pair: Pair, event_id: str, detail: str) -> None:
        """Enter a pair that is not as it should be."""
        self.counts[kind] += 1
        if len(self.wrong[kind]) < SHOWN_MAX:
            found = Wrong(
                pair.tenant, pair.subscription_id, event_id, partition, pair.offset, detail
            )
            self.wrong[kind].append(found)
