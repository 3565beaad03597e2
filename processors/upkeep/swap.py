"""The two tables of a rebuild: the one in use, and the one that is filled to take its place.

The comment of the new table begins with a mark until all is done. It tells where a rebuild that was
ended stood: the mark goes with the table through the swap, in the same atomic statement.

    events_rebuild marked: being filled    events marked: swapped in    none marked: no rebuild

On a cluster names and comments are each server's own, the rows are common: a swap is atomic on each
replica and passes through them one after another. So every replica is asked where it stands, all of
them must be up, and a swap is sent once: who missed it does it from the cluster's queue.
"""

import time
from typing import Literal, NamedTuple

from contracts.clickhouse.table import EVENTS_TABLE
from processors.consume.step import Transient
from processors.materialize.rows import MATERIALIZER
from processors.materialize.server import failing_as_transient, inserting, lines
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection

FRESH_TABLE = "events_rebuild"
"""The table that is being filled; after the swap the name of the one that was replaced."""
MARK = "[being rebuilt] "

TABLES = """
SELECT name, comment, create_table_query{host} FROM {tables}
WHERE database = '{database}' AND name IN ('{used}', '{fresh}') FORMAT JSONCompactEachRow
"""
QUEUED = """
SELECT DISTINCT host FROM system.distributed_ddl_queue
WHERE cluster = '{cluster}' AND status != 'Finished' AND position(query, '{database}.{used}') > 0
FORMAT JSONCompactEachRow
"""

Stage = Literal["none", "filling", "swapped"]


class Refused(Exception):
    """The tables are not such that a rebuild may go on; the message says what to do."""


class Made(NamedTuple):
    """A table on one server."""

    comment: str
    statement: str


class Tables:
    """Makes, swaps and drops. Every method raises `Transient` when ClickHouse fails."""

    def __init__(self, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
        self._clickhouse = clickhouse
        self._replicas = clickhouse.replicas
        self._database = connection.database
        self._used = f"{connection.database}.{EVENTS_TABLE}"
        self._fresh = f"{connection.database}.{FRESH_TABLE}"
        self._on = clickhouse.replicas.on_cluster

    async def stage(self) -> Stage:
        """Where a rebuild stands, on every replica. Raises `Refused`."""
        await self._nothing_queued()
        stages = {host: self._stage(tables) for host, tables in (await self._made()).items()}
        found = set(stages.values())
        if not found:
            raise Refused(f"There is no table {self._used}.")
        if len(found) == 1:
            return found.pop()
        if found == {"none", "swapped"}:  # ended while it took the marks away
            return "swapped"
        behind = ", ".join(host for host, stage in stages.items() if stage == "filling")
        if "none" in found:
            raise Refused(
                f"{self._fresh} is on some replicas only: {behind}. Drop it there and begin anew."
            )
        raise Refused(
            f"The tables were exchanged on some replicas, not on {behind}. Run EXCHANGE TABLES"
            f" {self._used} AND {self._fresh} there, then run this again."
        )

    def _stage(self, tables: dict[str, Made]) -> Stage:
        if EVENTS_TABLE not in tables:
            raise Refused(f"There is no table {self._used}.")
        if tables[EVENTS_TABLE].comment.startswith(MARK):
            return "swapped"
        if FRESH_TABLE not in tables:
            return "none"
        if tables[FRESH_TABLE].comment.startswith(MARK):
            return "filling"
        raise Refused(f"{self._fresh} was not made by a rebuild. Rename it or drop it.")

    async def create(self) -> None:
        """Make the fresh table, empty, like the one in use and marked in the same statement."""
        used = await self._one(EVENTS_TABLE)
        self._refuse(used.statement)
        comment = _quoted(MARK + used.comment)
        await self._execute(
            f"CREATE TABLE {self._fresh}{self._on} AS {self._used} COMMENT {comment}"
        )

    async def compare(self) -> None:
        """Raise `Refused` unless the fresh table is made as the one in use is now, everywhere."""
        made = (await self._made()).values()
        wanted = {tables[EVENTS_TABLE].statement for tables in made}
        for statement in wanted:
            self._refuse(statement)
        fresh = {
            tables[FRESH_TABLE].statement.replace(self._fresh, self._used, 1).replace(MARK, "", 1)
            for tables in made
        }
        if len(wanted) > 1 or fresh != wanted:
            raise Refused(
                f"{self._used} was changed since {self._fresh} was made from it."
                f" Drop {self._fresh} and begin anew."
            )

    def _refuse(self, statement: str) -> None:
        """Raise `Refused` for a table that cannot be swapped as it is made."""
        if not self._replicas.cluster:
            if "Replicated" in statement:
                raise Refused(
                    f"{self._used} is replicated: name its cluster in EVENTS_TABLES__CLUSTER."
                )
        elif "Replicated" not in statement or "{uuid}" not in statement:
            raise Refused(
                f"{self._used} must be replicated under a path with {{uuid}}, as the migrations make"
                f" it on a cluster: only then may {self._fresh} be beside it."
            )

    async def hold_expiry(self) -> None:
        """Nothing of the fresh table expires by a merge, until `let_expire` or the server's restart."""
        await self._execute(f"SYSTEM STOP TTL MERGES{self._on} {self._fresh}")

    async def let_expire(self) -> None:
        """What is in use by now expires as before."""
        await self._execute(f"SYSTEM START TTL MERGES{self._on} {self._used}")

    async def exchange(self) -> None:
        """Swap them, atomically on each replica. `Refused` when it did not take hold."""
        if self._replicas.cluster:  # whoever reads there right after it lacks nothing
            await self._execute(f"SYSTEM SYNC REPLICA{self._on} {self._fresh} LIGHTWEIGHT")
        await self._execute(f"EXCHANGE TABLES {self._used} AND {self._fresh}{self._on}")
        if await self.stage() != "swapped":
            raise Refused("The tables were exchanged twice. Run it again: it goes on.")

    async def has_old(self) -> bool:
        """Whether the replaced table is still there, everywhere. Only after the swap."""
        return all(FRESH_TABLE in tables for tables in (await self._made()).values())

    async def finish(self, *, keep_old: bool) -> str:
        """Drop the replaced table, or keep it under the name that is returned; take the mark away."""
        kept, there = "", ""
        if self._replicas.cluster:  # a finish that was ended has come to some replicas only
            there = "IF EXISTS "
        if any(FRESH_TABLE in tables for tables in (await self._made()).values()):
            if keep_old:
                kept = f"{self._used}_until_{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
                await self._execute(f"RENAME TABLE {there}{self._fresh} TO {kept}{self._on}")
            else:  # a server refuses large tables by default; this one was proven to be replaced
                await self._execute(
                    f"DROP TABLE {there}{self._fresh}{self._on} SETTINGS max_table_size_to_drop = 0"
                )
        comment = _quoted((await self._one(EVENTS_TABLE)).comment.removeprefix(MARK))
        await self._execute(f"ALTER TABLE {self._used}{self._on} MODIFY COMMENT {comment}")
        if self._replicas.cluster and await self.stage() != "none":
            raise Refused(
                f"The mark is not gone everywhere. Run ALTER TABLE {self._used} MODIFY COMMENT"
                f" {comment} on each replica."
            )
        return kept

    async def inserting(self) -> set[str]:
        """The materializer's inserts that run now, on any replica.

        One that took the replaced table's storage before the swap is among them until it ends: a
        query is listed before it looks its table up.
        """
        return set(await inserting(self._clickhouse, MATERIALIZER, all_replicas=True))

    async def _one(self, name: str) -> Made:
        """The table on one of the replicas, the same one whenever it is asked."""
        made = await self._made()
        return made[min(made)][name]

    async def _made(self) -> dict[str, dict[str, Made]]:
        """Both tables, as far as they are there, by server."""
        made: dict[str, dict[str, Made]] = {}
        for name, comment, statement, *host in await self._select(TABLES):
            made.setdefault("".join(host), {})[name] = Made(comment, statement)
        return made

    async def _nothing_queued(self) -> None:
        """A statement that waits for a replica changes where it stands; another must not be sent."""
        if self._replicas.cluster and (hosts := await self._select(QUEUED)):
            listed = ", ".join(str(host) for [host] in hosts)
            raise Transient(f"a statement that changes them still waits in the queue for {listed}")

    async def _select(self, sql: str) -> list[list[str]]:
        asked = sql.format(
            database=self._database,
            used=EVENTS_TABLE,
            fresh=FRESH_TABLE,
            cluster=self._replicas.cluster,
            host=", hostName()" if self._replicas.cluster else "",
            tables=self._replicas.each("system.tables"),
        )
        return await lines(self._clickhouse, asked, "asking for the tables")

    async def _execute(self, sql: str) -> None:
        with failing_as_transient(sql[:60]):
            await self._clickhouse.execute(sql)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
