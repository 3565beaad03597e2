"""Why the table has no row for an offset of the log: read from the log itself, offset by offset.

In the order in which it is found out, for each record:

- `empty`: Kafka has no record there (a marker, a record that was compacted away);
- `erasure`: a tombstone; the erasure that it asks for is noted in the table of erasures;
- `erased`: an event that a tombstone erases, or that repeated one soon after its erasure;
- `repeat`: the event, (tenant, id), is in the table from another record. An id that is derived from
  an Idempotency-Key comes as often as the request was sent, and the table keeps the first;
- `rejected`: it was parked on `events.rejected` from this position;
- `expired`: the table's TTL has removed it, or would;
- `missing`: nothing of that: the event was lost.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Literal, NamedTuple

from contracts.block import Row
from contracts.erasures import Erasure, by_name
from contracts.topics import EVENTS, REJECTED
from processors.erasures import Erasures
from processors.offsets import KEYS_MAX, Offsets
from processors.reading import read_erasures, read_rows, split
from processors.repeats import WINDOW_MS
from processors.replay import Log
from processors.step import LogRecord

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

    def __init__(self, log: Log, table: Offsets, erasures: Erasures) -> None:
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
            batches = self._log.read(EVENTS, partition, first, end, KEYS_MAX)
            async for batch in batches:
                records = [record for record in batch if record.offset in wanted]
                wanted -= {record.offset for record in records}
                yield await self._explain(records)
        yield [Explained(each, "empty") for each in sorted(wanted)]

    async def _explain(self, records: Sequence[LogRecord]) -> list[Explained]:
        events, tombstoned = split(records)
        rows, unreadable = read_rows(events)
        tombstones, nameless = read_erasures(tombstoned)
        names = {row.offset: row.identity for row in rows}
        lacking = {offset: f"event {name[1]} of {name[0]}" for offset, name in names.items()}
        lacking |= {
            each.offset: f"the erasure of event {each.event_id} of {each.tenant}"
            for each in tombstones
        }
        lacking |= {
            record.offset: f"cannot be read and is not on {REJECTED}: {reason}"
            for record, reason in unreadable + nameless
        }
        erased = await self._erased(rows, tombstones)
        known = await self._table.known(list(names.values()))
        parked = await self._parked_of(records[0].partition) if records else set()
        late = await self._expired(rows)
        found = []
        for record in records:
            offset = record.offset
            if offset in erased:
                found.append(Explained(offset, erased[offset]))
            elif names.get(offset) in known:
                found.append(Explained(offset, "repeat"))
            elif offset in parked:
                found.append(Explained(offset, "rejected"))
            elif offset in late:
                found.append(Explained(offset, "expired"))
            else:
                found.append(Explained(offset, "missing", lacking[offset]))
        return found

    async def _erased(
        self, rows: Sequence[Row], tombstones: Sequence[Erasure]
    ) -> dict[int, Literal["erasure", "erased"]]:
        """Offsets of tombstones that were obeyed, and of events that are away for one."""
        names = [row.identity for row in rows]
        noted = await self._erasures.of([*names, *(each.name for each in tombstones)])
        named = by_name(noted)
        found: dict[int, Literal["erasure", "erased"]] = {
            each.offset: "erasure" for each in tombstones if each in noted
        }
        for row, name in zip(rows, names, strict=True):
            if any(_away(row, erasure) for erasure in named.get(name, ())):
                found[row.offset] = "erased"
        return found

    async def _expired(self, rows: Sequence[Row]) -> set[int]:
        times = [(row.tenant, row.received_ms) for row in rows]
        return {rows[index].offset for index in await self._table.expired(times)}

    async def _parked_of(self, partition: int) -> set[int]:
        """The offsets of this partition of `events` that are on `events.rejected`."""
        if self._parked is None:
            self._parked = await self._read_parked()
        return self._parked.get(partition, set())

    async def _read_parked(self) -> dict[int, set[int]]:
        parked: dict[int, set[int]] = {}
        for number, (first, end) in (await self._log.bounds(REJECTED)).items():
            async for batch in self._log.read(REJECTED, number, first, end, KEYS_MAX):
                for record in batch:
                    origin = dict(record.headers)  # ours come last: a client's own do not count
                    if origin.get("source_topic") == EVENTS.encode():
                        source = int(origin["source_partition"])
                        parked.setdefault(source, set()).add(int(origin["source_offset"]))
        return parked


def _away(row: Row, erasure: Erasure) -> bool:
    """Whether `erasure` is why its event's row is not stored; see `repeats.py` for the window."""
    in_window = row.received_ms <= erasure.erased_ms + WINDOW_MS
    return in_window or erasure.covers(row.partition, row.offset, row.received_ms)


def runs(offsets: Collection[int]) -> list[tuple[int, int]]:
    """Ranges (first, end) to read for `offsets`; what lies close together is read at once."""
    found: list[tuple[int, int]] = []
    for offset in sorted(offsets):
        if found and offset - found[-1][1] < READ_ON:
            found[-1] = (found[-1][0], offset + 1)
        else:
            found.append((offset, offset + 1))
    return found
