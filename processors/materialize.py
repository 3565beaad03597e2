"""Step: events become rows of ClickHouse, each exactly once.

The table itself is the authority on what it holds, by partition and offset of the record (design
6.3). Rows are inserted without asking while the offsets are past everything that the table may
hold. Where it may hold them already - a partition just assigned, an insert whose answer was lost -
the offsets are read back first, after any insert still running has ended, and only the missing
rows are inserted. What a paused earlier owner may write late, ReplacingMergeTree absorbs.

A tombstone is stored nowhere among them: it is noted as an erasure, after the inserts of its batch,
and the rows that it covers are taken away. Both may be repeated. Whoever reads an erased event
again reads its tombstone again too, as that is not committed before it: at worst the row is there
for a moment.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol, cast

from contracts.erasures import Erasure
from contracts.ids import DERIVED, VERSION_AT
from contracts.row import NotBase64, identity, row
from contracts.table import month_of
from contracts.wire import Undecodable, decode_erasure, decode_event, decode_tenant
from processors.repeats import WINDOW_MS, Repeats
from processors.step import LogRecord, Reject

NAMES_MAX = 200_000
"""Names that are remembered: a sixth of a KiB each."""
YEAR_2200_MS = 7_258_118_400_000  # the table's column ends in 2299


class Row(NamedTuple):
    """One row to insert: its position in the log, its time of receipt, its RowBinary bytes.

    `name` is tenant and id when an Idempotency-Key gave the id.
    """

    partition: int
    offset: int
    received_ms: int
    data: bytes
    name: tuple[str, str] | None = None


class Read(NamedTuple):
    """A batch of records by what they are."""

    rows: list[Row]
    erasures: list[Erasure]
    rejects: list[Reject]


class Rows(Protocol):
    """The table as this step needs it. Every method raises `Transient` when ClickHouse fails."""

    async def insert(self, rows: Sequence[Row]) -> None:
        """Write `rows`, all of one month, as one block; on return they are stored."""

    async def settle(self, partitions: Collection[int]) -> None:
        """Return when no insert into these partitions is running any more, whoever sent it."""

    async def high_water(self, partitions: Collection[int]) -> dict[int, int]:
        """The highest stored offset of each of these partitions, -1 for none."""

    async def present(self, spans: dict[int, tuple[int, int]]) -> set[tuple[int, int]]:
        """The stored (partition, offset) within the spans: first and last offset by partition."""

    async def names(self, since_ms: int, count: int) -> list[tuple[str, str]]:
        """Tenant and id of at most `count` events received since then under a key, oldest first."""

    async def erase(self, erasures: Sequence[Erasure]) -> None:
        """Note these erasures and take the rows that they cover away; may be repeated."""

    async def erased(self, count: int) -> list[Erasure]:
        """The latest `count` erasures of events under a key, oldest first."""


class Materialize:
    """The step. Records read again are absorbed by reading back, see the module's docstring.

    Events posted again under an Idempotency-Key are left out while their names are remembered.
    """

    def __init__(self, table: Rows, names_max: int = NAMES_MAX) -> None:
        self._table = table
        self._names_max = names_max
        self._repeats = Repeats(names_max)
        self._may_hold: dict[int, int] = {}  # highest offset that the table may hold, if known

    def assigned(self, partitions: Collection[int]) -> None:
        """Forget what was known: another process may have written since."""
        for partition in partitions:
            self._may_hold.pop(partition, None)

    async def __call__(self, records: Sequence[LogRecord]) -> list[Reject]:
        """Store what is missing of `records`, erase; returns those that are neither."""
        rows, erasures, rejects = read_records(records)
        await self._settle(rows)
        if erasures:
            self._repeats.erase(erasures)
            rows = uncovered(rows, erasures)
        rows = self._repeats.unerased(rows)
        missing = self._repeats.without(await self._missing(rows))
        for row_ in missing:
            self._may_hold[row_.partition] = max(self._may_hold[row_.partition], row_.offset)
        try:
            for rows_of_month in by_month(missing):  # one block into one partition
                await self._table.insert(rows_of_month)
        except BaseException:  # its outcome is unknown, also when we are being cancelled
            self.assigned({row_.partition for row_ in missing})
            raise
        self._repeats.remember(row_.name for row_ in rows)
        if erasures:
            await self._table.erase(erasures)
        return rejects

    async def _settle(self, rows: Sequence[Row]) -> None:
        """Learn what the table may hold of the partitions of which that is unknown."""
        unknown = {row_.partition for row_ in rows} - self._may_hold.keys()
        if unknown:
            await self._table.settle(unknown)
            since_ms = min(row_.received_ms for row_ in rows) - WINDOW_MS
            self._repeats.remember(await self._table.names(since_ms, self._names_max))
            self._repeats.erase(await self._table.erased(self._names_max))
            self._may_hold |= await self._table.high_water(unknown)

    async def _missing(self, rows: list[Row]) -> list[Row]:
        """The rows that the table does not hold."""
        doubtful = [row_ for row_ in rows if row_.offset <= self._may_hold[row_.partition]]
        if not doubtful:
            return rows
        present = await self._table.present(spans(doubtful))
        return [row_ for row_ in rows if (row_.partition, row_.offset) not in present]


def by_month(rows: Sequence[Row]) -> list[list[Row]]:
    """`rows` by the table's partition, the month of receipt, each in their order."""
    months: dict[int, list[Row]] = {}
    for row_ in rows:
        months.setdefault(month_of(row_.received_ms), []).append(row_)
    return [months[month] for month in sorted(months)]


def uncovered(rows: Sequence[Row], erasures: Sequence[Erasure]) -> list[Row]:
    """`rows` without those that one of `erasures` would take away again."""
    by_name: dict[tuple[str, str], list[Erasure]] = {}
    for each in erasures:
        by_name.setdefault(each.name, []).append(each)
    return [
        row_
        for row_ in rows
        if not any(
            each.covers(row_.partition, row_.offset, row_.received_ms)
            for each in by_name.get(identity(row_.data), ())
        )
    ]


def read_records(records: Sequence[LogRecord]) -> Read:
    """Rows of the events, erasures of the tombstones, rejects of what is neither."""
    rows: list[Row] = []
    erasures: list[Erasure] = []
    rejects: list[Reject] = []
    for record in records:
        try:
            if not 0 <= record.timestamp < YEAR_2200_MS:
                raise Undecodable(
                    f"the record's time, {record.timestamp} ms, is not between 1970 and 2200"
                )
            if record.value is None:
                erasures.append(_erasure(record))
            else:
                rows.append(_row(record))
        except (Undecodable, NotBase64) as error:
            rejects.append(Reject(record, str(error)))
    return Read(rows, erasures, rejects)


def _erasure(record: LogRecord) -> Erasure:
    tenant, event_id = decode_erasure(record.headers)
    return Erasure(tenant, event_id, record.partition, record.offset, record.timestamp)


def _row(record: LogRecord) -> Row:
    partition, offset, received_ms = record.partition, record.offset, record.timestamp
    tenant, event = decode_tenant(record.headers), decode_event(record.value)
    data = row(tenant, partition, offset, received_ms, event)
    event_id = cast("str", event.id)
    name = (tenant, event_id) if event_id[VERSION_AT] == DERIVED else None
    return Row(partition, offset, received_ms, data, name)


def spans(rows: Sequence[Row]) -> dict[int, tuple[int, int]]:
    """First and last offset of `rows` by partition."""
    found: dict[int, tuple[int, int]] = {}
    for each in rows:
        first, last = found.get(each.partition, (each.offset, each.offset))
        found[each.partition] = (min(first, each.offset), max(last, each.offset))
    return found
