"""Proves from partitions and offsets that the table holds every record of the log once.

    per partition, per span of offsets: count -> as many as offsets? proven
                                        else each offset -> rows twice? none? -> why (absent.py)
    at the end: rows of events that were erased

A span that holds as many rows as it has offsets, all different, is complete: nothing of it is read
from Kafka. The committed offsets are asked for before the table is looked at, and the materializer
commits after its insert, so what is on its way is never taken for missing. Between the swap and the
end of a rebuild the view lacks what the rebuild is about to add: audit before or after it.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.topics import EVENTS, MATERIALIZE_GROUP
from processors.absent import Absent, Explained
from processors.erasures import Erasures, Lingering
from processors.offsets import Offsets, spans
from processors.replay import Log, Progress

SHOWN_MAX = 100
"""Positions that are named; all are counted."""


class Unprovable(Exception):
    """Log and table do not fit together, or there is nothing to compare; the message says why."""


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
    """What became of every offset of `ranges`.

    `doubled` offsets are in `stored` too, and `lingering` ones, whose events were erased; those are
    of the whole table, and at most `SHOWN_MAX` are counted.
    """

    to_end: bool
    ranges: list[Range]
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            (
                *("stored", "repeat", "erased", "erasure", "rejected", "expired", "empty"),
                *("missing", "doubled", "lingering"),
            ),
            0,
        )
    )
    missing: list[Position] = field(default_factory=list)
    doubled: list[Position] = field(default_factory=list)
    lingering: list[Position] = field(default_factory=list)

    @property
    def proven(self) -> bool:
        """Whether nothing is missing, nothing double and nothing there that was erased."""
        return not any(self.counts[wrong] for wrong in ("missing", "doubled", "lingering"))

    @property
    def offsets(self) -> int:
        """How many offsets were compared."""
        return sum(each.end - each.first for each in self.ranges)

    def absent(self, partition: int, explained: list[Explained]) -> None:
        """Enter offsets that have no row."""
        for offset, reason, detail in explained:
            self.counts[reason] += 1
            if reason == "missing":
                self.missing.append(Position(partition, offset, detail))
        del self.missing[SHOWN_MAX:]

    def double(self, partition: int, rows: dict[int, int]) -> None:
        """Enter offsets with more than one row."""
        self.counts["doubled"] += len(rows)
        self.doubled += [
            Position(partition, offset, f"{count} rows") for offset, count in sorted(rows.items())
        ]
        del self.doubled[SHOWN_MAX:]

    def linger(self, rows: list[Lingering]) -> None:
        """Enter rows whose events were erased."""
        self.counts["lingering"] += len(rows)
        self.lingering += [
            Position(each.partition, each.offset, f"event {each.erasure.event_id} was erased")
            for each in rows
        ]


async def audit(
    log: Log, table: Offsets, erasures: Erasures, *, to_end: bool, progress: Progress
) -> Account:
    """Compare the log, up to what is committed or to its end, with the table.

    Raises `Unprovable`, and `Transient` when a server fails.
    """
    account = Account(to_end, await _scope(log, table, to_end))
    absent, done = Absent(log, table, erasures), 0
    for partition, first, end in account.ranges:
        for low, high in spans(first, end):
            await _compare(table, absent, account, Range(partition, low, high))
            done += high - low
            progress("comparing", done, account.offsets)
    ends = {each.partition: each.end for each in account.ranges}
    there = await erasures.lingering(SHOWN_MAX)
    account.linger([each for each in there if each.obeyed_before(ends)])
    return account


async def _compare(table: Offsets, absent: Absent, account: Account, part: Range) -> None:
    """Enter one span."""
    held = await table.held(*part)
    if held.rows == held.offsets == part.end - part.first:
        account.counts["stored"] += held.rows
        return
    rows = await table.rows_of_each(*part)
    account.counts["stored"] += len(rows)
    account.double(part.partition, {offset: n for offset, n in rows.items() if n > 1})
    lacking = set(range(part.first, part.end)) - rows.keys()
    async for explained in absent.explain(part.partition, lacking):
        account.absent(part.partition, explained)


async def _scope(log: Log, table: Offsets, to_end: bool) -> list[Range]:
    """What there is to compare. Raises `Unprovable`."""
    stored = await table.bounds()  # before the log: it only grows
    kept = await log.bounds(EVENTS)
    for partition, (_, highest) in sorted(stored.items()):
        end = kept.get(partition, (0, 0))[1]
        if highest >= end:
            raise Unprovable(
                f"The table holds offset {highest} of partition {partition}, the log ends at {end}:"
                " this is not the log that the table was made from."
            )
    if to_end:
        return [Range(partition, first, end) for partition, (first, end) in kept.items()]
    committed = await log.committed()
    for partition, (_, end) in kept.items():
        if end and partition not in committed:
            raise Unprovable(
                f"{MATERIALIZE_GROUP} has committed no offset of partition {partition}, so there is"
                " nothing to compare up to. Start the materializer, or compare up to the end."
            )
    # what left the log before it was materialized is part of the account
    return [
        Range(partition, *sorted((first, committed.get(partition, 0))))
        for partition, (first, _) in kept.items()
    ]
