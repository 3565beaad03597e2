"""What became of every offset of a log: the account that an audit draws up."""

import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.encoding.digest import MODULUS
from processors.upkeep.absent import Explained

SHOWN_MAX = 100
"""Positions that are named; all are counted."""
WRONG = ("missing", "altered", "foreign", "doubled", "twice", "lingering", "vanished")


class Range(NamedTuple):
    """What was compared of one partition; `end` is not included."""

    partition: int
    first: int
    end: int


class Position(NamedTuple):
    """A record of the log and what is wrong with it."""

    partition: int
    offset: int
    detail: str


@dataclass
class Account:
    """What became of every offset of `ranges` of the topic with this id.

    `digests` are of the rows that agree with their records, by partition. `doubled` offsets are in
    `stored` too; `twice` (events with two rows from two records) and `lingering` (rows of erased
    events) are of the whole table, and at most `SHOWN_MAX` are counted; `vanished` is what a rebuild would
    not show any more. `others` are rows of other logs, by number: nothing was compared.
    """

    topic_id: uuid.UUID
    to_end: bool
    ranges: list[Range]
    at_s: float = field(default_factory=time.time)
    digests: dict[int, int] = field(default_factory=dict)
    others: dict[int, int] = field(default_factory=dict)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            (
                *("stored", "outlived", "repeat", "erased", "erasure"),
                "rejected",
                "expired",
                "empty",
                *WRONG,
            ),
            0,
        )
    )
    wrong: dict[str, list[Position]] = field(default_factory=lambda: {kind: [] for kind in WRONG})

    @property
    def proven(self) -> bool:
        """Whether the table says what the log says, and shows nothing that was erased."""
        return not any(self.counts[kind] for kind in WRONG)

    @property
    def offsets(self) -> int:
        """How many offsets were compared."""
        return sum(each.end - each.first for each in self.ranges)

    def agree(self, partition: int, hashes: Collection[int]) -> None:
        """Enter rows that say what their records say."""
        self.counts["stored"] += len(hashes)
        self.digests[partition] = (self.digests.get(partition, 0) + sum(hashes)) % MODULUS

    def follow(self, before: "Account") -> None:
        """Add what an account of the offsets before these says."""
        self.ranges = [
            Range(mine.partition, its.first, mine.end) if its else mine
            for mine in self.ranges
            for its in [next((e for e in before.ranges if e.partition == mine.partition), None)]
        ]
        for kind, count in before.counts.items():
            self.counts[kind] += count
        for partition, digest in before.digests.items():
            self.digests[partition] = (self.digests.get(partition, 0) + digest) % MODULUS

    def differ(self, kind: str, partition: int, offset: int, detail: str) -> None:
        """Enter an offset whose row is not as it should be."""
        self.counts[kind] += 1
        if len(self.wrong[kind]) < SHOWN_MAX:
            self.wrong[kind].append(Position(partition, offset, detail))

    def absent(self, partition: int, explained: list[Explained]) -> None:
        """Enter offsets that have no row."""
        for offset, reason, detail in explained:
            if reason == "missing":
                self.differ(reason, partition, offset, detail)
            else:
                self.counts[reason] += 1
