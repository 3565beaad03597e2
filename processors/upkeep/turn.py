"""Migrations take turns: one at a time in a database, whoever applies it.

ClickHouse has no lock without Keeper, but of two statements that create one table it refuses the
second, on a cluster too, whose hosts run DDL in one order. Who was killed in its turn leaves the table
behind; it counts for `lease_s` seconds, by the server's clock. Two that find it out of date in the
same instant may both go on.
"""

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator

from service.clickhouse import ClickHouse, ClickHouseFailed

log = logging.getLogger(__name__)

CREATE = "CREATE TABLE {table}{on_cluster} (nothing UInt8) ENGINE = Memory COMMENT '{name}'"
DROP = "DROP TABLE IF EXISTS {table}{on_cluster}"
HELD = """
SELECT comment, dateDiff('second', metadata_modification_time, now()) FROM system.tables
WHERE concat(database, '.', name) = '{table}' FORMAT JSONCompactEachRow
"""
TABLE_ALREADY_EXISTS = 57
POLL_S = 0.1


@contextlib.asynccontextmanager
async def turn(clickhouse: ClickHouse, database: str, lease_s: float) -> AsyncIterator[None]:
    """Wait until no other has the turn, and have it while the context is open.

    Raises `ClickHouseFailed`, also when others have had it for twice `lease_s`.
    """
    its = _Turn(clickhouse, f"{database}.migrating")
    await its.take(lease_s)
    try:
        yield
    finally:
        await its.give_back()


class _Turn:
    """The table, and the name under which this one creates it."""

    def __init__(self, clickhouse: ClickHouse, table: str) -> None:
        self._clickhouse = clickhouse
        self._name = uuid.uuid4().hex
        self._told = {
            "table": table,
            "on_cluster": clickhouse.replicas.on_cluster,
            "name": self._name,
        }

    async def take(self, lease_s: float) -> None:
        give_up = time.monotonic() + 2 * lease_s
        said = ""
        while not await self._created():
            holder, age_s = await self._held()
            if holder == self._name:  # created by a statement whose answer was lost
                return
            if age_s > lease_s:
                log.warning("another migration began %d s ago and did not end: going on", age_s)
                await self._run(DROP)
                continue
            if holder != said:
                log.info("another migration is under way: waiting for it, %g s at most", lease_s)
                said = holder
            if time.monotonic() > give_up:
                raise ClickHouseFailed(f"others have migrated for {2 * lease_s:g} s")
            await asyncio.sleep(POLL_S)

    async def give_back(self) -> None:
        holder, _ = await self._held()
        if holder == self._name:
            await self._run(DROP)

    async def _created(self) -> bool:
        try:
            await self._run(CREATE)
        except ClickHouseFailed as error:
            if error.code != TABLE_ALREADY_EXISTS:
                raise
            return False
        return True

    async def _held(self) -> tuple[str, int]:
        """By whom and for how many seconds; by nobody when there is no table."""
        answer = await self._clickhouse.select(HELD.format(**self._told))
        holder, age_s = json.loads(answer or '["", 0]')
        return holder, int(age_s)

    async def _run(self, statement: str) -> None:
        await self._clickhouse.execute(statement.format(**self._told))
