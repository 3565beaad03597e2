"""Why the table has no row for an offset of the log: read from the log itself, offset by offset.

In the order in which it is found out, for each record:

- `empty`: Kafka has no record there (a marker, a record that was compacted away);
- `rejected`: it was parked on `events.rejected` from this position;
- `erasure`: a tombstone; the erasure that it asks for is noted in the table of erasures;
- `erased`: an event that was erased, whether before or after this record of it;
- `repeat`: the event, (tenant, id), is in the table from another record. An id that is derived from
  an Idempotency-Key comes as often as the request was sent, and the table has the first;
- `expired`: the table's TTL has removed it, or would; or it repeats what the TTL has removed since;
- `missing`: nothing of that: the event was lost.
"""

import time
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Literal, NamedTuple

from contracts.clickhouse.table import FOR_EVER_MS
from contracts.encoding.block import Name, Row
from contracts.erasures import by_name
from contracts.ids import NAMES_MAX
from contracts.topics import EVENTS, REJECTED
from processors.consume.replay import Log
from processors.consume.step import LogRecord
from processors.materialize.reading import read_erasures, read_rows, split
from processors.materialize.repeats import Shown, is_covered
from processors.materialize.step import Rows
from processors.upkeep.coverage import Coverage

Reason = Literal["empty", "erasure", "erased", "repeat", "rejected", "expired", "missing"]

READ_ON = 1_000
"""Offsets that are read and passed over rather than looked up anew."""


class Explained(NamedTuple):
    """One offset without a row; `detail` says more of what is missing."""

    offset: int
    reason: Reason
    detail: str = ""


class Absent:
    """Explains offsets. Every method raises `Transient` when a server fails."""

    def __init__(self, log: Log, table: Coverage, rows: Rows) -> None:
        """`rows` are those of `table`."""
        self._log = log
        self._table = table
        self._rows = rows
        self._parked: set[tuple[int, int]] | None = None

    async def explain(
        self, partition: int, offsets: Collection[int]
    ) -> AsyncIterator[list[Explained]]:
        """A reason for each of `offsets`, all of one partition and before the log's end."""
        kept_from = (await self._log.bounds(EVENTS))[partition][0]
        if gone := sorted(each for each in offsets if each < kept_from):
            parked = await self._all_parked()
            yield [
                Explained(each, "rejected")
                if (partition, each) in parked
                else Explained(each, "missing", "and the log does not keep it any more")
                for each in gone
            ]
        wanted = {each for each in offsets if each >= kept_from}
        for first, end in runs(wanted):
            async for batch in self._log.read(EVENTS, partition, first, end, NAMES_MAX):
                records = [record for record in batch if record.offset in wanted]
                wanted -= {record.offset for record in records}
                yield await self._explain(records)
        yield [Explained(each, "empty") for each in sorted(wanted)]

    async def _explain(self, records: Sequence[LogRecord]) -> list[Explained]:
        """What each is: missing, until a reason is found."""
        events, tombstoned = split(records)
        rows, unreadable = read_rows(events)
        tombstones, nameless = read_erasures(tombstoned)
        names = [row.name for row in rows]
        shown, parked = await self._rows.shown(names), await self._all_parked()
        erased = by_name(await self._rows.erased([*names, *(each.name for each in tombstones)]))
        found = {
            each.offset: Explained(each.offset, "missing", f"event {each.name[1]} of {each.tenant}")
            for each in rows
        }
        for each in tombstones:
            detail = f"the erasure of event {each.event_id} of {each.tenant}"
            reason: Reason = "erasure" if each.name in erased else "missing"
            found[each.offset] = Explained(each.offset, reason, detail)
        for record, why, _ in unreadable + nameless:
            detail = f"cannot be read and is not on {REJECTED}: {why}"
            found[record.offset] = Explained(record.offset, "missing", detail)
        for row in rows:
            if is_covered(row, erased.get(row.name, ())):
                found[row.offset] = Explained(row.offset, "erased")
            elif any(_is_first(each, row) for each in shown.get(row.name, ())):
                found[row.offset] = Explained(row.offset, "repeat")
        for record in records:
            if (record.partition, record.offset) in parked:
                found[record.offset] = Explained(record.offset, "rejected")
        for row in await self._expired([r for r in rows if found[r.offset].reason == "missing"]):
            found[row.offset] = Explained(row.offset, "expired")
        return list(found.values())

    async def _expired(self, rows: Sequence[Row]) -> list[Row]:
        """Those that the TTL has removed, and repeats of what it has removed since they came."""
        now_ms = time.time() * 1000
        ends = list(zip(rows, await self._table.expiries(rows), strict=True))
        repeats = [row for row, end in ends if row.derived and now_ms < end < FOR_EVER_MS]
        firsts = await self._firsts({row.name for row in repeats})
        return [row for row, end in ends if end <= now_ms] + [
            row
            for row in repeats
            if any(each.expires_ms <= now_ms and _is_first(each, row) for each in firsts[row.name])
        ]

    async def _firsts(self, names: Collection[Name]) -> dict[Name, list[Shown]]:
        """The rows that the table ever had of these, but for erased ones.

        The log is read anew, for it is rare.
        """
        if not names:
            return {}
        firsts: dict[Name, list[Shown]] = {name: [] for name in names}
        erased = by_name(await self._rows.erased(list(names)))
        # before partitions were added an event may have been in another one
        for partition, (first, end) in (await self._log.bounds(EVENTS)).items():
            async for records in self._log.read(EVENTS, partition, first, end, NAMES_MAX):
                rows = [
                    row
                    for row in read_rows(split(records)[0])[0]
                    if row.name in firsts and not is_covered(row, erased.get(row.name, ()))
                ]
                for row, end_ms in zip(rows, await self._table.expiries(rows), strict=True):
                    before = [each for each in firsts[row.name] if each.partition == partition]
                    if not any(_is_first(each, row) for each in before):
                        its = Shown(True, partition, row.offset, row.received_ms, end_ms)
                        firsts[row.name].append(its)
        return firsts

    async def _all_parked(self) -> set[tuple[int, int]]:
        """Partition and offset of the records of `events` that are on `events.rejected`."""
        if self._parked is not None:
            return self._parked
        parked, ours = set[tuple[int, int]](), str(await self._log.topic_id()).encode()
        for number, (first, end) in (await self._log.bounds(REJECTED)).items():
            async for batch in self._log.read(REJECTED, number, first, end, NAMES_MAX):
                for record in batch:
                    origin = dict(record.headers)  # ours come last: a client's own do not count
                    of = origin.get("source_topic_id") or ours  # before logs had names: the first
                    if origin.get("source_topic") == EVENTS.encode() and of == ours:
                        parked.add((int(origin["source_partition"]), int(origin["source_offset"])))
        self._parked = parked
        return parked


def _is_first(each: Shown, row: Row) -> bool:
    """Whether that row counts, and not this one: it is in another log or partition, or earlier.

    One that had expired when this one was received is no reason to leave it out.
    """
    elsewhere = not each.here or each.partition != row.partition
    return (elsewhere or each.offset < row.offset) and row.received_ms < each.expires_ms


def runs(offsets: Collection[int]) -> list[tuple[int, int]]:
    """Ranges (first, end) to read for `offsets`; what lies close together is read at once."""
    found: list[tuple[int, int]] = []
    for offset in sorted(offsets):
        if found and offset - found[-1][1] < READ_ON:
            found[-1] = (found[-1][0], offset + 1)
        else:
            found.append((offset, offset + 1))
    return found
