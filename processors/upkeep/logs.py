"""Which log a position belongs to: topics by their id (KIP-516), numbered in the order of acceptance.

A topic that was deleted and made anew has the old name and another id. Its offsets begin again, so a
position of it says nothing of the old log's. Nothing of a log that is not accepted is stored: whether
it is a new one or a copy of the old one, somebody has to say (`events accept-log`).
"""

import json
import uuid
from typing import TYPE_CHECKING, Literal

from contracts.clickhouse.table import INSERT_SETTINGS
from contracts.encoding.digest import row_hash
from contracts.topics import EVENTS
from processors.consume.one_log import NotAccepted
from processors.consume.replay import Log, Progress
from processors.consume.step import Transient
from processors.materialize.reading import read_rows
from processors.upkeep.account import WRONG
from processors.upkeep.audit import Audit
from processors.upkeep.coverage import Coverage
from service.clickhouse import ClickHouse, ClickHouseFailed
from service.connections import ClickHouseConnection

if TYPE_CHECKING:
    from processors.upkeep.database import Database

LOGS_TABLE = "logs"
KNOWN = """
SELECT DISTINCT number, topic_id FROM {table} ORDER BY number FORMAT JSONCompactEachRow
"""
ACCEPT = "INSERT INTO {table} (number, topic_id) VALUES ({number}, '{topic_id}')"


class Logs:
    """The logs of a database. Every method raises `Transient` when ClickHouse fails."""

    def __init__(self, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
        self._clickhouse = clickhouse
        self._table = f"{connection.database}.{LOGS_TABLE}"

    async def known(self) -> dict[uuid.UUID, int]:
        """The number of each log that was accepted, by topic id; a copy has its original's."""
        try:
            answer = await self._clickhouse.read_back(KNOWN.format(table=self._table))
        except ClickHouseFailed as error:
            raise Transient(f"asking for the logs: {error}") from error
        lines = [json.loads(line) for line in answer.splitlines()]
        return {uuid.UUID(topic_id): number for number, topic_id in lines}

    async def accept(self, topic_id: uuid.UUID, number: int) -> None:
        """From now on records of this topic are stored under this number."""
        statement = ACCEPT.format(table=self._table, number=number, topic_id=topic_id)
        try:
            await self._clickhouse.execute(statement, dict(INSERT_SETTINGS))
        except ClickHouseFailed as error:
            raise Transient(f"accepting a log: {error}") from error


async def number_of(topic_id: uuid.UUID, log: Log, database: "Database") -> int:
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


class NotACopy(Exception):
    """The log does not hold what the table's rows were made from; the message names what differs."""


async def accept(
    kind: Literal["new", "copy"], log: Log, database: "Database", progress: Progress
) -> int:
    """Accept the log that Kafka has now; its number: the next one, or that of the log it copies.

    A copy must hold what the rows of the latest log were made from, at the same places. Raises
    `NotACopy`, `Unprovable`, and `Transient` when a server fails.
    """
    logs, topic_id = database.logs(), await log.topic_id()
    known, first = await logs.known(), database.coverage(0)
    if topic_id in known:
        return known[topic_id]
    latest = max([0, *known.values(), *await first.other_logs()])
    if kind == "new":
        await logs.accept(topic_id, latest + 1)
        return latest + 1
    table = first.of(latest)
    # what a materializer of the old log still inserts would come behind the comparison
    await database.rows(latest).wait_for_inserts({*await log.bounds(EVENTS), *await table.bounds()})
    ends = {partition: last + 1 for partition, (_, last) in (await table.bounds()).items()}
    audit = Audit(log, table, database.erasures())
    account = await audit(to_end=True, progress=progress, until=ends)
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
