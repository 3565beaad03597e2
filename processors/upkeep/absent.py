"""Why the table has no row for an offset of the log: read from the log itself, offset by offset.

In the order in which it is found out, for each record:

- `empty`: Kafka has no record there (a marker, a record that was compacted away);
- `erasure`: a tombstone; the erasure that it asks for is noted in the table of erasures;
- `erased`: an event that was erased, whether before or after this record of it;
- `repeat`: the event, (tenant, id), is in the table from another record. An id that is derived from
  an Idempotency-Key comes as often as the request was sent, and the table has the first;
- `rejected`: it was parked on `events.rejected` from this position;
- `expired`: the table's TTL has removed it, or would; or it repeats what the TTL has removed since;
- `missing`: nothing of that: the event was lost.
"""

import time
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Literal, NamedTuple

from contracts.clickhouse.table import FOR_EVER_MS
from contracts.encoding.block import Name, Row
from contracts.erasures import Erasure, by_name
from contracts.ids import NAMES_MAX
from contracts.topics import EVENTS, REJECTED
from processors.consume.replay import Log
from processors.consume.step import LogRecord
from processors.materialize.erasures import Erasures
from processors.materialize.reading import read_erasures, read_rows, split
from processors.materialize.repeats import is_covered
from processors.upkeep.coverage import Coverage, Place

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

    def __init__(self, log: Log, table: Coverage, erasures: Erasures) -> None:
        self._log = log
        self._table = table
        self._erasures = erasures
        self._parked: dict[int, set[int]] | None = None

    async def explain(
        self, partition: int, offsets: Collection[int]
    ) -> AsyncIterator[list[Explained]]:
        """A reason for each of `offsets`, all of one partition and before the log's end."""
        kept_from = (await self._log.bounds(EVENTS))[partition][0]
        if gone := sorted(each for each in offsets if each < kept_from):
            parked = await self._parked_of(partition)
            yield [
                Explained(each, "rejected")
                if each in parked
                else Explained(each, "missing", "and the log does not keep it any more")
                for each in gone
            ]
        wanted = {each for each in offsets if each >= kept_from}
        for first, end in runs(wanted):
            batches = self._log.read(EVENTS, partition, first, end, NAMES_MAX)
            async for batch in batches:
                records = [record for record in batch if record.offset in wanted]
                wanted -= {record.offset for record in records}
                yield await self._explain(records)
        yield [Explained(each, "empty") for each in sorted(wanted)]

    async def _explain(self, records: Sequence[LogRecord]) -> list[Explained]:
        events, tombstoned = split(records)
        rows, unreadable = read_rows(events)
        tombstones, nameless = read_erasures(tombstoned)
        found: dict[int, Explained] = {
            offset: Explained(offset, reason)
            for offset, reason in (await self._erased(rows, tombstones)).items()
        }
        parked = await self._parked_of(records[0].partition) if records else set()
        for record in records:
            if record.offset in parked:
                found.setdefault(record.offset, Explained(record.offset, "rejected"))
        known = await self._table.known([row.name for row in rows])
        for row in rows:
            if any(_before(place, row) for place in known.get(row.name, ())):
                found.setdefault(row.offset, Explained(row.offset, "repeat"))
        for offset in await self._expired([row for row in rows if row.offset not in found]):
            found[offset] = Explained(offset, "expired")
        for row in rows:
            detail = f"event {row.name[1]} of {row.tenant}"
            found.setdefault(row.offset, Explained(row.offset, "missing", detail))
        for each in tombstones:
            detail = f"the erasure of event {each.event_id} of {each.tenant}"
            found.setdefault(each.offset, Explained(each.offset, "missing", detail))
        for record, reason, _ in unreadable + nameless:
            detail = f"cannot be read and is not on {REJECTED}: {reason}"
            found.setdefault(record.offset, Explained(record.offset, "missing", detail))
        return list(found.values())

    async def _erased(
        self, rows: Sequence[Row], tombstones: Sequence[Erasure]
    ) -> dict[int, Literal["erasure", "erased"]]:
        """Offsets of tombstones that were obeyed, and of events that are away for one."""
        names = [row.name for row in rows]
        wanted = [*names, *(each.name for each in tombstones)]
        noted = await self._erasures.of(wanted, self._table.log)
        named = by_name(noted)
        found: dict[int, Literal["erasure", "erased"]] = {
            each.offset: "erasure" for each in tombstones if each.name in named
        }
        for row, name in zip(rows, names, strict=True):
            if is_covered(row, named.get(name, ())):
                found[row.offset] = "erased"
        return found

    async def _expired(self, rows: Sequence[Row]) -> set[int]:
        """Those that the TTL has removed, and repeats of what it has removed since they came."""
        now_ms = time.time() * 1000
        ends = await self._table.expiries([(row.tenant, row.received_ms) for row in rows])
        found = {row.offset for row, end in zip(rows, ends, strict=True) if end <= now_ms}
        repeats = [row for row in rows if row.derived and row.offset not in found]
        firsts: dict[Name, list[Place]] = {}
        for first, end_ms in await self._firsts(repeats):
            before = firsts.setdefault(first.name, [])
            if not any(
                _before(each, first) for each in before if each.partition == first.partition
            ):
                before.append(Place(True, first.partition, first.offset, end_ms))
        return found | {
            row.offset
            for row in repeats
            if any(
                each.expires_ms <= now_ms and _before(each, row)
                for each in firsts.get(row.name, ())
            )
        }

    async def _firsts(self, repeats: Sequence[Row]) -> list[tuple[Row, int]]:
        """The records of their events that were not erased, and when each expires, in the log's order.

        The log is read anew, for it is rare.
        """
        if not repeats or min(await self._table.expiries([(repeats[0].tenant, 0)])) == FOR_EVER_MS:
            return []
        names, firsts = {row.name for row in repeats}, list[Row]()
        named = by_name(await self._erasures.of(list(names), self._table.log))
        # before partitions were added an event may have been in another one
        for partition, (first, end) in (await self._log.bounds(EVENTS)).items():
            async for records in self._log.read(EVENTS, partition, first, end, NAMES_MAX):
                rows = [row for row in read_rows(split(records)[0])[0] if row.name in names]
                firsts += [row for row in rows if not is_covered(row, named.get(row.name, ()))]
        ends = await self._table.expiries([(row.tenant, row.received_ms) for row in firsts])
        return list(zip(firsts, ends, strict=True))

    async def _parked_of(self, partition: int) -> set[int]:
        """The offsets of this partition of `events` that are on `events.rejected`."""
        if self._parked is None:
            self._parked = await self._read_parked()
        return self._parked.get(partition, set())

    async def _read_parked(self) -> dict[int, set[int]]:
        parked: dict[int, set[int]] = {}
        ours = str(await self._log.topic_id()).encode()
        for number, (first, end) in (await self._log.bounds(REJECTED)).items():
            async for batch in self._log.read(REJECTED, number, first, end, NAMES_MAX):
                for record in batch:
                    origin = dict(record.headers)  # ours come last: a client's own do not count
                    of = origin.get("source_topic_id") or ours  # before logs had names: the first
                    if origin.get("source_topic") == EVENTS.encode() and of == ours:
                        source = int(origin["source_partition"])
                        parked.setdefault(source, set()).add(int(origin["source_offset"]))
        return parked


def _before(place: Place, row: Row) -> bool:
    """Whether a row there counts, and not this one: it is in another log or partition, or earlier.

    One that had expired when this one was received is no reason to leave it out.
    """
    elsewhere = not place.here or place.partition != row.partition
    return (elsewhere or place.offset < row.offset) and row.received_ms < place.expires_ms


def runs(offsets: Collection[int]) -> list[tuple[int, int]]:
    """Ranges (first, end) to read for `offsets`; what lies close together is read at once."""
    found: list[tuple[int, int]] = []
    for offset in sorted(offsets):
        if found and offset - found[-1][1] < READ_ON:
            found[-1] = (found[-1][0], offset + 1)
        else:
            found.append((offset, offset + 1))
    return found
