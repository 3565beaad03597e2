"""Proves that each event came to its end in each subscription that it matched, or is waiting to.

    who waits, the subscriptions; then the ledger has stored all that was told by then
    per chunk of a partition: who is owed what (owed.py), what the ledger says of it (told.py)
        delivered, dead, cancelled, or in a range that was -> so
        else it waits, or it repeats an event from before  -> so
        else it is printed
    what the ledger says to have delivered and nobody was owed is foreign

A delivery is delivered if it ever was, whatever a redrive did later. Who matched is known by the filters
of now, so only for subscriptions that have not been changed since the event was received.
"""

import re
import time
from collections.abc import Iterable
from typing import Protocol

from contracts.ids import is_derived
from contracts.topics import DAY_MS, EVENTS
from processors.consume.replay import Log, Progress
from processors.deliver.place import Place
from processors.materialize.step import Rows
from processors.upkeep.account import Range
from processors.upkeep.audit import Unprovable
from processors.upkeep.deliveries.account import Account
from processors.upkeep.deliveries.owed import Chunk, Pair, chunks
from processors.upkeep.deliveries.period import Period
from processors.upkeep.deliveries.subscribed import CLOCKS_MS, Subscribed, subscribed
from processors.upkeep.deliveries.told import Ended, Said
from processors.upkeep.deliveries.waiting import Waiting, wait_for_ledger, waiting

KEPT_DAYS = re.compile(r"toIntervalDay\(([0-9]+)\)")


class Table(Protocol):
    """The ledger's table, see `told.Deliveries`. Methods raise `Transient`."""

    async def told(self, partition: int, first: int, end: int, since_ms: int) -> list[Said]:
        """What attempts say."""

    async def ended(self, partition: int, first: int, end: int, since_ms: int) -> list[Ended]:
        """Ranges that ended as a whole."""

    async def ttl(self) -> str:
        """How long it keeps them."""


class DeliveriesAudit:
    """Compares the log with the ledger; `rows` are those of the table of events."""

    def __init__(self, log: Log, table: Table, rows: Rows) -> None:
        self._log = log
        self._table = table
        self._rows = rows

    async def __call__(self, asked: Period, progress: Progress) -> Account:
        """The account of the events of that time. Raises `Unprovable`, and `Transient`."""
        await self._refuse_what_has_expired(asked)
        account = Account(await self._log.topic_id(), asked, await self._ranges(asked))
        waits = await waiting(self._log)
        known = await subscribed(self._log)  # after: a change since then is of what was waiting
        await wait_for_ledger(self._log, progress)
        done = 0
        for partition, first, end in account.ranges:
            async for chunk in chunks(self._log, known, partition, first, end):
                await _Comparison(account, chunk, waits, known).run(self._table, self._rows)
                done += chunk.end - chunk.first
                progress("comparing", done, account.offsets)
        return account

    async def _ranges(self, asked: Period) -> list[Range]:
        kept = await self._log.bounds(EVENTS)
        begin = await self._log.offsets_at(EVENTS, asked.from_ms)
        ends = {} if asked.to_ms is None else await self._log.offsets_at(EVENTS, asked.to_ms)
        found = []
        for number, (first, end) in kept.items():
            low = min(max(first, begin.get(number, first)), end)
            found.append(Range(number, low, max(low, min(ends.get(number, end), end))))
        return found

    async def _refuse_what_has_expired(self, asked: Period) -> None:
        days = KEPT_DAYS.search(await self._table.ttl())
        if days and asked.from_ms < time.time() * 1000 - int(days[1]) * DAY_MS:
            raise Unprovable(
                f"The ledger keeps attempts for {days[1]} days, so nothing is known of events before."
            )


class _Comparison:
    """Enters one chunk into the account."""

    def __init__(self, account: Account, chunk: Chunk, waits: Waiting, known: Subscribed) -> None:
        self._account = account
        self._chunk = chunk
        self._waits = waits
        self._known = known
        self._left: dict[Pair, str] = {}
        self._attempted: dict[Pair, str] = {}

    async def run(self, table: Table, rows: Rows) -> None:
        """Ask and compare. Raises `Transient`."""
        chunk = self._chunk
        from_ms = min(chunk.received_ms.values(), default=self._account.period.from_ms)
        where = chunk.partition, chunk.first, chunk.end, from_ms
        self._account.note(chunk)
        left = {offset: {*each.subscriptions} for offset, each in chunk.owed.items()}
        for said in await table.told(*where):
            self._said(said, left.get(said.offset, set()))
        self._left = {
            Pair(offset, chunk.owed[offset].tenant, name): chunk.owed[offset].event_id
            for offset, names in left.items()
            for name in sorted(names)
        }
        if self._left:
            self._end(await table.ended(*where))
        self._wait()
        if self._left:
            await self._repeat(rows)
        for pair, event_id in self._left.items():
            detail = self._attempted.get(pair, "no attempt is known")
            self._account.differ("missing", chunk.partition, pair, event_id, detail)

    def _said(self, said: Said, left: set[str]) -> None:
        """Take from `left` who has come to an end with the event, and enter it."""
        owed = self._chunk.owed.get(said.offset)
        is_it = owed is not None and (owed.tenant, owed.event_id) == (said.tenant, said.event_id)
        to = owed.subscriptions if owed is not None and is_it else set()
        once = to.intersection(said.once)
        self._account.counts["delivered"] += len(once)
        left -= once
        if len(once) < len(said.once):
            for name in sorted({*said.once} - once):
                pair = Pair(said.offset, said.tenant, name)
                self._not_owed(pair, said.event_id, 1, said.delivered_ms)
        for told in said.others:
            name = told.pair.subscription_id
            if name not in to:
                self._not_owed(told.pair, said.event_id, told.automatic, told.delivered_ms)
            elif self._account.ended(self._chunk.partition, told):
                left.discard(name)
            else:
                self._attempted[told.pair] = told.latest

    def _end(self, ranges: Iterable[Ended]) -> None:
        """What is in a range that ended as a whole."""
        of: dict[tuple[str, str], list[Ended]] = {}
        for each in ranges:
            of.setdefault(each[:2], []).append(each)
        for pair in [*self._left]:
            found = next((each for each in of.get(pair.key, ()) if each.has(pair)), None)
            if found:
                self._count(found.state, pair)

    def _wait(self) -> None:
        for pair in [*self._left]:
            why = self._waits.why(Place(*pair.key, self._chunk.partition), pair.offset)
            if why:
                self._count(why, pair)

    async def _repeat(self, rows: Rows) -> None:
        """What repeats an event that came before the range began."""
        names = {(pair.tenant, id_) for pair, id_ in self._left.items() if is_derived(id_)}
        if not names:
            return
        shown = await rows.shown([*names])
        erased = {each.name for each in await rows.erased([*names])}
        for pair, event_id in [*self._left.items()]:
            name = pair.tenant, event_id
            if any(
                each.here and each.partition == self._chunk.partition and each.offset < pair.offset
                for each in shown.get(name, ())
            ):
                self._count("repeats", pair)
            elif name in erased:
                self._count("erased", pair)

    def _count(self, kind: str, pair: Pair) -> None:
        self._account.counts[kind] += 1
        del self._left[pair]

    def _not_owed(self, pair: Pair, event_id: str, automatic: int, delivered_ms: int) -> None:
        """What the ledger says beside: only that it was delivered, by itself, is of interest."""
        account, chunk = self._account, self._chunk
        if not automatic:
            return
        received_ms, owed = chunk.received_ms.get(pair.offset), chunk.owed.get(pair.offset)
        if not self._known.is_known(pair.key):
            account.counts["gone"] += 1
            return
        if pair.offset in chunk.repeats:
            account.counts["duplicates"] += automatic
            return
        if received_ms is None:
            why = "no record is there"
        elif not self._known.is_judged(pair.key, received_ms):
            return  # among those that were changed since, where it matches
        elif owed is not None and owed.event_id != event_id:
            why = f"event {owed.event_id} is there"
        else:
            why = "delivered, and its subscription does not match it"
        if delivered_ms < account.at_s * 1000 - CLOCKS_MS:  # else by what was changed since
            account.differ("foreign", chunk.partition, pair, event_id, why)
