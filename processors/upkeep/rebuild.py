"""Replays the log into a fresh table and swaps it in, while posting and reading go on.

    fresh table -> fill up to what the materializer has committed, until that is near
                -> take away what was erased -> audit it, and compare it with the table in use
                -> fill what came meanwhile -> EXCHANGE TABLES
                -> wait for inserts that still go into the old table -> fill what went there
                -> take away what was erased -> audit the rest -> drop the old table

Why nothing is lost and nothing double:

1. *Offsets divide the work.* A rebuild inserts offsets below what the materializer has committed, as
   asked for before; the materializer inserts offsets at or past it, because it goes on, also after
   a crash or a rebalance, from there. So they never insert the same record, whichever table the
   name `events` means. (A paused earlier owner of a partition may write late, with or without a
   rebuild; ReplacingMergeTree absorbs that.)
2. *The materializer's marks stay right.* They say up to which offset the table may hold rows, so
   that rows past it are inserted without asking. By 1 the swapped-in table holds nothing of ours at
   or past the commit, and the next record that a materializer takes is at or past it. Where a mark
   is too high, after the swap, it only reads back more than it has to.
3. *Nothing stays behind in the old table.* An insert that looked the name up before the swap goes on
   into the old table; it is in system.processes from before it looked until it ends. So all that
   run after the swap are waited for; from then on the old table changes no more. A record there
   is either committed soon, then a fill adds it to the new table from the log; or its insert's
   outcome was unknown to the materializer, which reads the new table back, does not find it
   and inserts it. Which of them it is shows in the commit: the fill goes on until the committed
   offsets are past all that the old table holds.
4. *What the log does not keep any more* is copied from the old table, in `fill.py`, also when the log's
   beginning moves on meanwhile.
5. *Nothing vanishes.* What is swapped in has been proven against the log, and shows every event that the
   table in use shows, but for those that were erased or have expired. Else nothing is swapped.
   Until the swap nothing expires in the fresh table by a merge: of an event and its repeat, both long
   ago, the same one is left out as then.
6. *No erasure is lost.* The materializer notes an erasure before it deletes, and commits the
   tombstone after that; its DELETE may have hit the old table, or the new one before the fill put
   the event there. So after the last fill every row whose erasure is noted is taken away. One that
   is noted later is deleted later too, from the new table. The same is done before the swap, so that
   it does not show what was erased.

7. *On a cluster* the swap passes through the replicas one after another, and meanwhile an insert goes
   into the table that has the name where it is sent. That is the case of 3, longer: the fill after
   the swap begins when every replica has swapped and no insert that began before runs on any.

After a kill it is run again. The fresh table is its own state: complete spans are passed over, in
others only missing rows are inserted, after inserts of the killed run have ended. Which table is which
is in their comments (`swap.py`). Two rebuilds at once would insert twice: run one.

From the swap until the fill after it, rows of about the last second are not in the view; whether an
event was there before, the materializer asks both tables. GET waits for recent ids anyway; a rebuild
that is killed just then should be run again at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from contracts.clickhouse.table import EVENTS_TABLE
from processors.consume.replay import Log, Progress
from processors.consume.step import Transient
from processors.upkeep.account import SHOWN_MAX, Account, Range
from processors.upkeep.audit import Audit
from processors.upkeep.coverage import Coverage, spans
from processors.upkeep.database import Database
from processors.upkeep.fill import Fill
from processors.upkeep.swap import FRESH_TABLE, Refused

NEAR = 1_000
"""Offsets that may be left for after the swap: a fraction of a second's work."""
ROUNDS_MAX = 50
COMMIT_TIMEOUT_S = 120.0
POLL_S = 0.05
UNCOMMITTED = "the materializer has not committed what the table held: does it run?"


class Outcome(NamedTuple):
    """What was proven; whether the fresh table is in use; the name of a table that is kept, if any."""

    account: Account
    swapped: bool
    kept: str


class Rebuild:
    """One rebuild, begun or resumed. Methods raise `Transient` when a server fails."""

    def __init__(self, log: Log, number: int, database: Database) -> None:
        """`number`: of the log, see `processors.upkeep.logs`."""
        self._log = log
        self._number = number
        self._database = database
        self._tables = database.tables()

    async def __call__(self, *, keep_old: bool, progress: Progress) -> Outcome:
        """Rebuild and prove, swap, then drop the old table.

        It is kept when asked for, and whenever the new one is not proven; it stays in use when that
        shows before the swap.

        Raises `Refused`, `Unprovable`, `Transient`: run it again when the cause is gone.
        """
        stage, done, before = await self._tables.stage(), None, None
        if stage == "none":
            await self._tables.create()
        if stage != "swapped":
            await self._tables.compare()
            before = await self._prepare(progress)
            if not before.proven:
                return Outcome(before, False, FRESH_TABLE)
            done = await self._catch_up(progress, _ends(before))
            await self._tables.compare()
            await self._database.erasures(FRESH_TABLE).sweep()
            await self._tables.exchange()
        await self._tables.let_expire()
        has_old = await self._tables.has_old()
        if has_old:
            await self._take_over(done, progress)
        await self._database.erasures().sweep()
        since = None if before is None else _ends(before)
        account = await self._audit(EVENTS_TABLE)(to_end=False, progress=progress, since=since)
        if before is not None:
            account.follow(before)
        if has_old and not account.proven:
            return Outcome(account, True, FRESH_TABLE)
        return Outcome(account, True, await self._tables.finish(keep_old=keep_old))

    async def _prepare(self, progress: Progress) -> Account:
        """Fill the fresh table until it is near, prove it and compare it with the one in use."""
        await self._tables.hold_expiry()
        done = await self._catch_up(progress)
        await self._database.erasures(FRESH_TABLE).sweep()
        account = await self._audit(FRESH_TABLE)(to_end=False, progress=progress, until=done)
        await self._compare(account, done)
        return account

    async def _compare(self, account: Account, done: dict[int, int]) -> None:
        """Enter what the table in use shows below `done`, or of other logs, and the fresh one does not."""
        in_use = self._table(EVENTS_TABLE)
        for number in (self._number, *await in_use.other_logs()):
            used, fresh = in_use.of(number), self._table(FRESH_TABLE).of(number)
            for partition, (first, last) in (await used.bounds()).items():
                end = min(last + 1, done.get(partition, 0) if number == self._number else last + 1)
                for low, high in spans(first, end):
                    part = Range(partition, low, high)
                    if await used.held(*part) != await fresh.held(*part):
                        for offset, (tenant, event_id) in await used.not_in(
                            fresh, *part, SHOWN_MAX
                        ):
                            detail = f"event {event_id} of {tenant} would not be shown any more"
                            account.differ("vanished", partition, offset, detail)

    async def _catch_up(
        self, progress: Progress, done: dict[int, int] | None = None
    ) -> dict[int, int]:
        """Fill the fresh table, complete below `done`, until it is near; how far it is complete then.

        Near is: little was left to fill, and the materializer has committed all that the table in
        use held a moment ago. So it runs, and the view will lack no more than the last moments.
        """
        fill, rounds = self._fill(FRESH_TABLE, EVENTS_TABLE, done), 0
        while await fill.up_to(await self._log.committed(), progress) > NEAR:
            rounds += 1
            if rounds > ROUNDS_MAX:
                raise Refused(
                    "Events come faster than they are replayed. Run it again at a quieter time."
                )
        stored = await self._table(EVENTS_TABLE).bounds()

        async def near() -> bool:
            committed = await self._log.committed()
            return await fill.up_to(committed, progress) <= NEAR and _past(committed, stored)

        await _until(near, UNCOMMITTED)
        return fill.done

    async def _take_over(self, done: dict[int, int] | None, progress: Progress) -> None:
        """After the swap: bring over what went into the old table since, see 3 above."""
        running = await self._tables.inserting()

        async def ended() -> bool:
            return not running & await self._tables.inserting()

        await _until(ended, "an insert into the old table still runs")
        old = await self._table(FRESH_TABLE).bounds()
        fill = self._fill(EVENTS_TABLE, FRESH_TABLE, done)

        async def passed() -> bool:
            committed = await self._log.committed()
            await fill.up_to(committed, progress)
            return _past(committed, old)

        await _until(passed, UNCOMMITTED)

    def _fill(self, into: str, source: str, done: dict[int, int] | None) -> Fill:
        return Fill(self._log, self._database, self._number, into=into, source=source, done=done)

    def _audit(self, table: str) -> Audit:
        return Audit(self._log, self._number, self._database, table)

    def _table(self, name: str) -> Coverage:
        return self._database.coverage(self._number, name)


def _ends(account: Account) -> dict[int, int]:
    """Before which offsets all is compared, by partition."""
    return {each.partition: each.end for each in account.ranges}


def _past(committed: dict[int, int], stored: dict[int, tuple[int, int]]) -> bool:
    """Whether all that is stored is committed."""
    return all(committed.get(partition, 0) > last for partition, (_, last) in stored.items())


async def _until(condition: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    give_up = time.monotonic() + COMMIT_TIMEOUT_S
    while not await condition():
        if time.monotonic() > give_up:
            raise Transient(f"After {COMMIT_TIMEOUT_S:g} s {otherwise}")
        await asyncio.sleep(POLL_S)
