"""Proves that the table says what the log says: the same events at the same places, each once.

    per partition, per span of offsets: count and digest of the log's events = those of the table's rows?
        proven, but for offsets that are no events -> why (absent.py)
        else each offset -> the same row? twice? another? none? -> why (absent.py)
    at the end: rows of events that were erased

Both sides compute the digest from what they hold: position, tenant, id and every field of the event
(`contracts/encoding/digest.py`). The committed offsets are asked for before the table is looked at, and the
materializer commits after its insert, so what is on its way is never taken for missing. Between the
swap and the end of a rebuild the view lacks what the rebuild is about to add: audit before or after it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from contracts.clickhouse.table import EVENTS_TABLE
from contracts.encoding.digest import MODULUS, row_hash
from contracts.topics import EVENTS, MATERIALIZE_GROUP
from processors.consume.replay import Log, Progress
from processors.materialize.reading import read_rows, split
from processors.upkeep.absent import Absent
from processors.upkeep.account import SHOWN_MAX, Account, Range
from processors.upkeep.coverage import spans
from processors.upkeep.database import Database

RECORDS_MAX = 5_000
"""Records that are read at once."""


class Unprovable(Exception):
    """Log and table do not fit together, or there is nothing to compare; the message says why."""


class Said(NamedTuple):
    """The hashes of the log's events of a range, by offset; it keeps none before `kept_from`."""

    kept_from: int
    hashes: dict[int, int]


class Audit:
    """Compares one log with one table. Methods raise `Transient` when a server fails."""

    def __init__(
        self, log: Log, number: int, database: Database, table: str = EVENTS_TABLE
    ) -> None:
        """`number`: of the log, see `processors.upkeep.logs`."""
        self._log = log
        self._table = database.coverage(number, table)
        self._rows = database.rows(number, table)
        self._erasures = database.erasures(table)

    async def __call__(
        self,
        *,
        to_end: bool,
        progress: Progress,
        since: dict[int, int] | None = None,
        until: dict[int, int] | None = None,
    ) -> Account:
        """Compare up to what is committed, or to the log's end; from `since`, up to `until` if given.

        Raises `Unprovable`.
        """
        ranges = [
            Range(
                number,
                first if since is None else since.get(number, first),
                end if until is None else until.get(number, first),
            )
            for number, first, end in await self._scope(to_end)
        ]
        account = Account(await self._log.topic_id(), to_end, ranges)
        absent, done = Absent(self._log, self._table, self._rows), 0
        for partition, first, end in account.ranges:
            for low, high in spans(first, end):
                await self._compare(absent, account, Range(partition, low, high))
                done += high - low
                progress("comparing", done, account.offsets)
        ends = {each.partition: each.end for each in account.ranges}
        for erasure, partition, offset in await self._erasures.lingering(SHOWN_MAX):
            if erasure.offset < ends.get(erasure.partition, 0):  # past the end it is under way
                detail = f"event {erasure.event_id} was erased"
                account.differ("lingering", partition, offset, detail)
        for name, partition, offset in await self._table.twice(SHOWN_MAX):
            account.differ(
                "twice", partition, offset, f"another row of event {name[1]} of {name[0]}"
            )
        account.others = await self._table.other_logs()
        return account

    async def _compare(self, absent: Absent, account: Account, part: Range) -> None:
        """Enter one span."""
        said, held = await self._said(part), await self._table.held(*part)
        stored: set[int] = set()
        if held == (len(said.hashes), sum(said.hashes.values()) % MODULUS):
            account.agree(part.partition, said.hashes.values())
            stored = set(said.hashes)
        else:
            for offset, found in (await self._table.hashes(*part)).items():
                stored.add(offset)
                if offset < said.kept_from:
                    account.counts["outlived"] += 1
                else:
                    _judge(account, part.partition, offset, said.hashes.get(offset), found)
        lacking = set(range(part.first, part.end)) - stored
        async for explained in absent.explain(part.partition, lacking):
            account.absent(part.partition, explained)

    async def _said(self, part: Range) -> Said:
        """What the log still keeps of the span."""
        kept_from = (await self._log.bounds(EVENTS))[part.partition][0]
        first, hashes = max(part.first, kept_from), {}
        if first < part.end:
            async for records in self._log.read(
                EVENTS, part.partition, first, part.end, RECORDS_MAX
            ):
                rows, _ = read_rows(split(records)[0])
                hashes.update({row.offset: row_hash(row) for row in rows})
        return Said(kept_from, hashes)

    async def _scope(self, to_end: bool) -> list[Range]:
        """What there is to compare. Raises `Unprovable`."""
        stored = await self._table.bounds()  # before the log: it only grows
        kept = await self._log.bounds(EVENTS)
        for partition, (_, highest) in sorted(stored.items()):
            end = kept.get(partition, (0, 0))[1]
            if highest >= end:
                raise Unprovable(
                    f"The table holds offset {highest} of partition {partition}, the log ends at"
                    f" {end}: it has lost its newest records."
                )
        if to_end:
            return [Range(partition, first, end) for partition, (first, end) in kept.items()]
        committed = await self._log.committed()
        for partition, (_, end) in kept.items():
            if end and partition not in committed:
                raise Unprovable(
                    f"{MATERIALIZE_GROUP} has committed no offset of partition {partition}, so there"
                    " is nothing to compare up to. Start the materializer, or compare up to the end."
                )
        # what left the log before it was materialized is part of the account
        return [
            Range(partition, *sorted((first, committed.get(partition, 0))))
            for partition, (first, _) in kept.items()
        ]


def _judge(
    account: Account, partition: int, offset: int, said: int | None, found: Sequence[int]
) -> None:
    """Enter an offset that has rows."""
    if said is None:
        account.differ("foreign", partition, offset, "a row, and no event of the log is there")
        return
    if said not in found:
        account.differ("altered", partition, offset, "the row does not say what the record says")
        return
    account.agree(partition, [said])
    if len(found) > 1:
        account.differ("doubled", partition, offset, f"{len(found)} rows")
