"""The two tables of a rebuild: the one in use, and the one that is filled to take its place.

The comment of the new table begins with a mark until all is done. It tells where a rebuild that was
ended stood: the mark goes with the table through the swap, in the same atomic statement.

    events_rebuild marked: being filled    events marked: swapped in    none marked: no rebuild
"""

import json
import time
from typing import Literal

from contracts.connections import ClickHouseConnection
from contracts.table import EVENTS_TABLE
from processors.clickhouse import MATERIALIZER
from processors.step import Transient
from service.clickhouse import ClickHouse, ClickHouseFailed

FRESH_TABLE = "events_rebuild"
"""The table that is being filled; after the swap the name of the one that was replaced."""
MARK = "[being rebuilt] "

TABLES = """
SELECT name, comment, create_table_query FROM system.tables
WHERE database = '{database}' AND name IN ('{used}', '{fresh}') FORMAT JSONCompactEachRow
"""
INSERTING = """
SELECT query_id FROM system.processes
WHERE startsWith(Settings['log_comment'], '{tag}') AND query_kind = 'Insert'
FORMAT JSONCompactEachRow
"""

Stage = Literal["none", "filling", "swapped"]


class Refused(Exception):
    """The tables are not such that a rebuild may go on; the message says what to do."""


class Tables:
    """Makes, swaps and drops. Every method raises `Transient` when ClickHouse fails."""

    def __init__(self, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
        self._clickhouse = clickhouse
        self._database = connection.database
        self._used = f"{connection.database}.{EVENTS_TABLE}"
        self._fresh = f"{connection.database}.{FRESH_TABLE}"

    async def stage(self) -> Stage:
        """Where a rebuild stands. Raises `Refused`."""
        comments = await self._comments()
        if EVENTS_TABLE not in comments:
            raise Refused(f"There is no table {self._used}.")
        if comments[EVENTS_TABLE].startswith(MARK):
            return "swapped"
        if FRESH_TABLE not in comments:
            return "none"
        if comments[FRESH_TABLE].startswith(MARK):
            return "filling"
        raise Refused(f"{self._fresh} was not made by a rebuild. Rename it or drop it.")

    async def create(self) -> None:
        """Make the fresh table, empty, like the one in use and marked in the same statement."""
        comment = _quoted(MARK + (await self._comments())[EVENTS_TABLE])
        await self._execute(f"CREATE TABLE {self._fresh} AS {self._used} COMMENT {comment}")

    async def compare(self) -> None:
        """Raise `Refused` unless the fresh table is made as the one in use is now."""
        made = {name: text for name, _, text in await self._select(TABLES)}
        if "Replicated" in made[EVENTS_TABLE]:
            raise Refused(f"{self._used} is replicated: a rebuild swaps tables of one server only.")
        fresh = made[FRESH_TABLE].replace(self._fresh, self._used, 1).replace(MARK, "", 1)
        if fresh != made[EVENTS_TABLE]:
            raise Refused(
                f"{self._used} was changed since {self._fresh} was made from it."
                f" Drop {self._fresh} and begin anew."
            )

    async def exchange(self) -> None:
        """Swap them, atomically. `Refused` when it did not take hold."""
        await self._execute(f"EXCHANGE TABLES {self._used} AND {self._fresh}")
        if await self.stage() != "swapped":
            raise Refused("The tables were exchanged twice. Run it again: it goes on.")

    async def has_old(self) -> bool:
        """Whether the replaced table is still there. Only after the swap."""
        return FRESH_TABLE in await self._comments()

    async def finish(self, *, keep_old: bool) -> str:
        """Drop the replaced table, or keep it under the name that is returned; take the mark away."""
        kept = ""
        if await self.has_old():
            if keep_old:
                kept = f"{self._used}_until_{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
                await self._execute(f"RENAME TABLE {self._fresh} TO {kept}")
            else:  # a server refuses large tables by default; this one was proven to be replaced
                await self._execute(f"DROP TABLE {self._fresh} SETTINGS max_table_size_to_drop = 0")
        comment = (await self._comments())[EVENTS_TABLE].removeprefix(MARK)
        await self._execute(f"ALTER TABLE {self._used} MODIFY COMMENT {_quoted(comment)}")
        return kept

    async def inserting(self) -> set[str]:
        """The materializer's inserts that run now.

        One that took the replaced table's storage before the swap is among them until it ends: a
        query is listed before it looks its table up.
        """
        return {query for [query] in await self._select(INSERTING)}

    async def _comments(self) -> dict[str, str]:
        return {name: comment for name, comment, *_ in await self._select(TABLES)}

    async def _select(self, sql: str) -> list[list[str]]:
        asked = sql.format(
            database=self._database, used=EVENTS_TABLE, fresh=FRESH_TABLE, tag=MATERIALIZER
        )
        try:
            answer = await self._clickhouse.select(asked)
        except ClickHouseFailed as error:
            raise Transient(f"asking for the tables: {error}") from error
        return [json.loads(line) for line in answer.splitlines()]

    async def _execute(self, sql: str) -> None:
        try:
            await self._clickhouse.execute(sql)
        except ClickHouseFailed as error:
            raise Transient(f"{sql[:60]}: {error}") from error


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
