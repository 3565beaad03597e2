"""Accepting a log: the first one unasked, another one when a person says what it is."""

import uuid
from typing import Literal

from contracts.encoding.digest import row_hash
from contracts.topics import EVENTS
from processors.consume.one_log import NotAccepted
from processors.consume.replay import Log, Progress
from processors.materialize.reading import read_rows
from processors.upkeep.account import WRONG
from processors.upkeep.audit import Audit
from processors.upkeep.coverage import Coverage
from processors.upkeep.database import Database
from processors.upkeep.logs import Logs


async def number_of(topic_id: uuid.UUID, log: Log, database: Database) -> int:
    """The number of the log with this topic id.

    The first log is accepted unasked, also for a table from before logs had names when its newest
    rows say what the log says there. Raises `NotAccepted`, and `Transient` when a server fails.
    """
    logs, table = database.logs(), database.coverage(0)
    known = await logs.known()
    if topic_id in known:
        return known[topic_id]
    if known or not await _continues(log, table):
        raise NotAccepted(topic_id, known)
    await logs.accept(topic_id, 0)
    return 0


async def numbered(topic_id: uuid.UUID, logs: Logs) -> int:
    """The number of that log: one that is not known gets the next, for nobody has to decide.

    Raises `Transient`.
    """
    known = await logs.known()
    if topic_id not in known:
        known[topic_id] = max(known.values(), default=-1) + 1
        await logs.accept(topic_id, known[topic_id])
    return known[topic_id]


async def copied(topic_id: uuid.UUID, log: Log, database: Database) -> dict[int, int]:
    """Where the records end, by partition, of which any may be of what was erased since.

    That is all that a copy has when it is begun: the tombstone may have come after it was made. Nothing
    of any other log. Raises `Transient` when a server fails.
    """
    numbers = await database.logs().known()
    if list(numbers.values()).count(numbers[topic_id]) == 1:
        return {}
    return {partition: end for partition, (_, end) in (await log.bounds(EVENTS)).items()}


class NotACopy(Exception):
    """The log does not hold what the table's rows were made from; the message names what differs."""


async def accept(
    kind: Literal["new", "copy"], log: Log, database: Database, progress: Progress
) -> int:
    """Accept the log that Kafka has now; its number: the next one, or that of the log it copies.

    A copy must hold what the rows of the latest log were made from, at the same places. Before either
    nothing is left half done of the log before: its tombstones are obeyed, for nobody reads them again,
    and a table that a rebuild has begun to fill is dropped. Raises `NotACopy`, `Unprovable`, `Refused`,
    and `Transient` when a server fails.
    """
    logs, topic_id = database.logs(), await log.topic_id()
    known, first = await logs.known(), database.coverage(0)
    if topic_id in known:
        return known[topic_id]
    latest = max([0, *known.values(), *await first.other_logs()])
    if await database.tables().stage() == "filling":
        await database.tables().finish(keep_old=False)
    await database.erasures().sweep()
    if kind == "new":
        await logs.accept(topic_id, latest + 1)
        return latest + 1
    table = first.of(latest)
    # what a materializer of the old log still inserts would come behind the comparison
    await database.rows(latest).wait_for_inserts({*await log.bounds(EVENTS), *await table.bounds()})
    ends = {partition: last + 1 for partition, (_, last) in (await table.bounds()).items()}
    account = await Audit(log, latest, database)(to_end=True, progress=progress, until=ends)
    if not account.proven:
        found = [(wrong, each) for wrong, some in account.wrong.items() for each in some]
        wrong, (partition, offset, detail) = found[0]
        raise NotACopy(
            f"{sum(account.counts[each] for each in WRONG):,} places differ, the first: {wrong},"
            f" partition {partition} offset {offset}: {detail}"
        )
    await logs.accept(topic_id, latest)
    return latest


async def _continues(log: Log, table: Coverage) -> bool:
    kept = await log.bounds(EVENTS)
    for partition, (_, highest) in (await table.bounds()).items():
        first, end = kept.get(partition, (0, 0))
        if highest >= end:
            return False
        if highest >= first:
            found = await table.hashes(partition, highest, highest + 1)
            async for records in log.read(EVENTS, partition, highest, highest + 1, 1):
                if [row_hash(row) for row in read_rows(records)[0]] != found[highest][:1]:
                    return False
    return True
