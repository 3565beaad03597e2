"""Erasures in ClickHouse: noted in a table of their own, and their rows taken away from another.

Rows go by lightweight DELETE, a mutation that hides them; the next merge of their part drops the
bytes. It is queued durably, behind the merges that run on the same parts, and not waited for: a
pipeline that stood still as long as the largest merge would help nobody. Nor does it stand still when
ClickHouse has no room for more mutations: what is owed then is noted too, and `pay` does it later,
whoever is killed meanwhile. GET and searches leave out what is noted. Errors become `Transient`.
On a cluster one DELETE is for all replicas: a mutation is queued where they all read it, in Keeper.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from contracts.clickhouse.table import EVENTS_TABLE, INSERT_SETTINGS
from contracts.erasures import COVERED, ERASURES_MAX, ERASURES_TABLE, Erasure, covered
from contracts.ids import names_sql
from processors.consume.step import Transient
from processors.materialize.reading import slices
from processors.materialize.server import failing_as_transient, read_back
from service.clickhouse import ClickHouse, ClickHouseFailed
from service.connections import ClickHouseConnection

log = logging.getLogger(__name__)

HIDDEN_TIMEOUT_S = 5.0
"""How long a sweep waits for the rows of one statement before it looks again."""
TOO_MANY_MUTATIONS = 692
SWEEP_TIMEOUT_S = 120.0
POLL_S = 0.05
PAY_S = 30.0
"""How often what is owed is tried again."""

NOTE = """
INSERT INTO {erasures} (tenant, id, erased_at, kafka_partition, kafka_offset, final, owed)
VALUES {values}
"""
DELETE = "DELETE FROM {table} WHERE {covered} SETTINGS lightweight_deletes_sync = 0"
LEFT = "SELECT toUInt32(count()) FROM {table} WHERE {covered} FORMAT JSONCompactEachRow"
SHOWN = """tenant, id, erasure.kafka_partition, toString(erasure.kafka_offset),
    toString(toUnixTimestamp64Milli(erased_at)), final"""
OF_KEYS = """
SELECT DISTINCT {shown} FROM {erasures} AS erasure WHERE (tenant, id) IN ({keys})
FORMAT JSONCompactEachRow
"""
OWED = """
SELECT {shown} FROM {erasures} AS erasure FINAL -- of two notes of one tombstone the last counts
WHERE (tenant, id) IN (SELECT tenant, id FROM {erasures} WHERE owed) AND owed
LIMIT {count} FORMAT JSONCompactEachRow
"""
LINGERING = """
SELECT {shown}, stored.kafka_partition, toString(stored.kafka_offset)
FROM {erasures} AS erasure
INNER JOIN (
    SELECT tenant, id, received_at, kafka_log, kafka_partition, kafka_offset FROM {table}
    WHERE (tenant, id) IN (SELECT tenant, id FROM {erasures})
) AS stored USING (tenant, id)
WHERE {covered} LIMIT {count} FORMAT JSONCompactEachRow
"""


class Erasures:
    """The erasures of a database, and what they take away from `table`, one of events."""

    def __init__(
        self, clickhouse: ClickHouse, connection: ClickHouseConnection, table: str = EVENTS_TABLE
    ) -> None:
        self._clickhouse = clickhouse
        self.table = f"{connection.database}.{ERASURES_TABLE}"
        self._names = {
            "table": f"{connection.database}.{table}",
            "erasures": self.table,
            "shown": SHOWN,
        }

    async def erase(self, erasures: Sequence[Erasure]) -> None:
        """Note `erasures`, then queue what takes away the rows that they cover. Safe to repeat.

        Noted first: whatever happens afterwards, nobody shows them and a rebuild knows of them. What is
        noted already stays as it is: a rebuild's fresh table does not pay what is owed to the other.
        """
        for some in slices(erasures, ERASURES_MAX):
            noted = set(await self.of([each.name for each in some]))
            if new := [each for each in some if each not in noted]:
                await self._note(new, owed=False)
            await self._delete(some)

    async def _note(self, erasures: Sequence[Erasure], *, owed: bool) -> None:
        values = ", ".join(
            f"('{each.tenant}', '{each.event_id}', fromUnixTimestamp64Milli({each.erased_ms}),"
            f" {each.partition}, {each.offset}, {each.final}, {owed})"
            for each in erasures
        )
        with failing_as_transient("noting erasures"):
            statement = NOTE.format(**self._names, values=values)
            await self._clickhouse.execute(statement, dict(INSERT_SETTINGS))

    async def _delete(self, erasures: Sequence[Erasure]) -> bool:
        """Queue what takes their rows away, if there are any, as in a replay; False: they are owed."""
        if not await self._left(erasures) or await self._queue(erasures):
            return True
        log.warning("ClickHouse has no room for more mutations, rows are erased later")
        await self._note(erasures, owed=True)
        return False

    async def _left(self, erasures: Sequence[Erasure]) -> int:
        return int((await self._lines(LEFT, covered=covered(erasures)))[0][0])

    async def _queue(self, erasures: Sequence[Erasure]) -> bool:
        """Whether there was room for it."""
        try:
            await self._clickhouse.execute(DELETE.format(**self._names, covered=covered(erasures)))
        except ClickHouseFailed as error:
            if error.code != TOO_MANY_MUTATIONS:
                raise Transient(f"erasing: {error}") from error
            return False
        return True

    async def run(self) -> None:
        """Take away now and then what is owed, whoever owes it, until it is cancelled."""
        while True:
            try:
                await self.pay()
            except Transient as error:
                log.warning("what is owed is erased later: %s", error)
            await asyncio.sleep(PAY_S)

    async def pay(self) -> None:
        """Queue what ClickHouse had no room for, as far as one statement goes."""
        owed = await self._owed()
        if owed and await self._delete(owed):
            await self._note(owed, owed=False)

    async def _owed(self) -> list[Erasure]:
        return [_erasure(line) for line in await self._lines(OWED, count=ERASURES_MAX)]

    async def sweep(self) -> None:
        """Take away every row whose erasure is noted. Raises `Transient` when it takes too long."""
        give_up = time.monotonic() + SWEEP_TIMEOUT_S
        while found := await self.lingering(ERASURES_MAX):
            if time.monotonic() > give_up:
                raise Transient(f"after {SWEEP_TIMEOUT_S:g} s erased rows are still there")
            erasures = list({erasure for erasure, _, _ in found})
            await self._delete(erasures)
            look_again = time.monotonic() + HIDDEN_TIMEOUT_S
            while await self._left(erasures) and time.monotonic() < look_again:
                await asyncio.sleep(POLL_S)

    async def lingering(self, count: int) -> list[tuple[Erasure, int, int]]:
        """At most `count` rows of erased events: their erasure, partition and offset."""
        lines = await self._lines(LINGERING, covered=COVERED, count=count)
        return [(_erasure(line), partition, int(offset)) for *line, partition, offset in lines]

    async def of(self, keys: Sequence[tuple[str, str]]) -> list[Erasure]:
        """All erasures of these (tenant, id), at least one, whose tenants were checked."""
        return [_erasure(line) for line in await self._lines(OF_KEYS, keys=names_sql(keys))]

    async def _lines(self, sql: str, **parts: Any) -> list[Any]:
        asked = sql.format(**self._names, **parts)
        return await read_back(self._clickhouse, asked, "reading erasures")


def _erasure(line: Sequence[Any]) -> Erasure:
    tenant, event_id, partition, offset, erased_ms, final = line
    return Erasure(tenant, event_id, partition, int(offset), int(erased_ms), final)
