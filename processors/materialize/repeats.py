"""Sorts a batch's rows: those that the table cannot hold, and those that it has to be asked about.

In doubt are events whose derived id the table may know, or the batch before them, what a tombstone of
the batch names, and all that is read again: an event may have been erased since. What is in doubt is
decided from the table, in the log's order, each record when all that came before it under its name is
stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from contracts.clickhouse.table import month_of
from contracts.encoding.block import Block, Name, Row
from contracts.erasures import Erasure, by_name
from processors.materialize.names import NamesFilter


class Shown(NamedTuple):
    """A row of the table: whether it is of this log, its record's position, when it was received and expires.

    Times are in ms since 1970.
    """

    here: bool
    partition: int
    offset: int
    received_ms: int
    expires_ms: int


class Sorted:
    """`blocks`, by month, of rows that are to be inserted now, and `doubtful` rows, in the log's order."""

    def __init__(
        self, names: NamesFilter, may_hold: Mapping[int, int], erasures: Iterable[Erasure]
    ) -> None:
        """`may_hold`: the highest offset that the table may hold, by partition; `erasures` of the batch."""
        self.blocks: dict[int, Block] = {}
        self.doubtful: list[Row] = []
        self._names = names
        self._may_hold = may_hold
        self._erased = {each.event_id for each in erasures}

    def add(self, rows: Sequence[Row]) -> None:
        """Sort these too."""
        certain: list[Row] = []
        for row in rows:
            known = row.derived and self._names.add(row.event.id)
            erased = self._erased and row.event.id in self._erased
            if known or erased or row.offset <= self._may_hold[row.partition]:
                self.doubtful.append(row)
            else:
                certain.append(row)
        self._insert(certain)

    def names(self, *, derived: bool = False) -> list[Name]:
        """Of what is in doubt; with `derived` only of what may have come before under its name."""
        return list({row.name for row in self.doubtful if row.derived or not derived})

    def decide(self, shown: Mapping[Name, Sequence[Shown]], erased: Iterable[Erasure]) -> None:
        """Make `blocks` of what of `doubtful` the table lacks; of a name the first alone, the rest waits.

        `shown` are the rows that it has, `erased` what it may not have: such a row may be there for a
        while, and is no reason to leave out what was posted after it.
        """
        named, asked = by_name(erased), self.doubtful
        missing: dict[Name, Row] = {}
        self.blocks, self.doubtful = {}, []
        for row in asked:
            erasures = named.get(row.name, ())
            if is_covered(row, erasures) or any(
                row.received_ms < it.expires_ms and not is_covered(it, erasures)
                for it in shown.get(row.name, ())
            ):
                continue
            if missing.setdefault(row.name, row) is not row:
                self.doubtful.append(row)
        self._insert([*missing.values()])

    def _insert(self, rows: Sequence[Row]) -> None:
        """Add `rows` to the block of each one's month of receipt, in their order."""
        times = [row.received_ms for row in rows]
        if not times:
            return
        if (month := month_of(min(times))) == month_of(max(times)):  # nearly always
            self.blocks.setdefault(month, Block()).add(rows)
            return
        months = [month_of(received_ms) for received_ms in times]
        for month in sorted(set(months)):
            of_month = [row for row, its in zip(rows, months, strict=True) if its == month]
            self.blocks.setdefault(month, Block()).add(of_month)


def is_covered(row: Row | Shown, erasures: Iterable[Erasure]) -> bool:
    """Whether one of `erasures`, all of this event, takes the row away."""
    return any(each.covers(row.partition, row.offset, row.received_ms) for each in erasures)
