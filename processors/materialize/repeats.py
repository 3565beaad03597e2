"""Sorts a batch's rows: those that the table cannot hold, and those that it has to be asked about.

In doubt are events whose derived id the table may know, and all that is read again: an event may have
been erased since. Of several records of one event in a batch the first counts, as in the table.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from contracts.clickhouse.table import DAY_S, month_of
from contracts.encoding.block import Block, Name, Row
from contracts.erasures import Erasure, by_name
from processors.materialize.names import NamesFilter

RETENTION_MIN_MS = DAY_S * 1000
"""No event expires sooner (`TableSettings`): a repeat within this time needs no asking."""


class Shown(NamedTuple):
    """A row of the table: its record's position, when it was received and expires, in ms since 1970."""

    partition: int
    offset: int
    received_ms: int
    expires_ms: int


class Sorted:
    """`blocks`, by month, of rows that are to be inserted, and `doubtful` rows, in the log's order."""

    def __init__(self, names: NamesFilter, may_hold: Mapping[int, int]) -> None:
        """`may_hold`: the highest offset that the table may hold, by partition."""
        self.blocks: dict[int, Block] = {}
        self.doubtful: list[Row] = []
        self._names = names
        self._may_hold = may_hold
        self._sure_until: dict[Name, int] = {}  # of events that are here: when they expire or later

    def add(self, rows: Sequence[Row]) -> None:
        """Sort these too."""
        certain: list[Row] = []
        for row in rows:
            if row.offset <= self._may_hold[row.partition]:
                if row.derived:  # whatever follows under its name is decided after it
                    self._names.add(row.name[1])
                self.doubtful.append(row)
            elif not row.derived or self._is_new(row):
                certain.append(row)
        _fill(self.blocks, certain)

    def _is_new(self, row: Row) -> bool:
        """Whether the table cannot hold this event, nor the batch before this row."""
        name = row.name
        if (until_ms := self._sure_until.get(name)) is not None:
            if row.received_ms >= until_ms:
                self.doubtful.append(row)
            return False
        if self._names.add(name[1]):
            self.doubtful.append(row)
            return False
        self._sure_until[name] = row.received_ms + RETENTION_MIN_MS
        return True

    def names(self, *, derived: bool = False) -> list[Name]:
        """Of what is in doubt; with `derived` only of what may have come before under its name."""
        return list({row.name for row in self.doubtful if row.derived or not derived})

    def decide(
        self, shown: Mapping[Name, Sequence[Shown]], erased: Iterable[Erasure]
    ) -> dict[int, Block]:
        """What of `doubtful` the table lacks, by month; what has to wait for that stays in doubt.

        `shown` are the rows that it has, `erased` what it may not have: such a row may be there for a
        while, and is no reason to leave out what was posted after it.
        """
        named, asked = by_name(erased), self.doubtful
        missing: list[Row] = []
        first_ms: dict[Name, int] = {}
        self.doubtful = []
        for row in asked:
            name = row.name
            if is_covered(row, named.get(name, ())):
                continue
            if row.derived:
                rows = [it for it in shown.get(name, ()) if not is_covered(it, named.get(name, ()))]
                if any(row.received_ms < it.expires_ms for it in rows):
                    continue
                if name in first_ms:
                    if row.received_ms >= first_ms[name] + RETENTION_MIN_MS:
                        self.doubtful.append(row)
                    continue
                first_ms[name] = row.received_ms
                self._names.add(name[1])
            missing.append(row)
        blocks: dict[int, Block] = {}
        _fill(blocks, missing)
        return blocks


def is_covered(row: Row | Shown, erasures: Iterable[Erasure]) -> bool:
    """Whether one of `erasures`, all of this event, takes the row away."""
    return any(each.covers(row.partition, row.offset, row.received_ms) for each in erasures)


def _fill(blocks: dict[int, Block], rows: Sequence[Row]) -> None:
    """Add `rows` to the block of each one's month of receipt, in their order."""
    times = [row.received_ms for row in rows]
    if not times:
        return
    if (month := month_of(min(times))) == month_of(max(times)):  # nearly always
        blocks.setdefault(month, Block()).add(rows)
        return
    months = [month_of(received_ms) for received_ms in times]
    for month in sorted(set(months)):
        of_month = [row for row, its in zip(rows, months, strict=True) if its == month]
        blocks.setdefault(month, Block()).add(of_month)
