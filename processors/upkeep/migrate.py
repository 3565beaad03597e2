"""Brings a database to this release's schema and gives it the retention of the settings.

Safe to repeat and to run twice at once: every statement leaves what is there alone, a migration is
recorded after it was applied, and one that is recorded is never applied again, or it would undo what a
later one changed. Nothing is applied to a database that a newer release has changed, nor when a
migration's text is no longer what was applied.
"""

import json

from contracts.clickhouse.deliveries import DELIVERIES_TABLE
from contracts.clickhouse.schema import (
    PREPARE,
    SELECT_APPLIED,
    Migration,
    TableSettings,
    migrations,
    record,
    statements,
)
from contracts.clickhouse.table import EVENTS_TABLE
from contracts.clickhouse.ttl import (
    EXPIRES_NOW,
    TTL_NOW,
    deliveries_ttl,
    modify_expires_at,
    modify_ttl,
    retention_ttl,
)
from processors.upkeep.turn import LEASE_S, turn
from service.clickhouse import ClickHouse


class SchemaRefused(Exception):
    """The database and this release do not fit together; nothing was changed."""


class Migrate:
    """Steps for one database; each raises `ClickHouseFailed`."""

    def __init__(self, clickhouse: ClickHouse, database: str, tables: TableSettings) -> None:
        self._clickhouse = clickhouse
        self._database = database
        self._tables = tables

    async def pending(self) -> list[Migration]:
        """What the database has not had yet, in order. Raises `SchemaRefused`."""
        for statement in self._statements(PREPARE):
            await self._clickhouse.execute(statement)
        applied, known = await self._applied(), migrations()
        refuse(f"Database {self._database}", known, applied)
        had = {number for number, _, _ in applied}
        return [each for each in known if each.number not in had]

    async def apply(self, migration: Migration) -> bool:
        """Run the migration's statements, then record it; False when another has done it by now."""
        lease_s = self._clickhouse.replicas.wait_s + LEASE_S
        async with turn(self._clickhouse, self._database, lease_s) as renew:
            if any(number == migration.number for number, _, _ in await self._applied()):
                return False
            for statement in self._statements(migration.text):
                await renew()
                await self._clickhouse.execute(statement)
            await renew()
            await self._clickhouse.execute(record(migration, self._database))
            return True

    async def retain(self) -> list[str]:
        """Give the tables the TTLs of the settings; the statements that were needed."""
        ttl, place = retention_ttl(self._tables), (self._database, self._tables.cluster)
        if await self._now(EXPIRES_NOW, EVENTS_TABLE) != (ttl or "NULL"):
            await self._clickhouse.execute(modify_expires_at(ttl, *place))
        wanted = {EVENTS_TABLE: ttl, DELIVERIES_TABLE: deliveries_ttl(self._tables)}
        changed = [
            modify_ttl(its, *place, table)
            for table, its in wanted.items()
            if await self._now(TTL_NOW, table) != (its or "")
        ]
        for statement in changed:
            await self._clickhouse.execute(statement)
        return changed

    async def _now(self, query: str, table: str) -> str:
        asked = query.format(database=self._database, table=table)
        return (await self._clickhouse.select(asked)).decode().strip()

    async def _applied(self) -> list[tuple[int, str, str]]:
        """Number, name and checksum of what the database has had."""
        answer = await self._clickhouse.read_back(SELECT_APPLIED.format(database=self._database))
        return [json.loads(line) for line in answer.splitlines()]

    def _statements(self, text: str) -> list[str]:
        return statements(text, self._database, self._tables.cluster)


def refuse(where: str, known: list[Migration], applied: list[tuple[int, str, str]]) -> None:
    """Raise `SchemaRefused` when what was `applied` is not a part of what is `known`."""
    by_number = {each.number: each for each in known}
    for number, name, sha256 in applied:
        if number not in by_number:
            raise SchemaRefused(
                f"{where} has had migration {number:04d}_{name}, which this release does not know:"
                " a newer release has been here. Use that release or a newer one."
            )
        if by_number[number].sha256 != sha256:
            raise SchemaRefused(
                f"Migration {number:04d}_{name} has changed since {where[0].lower()}{where[1:]} had"
                " it. Its text is frozen: restore it and put the change into a new migration."
            )
