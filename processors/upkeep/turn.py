"""Migrations take turns: one at a time in a database, whoever applies it.

ClickHouse has no lock without Keeper, but of two statements that create one table it refuses the
second, on a cluster too, whose hosts run DDL in one order. Who was killed in its turn leaves the table
behind; it counts for `lease_s` seconds, by the server's clock, after it was last renewed. Two that find
it out of date in the same instant may both go on.
"""

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

from service.clickhouse import ClickHouse, ClickHouseFailed

log = logging.getLogger(__name__)

LEASE_S = 10.0
"""Beyond the deadline of the statement that is run in between."""
RENEWED_S = LEASE_S / 2
"""A turn that was renewed less long ago is not renewed."""
CREATE = "CREATE TABLE {table}{on_cluster} (nothing UInt8) ENGINE = Memory COMMENT '{name}'"
RENEW = "ALTER TABLE {table}{on_cluster} MODIFY COMMENT '{name}'"
DROP = "DROP TABLE IF EXISTS {table}{on_cluster}"
HELD = """
SELECT comment, dateDiff('second', metadata_modification_time, now()) FROM system.tables
WHERE concat(database, '.', name) = '{table}' FORMAT JSONCompactEachRow
"""
TABLE_ALREADY_EXISTS = 57
POLL_S = 0.25


@contextlib.asynccontextmanager
async def turn(
    clickhouse: ClickHouse, database: str, lease_s: float
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Wait until no other has the turn, and have it while the context is open.

    Gives what renews it, to be called before each statement: all of `lease_s` but `RENEWED_S` is left
    then. It raises `ClickHouseFailed` when another has taken the turn meanwhile; so does this, when
    others have had it for ten leases.
    """
    its = _Turn(clickhouse, f"{database}.migrating", lease_s)
    await its.take()
    try:
        yield its.renew
    finally:
        await its.give_back()


class _Turn:
    """The table, and the name under which this one creates it."""

    def __init__(self, clickhouse: ClickHouse, table: str, lease_s: float) -> None:
        self._clickhouse = clickhouse
        self._lease_s = lease_s
        self._renewed_s = 0.0
        self._name = uuid.uuid4().hex
        self._told = {
            "table": table,
            "on_cluster": clickhouse.replicas.on_cluster,
            "name": self._name,
        }

    async def take(self) -> None:
        give_up = time.monotonic() + 10 * self._lease_s
        said = ""
        while True:
            (
                holder,
                age_s,
            ) = await self._held()  # asked first: on a cluster a statement costs every host
            if not holder and await self._created():
                return
            if age_s > self._lease_s:
                log.warning("another migration has stood still for %d s: going on", age_s)
                await self._run(DROP)
                continue
            if holder and holder != said:
                log.warning(
                    "waiting for another migration; for one that was killed %g s", self._lease_s
                )
                said = holder
            if time.monotonic() > give_up:
                raise ClickHouseFailed(f"others have migrated for {10 * self._lease_s:g} s")
            await asyncio.sleep(POLL_S)

    async def renew(self) -> None:
        now_s = time.monotonic()
        if now_s < self._renewed_s + RENEWED_S:
            return
        holder, _ = await self._held()
        if holder != self._name:
            raise ClickHouseFailed("another migration has taken over from this one")
        await self._run(RENEW)
        self._renewed_s = now_s

    async def give_back(self) -> None:
        """What fails here has failed before, and says more there; the table ends with its lease."""
        try:
            holder, _ = await self._held()
            if holder == self._name:
                await self._run(DROP)
        except ClickHouseFailed as error:
            log.warning("the turn was not given back, the next waits for its end: %s", error)

    async def _created(self) -> bool:
        self._renewed_s = time.monotonic()
        try:
            await self._run(CREATE)
        except ClickHouseFailed as error:
            if error.code is None:  # no answer: who has it now?
                holder, _ = await self._held()
                return holder == self._name
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
