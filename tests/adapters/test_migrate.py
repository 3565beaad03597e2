"""Migrations on a real ClickHouse: what they give, twice, at once, from the first one, refused, TTL."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from contracts.clickhouse.schema import TableSettings, migrations, record
from contracts.clickhouse.ttl import retention_ttl
from contracts.encoding.block import INSERT_COLUMNS
from docs.make import REFERENCE
from docs.make.tables import COLUMNS, page
from docs.make.tables import OBJECTS as OBJECTS_TOLD
from processors.upkeep import turn as turns
from processors.upkeep.migrate import Migrate, SchemaRefused
from processors.upkeep.turn import turn
from service.clickhouse import ClickHouse, ClickHouseFailed
from service.connections import ClickHouseConnection
from tests import examples
from tests.stack import Stack

OBJECTS = """
SELECT replaceAll(create_table_query, '{database}', 'd') FROM system.tables
WHERE database = '{database}' ORDER BY name FORMAT TSVRaw
"""


class Database:
    """A database of the test's own."""

    def __init__(self, clickhouse: ClickHouse, name: str) -> None:
        self.clickhouse, self.name = clickhouse, name

    def migrate(self, **tables: object) -> Migrate:
        return Migrate(self.clickhouse, self.name, TableSettings.model_validate(tables))

    async def upgrade(self, **tables: object) -> tuple[list[int], str | None]:
        """Numbers of the migrations applied, and the statement that changed the retention."""
        steps = self.migrate(**tables)
        pending = await steps.pending()
        for migration in pending:
            await steps.apply(migration)
        return [each.number for each in pending], "; ".join(await steps.retain()) or None

    async def select(self, sql: str) -> str:
        return (await self.clickhouse.select(sql.replace("{database}", self.name))).decode()

    async def execute(self, sql: str) -> None:
        await self.clickhouse.execute(sql.replace("{database}", self.name))

    async def insert(self, tenant: str, age_days: int, **columns: str) -> str:
        """One event accepted so long ago; its id."""
        event_id = str(uuid.uuid4())
        at = datetime.now(UTC) - timedelta(days=age_days)
        row: dict[str, object] = {
            "event_type": "FAULT",
            "event_source": "ORDER",
            "operation": "UPDATE",
            "fault": None,
        }
        row |= {"payload": None, "key_attributes": {}}
        row |= {"entity_id": "7", "payload_entity_id": "7", "tenant": tenant, "id": event_id}
        row |= {"received_at": at.strftime("%Y-%m-%d %H:%M:%S.000")} | columns
        await self.clickhouse.insert(
            f"{self.name}.events", list(row), "JSONEachRow", lambda: [json.dumps(row).encode()], {}
        )
        return event_id


Check = Callable[[Database], Awaitable[None]]
ALL = [each.number for each in migrations()]


@pytest.fixture
def run(stack: Stack) -> Callable[[Check], None]:
    """Runs a check on an empty database name of its own."""

    async def on(check: Check) -> None:
        name = f"t_{uuid.uuid4().hex}"
        connection = ClickHouseConnection(url=stack.status["clickhouse"], database=name)
        clickhouse = ClickHouse(connection)
        try:
            await check(Database(clickhouse, name))
        finally:
            await clickhouse.execute(f"DROP DATABASE IF EXISTS {name} SYNC")
            await clickhouse.close()

    return lambda check: asyncio.run(on(check))


def test_the_schema_is_the_one_that_is_documented(run: Callable[[Check], None]) -> None:
    async def check(database: Database) -> None:
        await database.upgrade()
        answers = await database.select(OBJECTS_TOLD), await database.select(COLUMNS)
        assert (REFERENCE / "tables.md").read_text() == page(answers), "run: python -m docs.make"
        found = [json.loads(line) for line in answers[1].splitlines()]
        assert all(text for _, _, _, text in found)
        names = {name for table, name, _, _ in found if table == "events"}
        assert set(INSERT_COLUMNS) <= names
        since = await database.select(
            "DESCRIBE {database}.faults_since(since = now()) FORMAT TSVRaw"
        )
        faults = [[name, type_] for table, name, type_, _ in found if table == "faults"]
        assert [line.split("\t")[:2] for line in since.splitlines()] == faults

    run(check)


def test_text_of_rows_from_before_its_column_is_found(run: Callable[[Check], None]) -> None:
    async def check(database: Database) -> None:
        steps = database.migrate()
        for migration in (await steps.pending())[:13]:
            await steps.apply(migration)
        await database.insert("acme", 1, payload="A Plain One", fault="ÄRGER")
        await database.upgrade()
        found = (
            "SELECT countIf(position(full_text, 'a plain o') > 0 AND position(full_text, 'ärger') > 0)"
            " FROM {database}.events"
        )
        assert await database.select(found) == "1\n"
        await database.execute("OPTIMIZE TABLE {database}.events FINAL")
        assert await database.select(found) == "1\n"

    run(check)


def test_a_second_run_changes_nothing(run: Callable[[Check], None]) -> None:
    async def check(database: Database) -> None:
        assert await database.upgrade(retention_days=90) != ([], None)
        before = await database.select(OBJECTS)
        assert await database.upgrade(retention_days=90) == ([], None)
        assert await database.select(OBJECTS) == before

    run(check)


@pytest.mark.parametrize("attempt", range(3 if examples.ALL else 1))
def test_runners_at_once_give_what_one_gives(run: Callable[[Check], None], attempt: int) -> None:
    async def check(database: Database) -> None:
        await asyncio.gather(*(database.upgrade(retention_days=90) for _ in range(3)))
        together = await database.select(OBJECTS)
        assert (await database.upgrade(retention_days=90))[0] == []
        await database.execute("DROP DATABASE {database} SYNC")
        await database.upgrade(retention_days=90)
        assert together == await database.select(OBJECTS)

    run(check)


def test_what_another_has_applied_meanwhile_is_not_applied_again(
    run: Callable[[Check], None],
) -> None:
    async def check(database: Database) -> None:
        steps = database.migrate()
        early = (await steps.pending())[:12]  # its later ones would hide what the early ones undo
        await database.upgrade()
        before = await database.select(OBJECTS)
        assert not any([await steps.apply(migration) for migration in early])
        assert await database.select(OBJECTS) == before

    run(check)


def test_two_never_have_the_turn_at_once(run: Callable[[Check], None]) -> None:
    async def check(database: Database) -> None:
        await database.migrate().pending()
        having = 0

        async def once() -> None:
            nonlocal having
            async with turn(database.clickhouse, database.name, lease_s=60):
                having += 1
                assert having == 1
                await database.select("SELECT sleep(0.05)")
                having -= 1

        await asyncio.gather(*(once() for _ in range(5)))
        assert "migrating" not in await database.select(OBJECTS)

    run(check)


def test_a_turn_that_is_renewed_lasts_beyond_its_lease(
    run: Callable[[Check], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "RENEWED_S", 0.2)

    async def check(database: Database) -> None:
        await database.migrate().pending()
        ended: list[str] = []

        async def wait() -> None:
            async with turn(database.clickhouse, database.name, lease_s=2):
                ended.append("second")

        async with turn(database.clickhouse, database.name, lease_s=2) as renew:
            second = asyncio.create_task(wait())
            for _ in range(10):
                await renew()
                await database.select("SELECT sleep(0.4)")
            ended.append("first")
        await second
        assert ended == ["first", "second"]

    run(check)


def test_who_was_killed_in_its_turn_holds_up_the_others_for_its_lease_alone(
    run: Callable[[Check], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "RENEWED_S", 0.2)

    async def check(database: Database) -> None:
        await database.migrate().pending()
        killed = turn(database.clickhouse, database.name, lease_s=2)
        renew = await killed.__aenter__()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), turn(database.clickhouse, database.name, lease_s=60):
                raise AssertionError("had while another has it")
        async with turn(database.clickhouse, database.name, lease_s=1):
            with pytest.raises(ClickHouseFailed, match="taken over"):  # it comes back
                await renew()
            await killed.__aexit__(None, None, None)
            assert "migrating" in await database.select(OBJECTS)
        assert "migrating" not in await database.select(OBJECTS)

    run(check)


def test_a_database_with_the_first_migration_alone_keeps_its_rows_and_gets_the_rest(
    run: Callable[[Check], None],
) -> None:
    async def check(database: Database) -> None:
        steps = database.migrate()
        await steps.apply((await steps.pending())[0])
        fault = '{"status": 504, "message": "timeout of 30000ms exceeded"}'
        event_id = await database.insert("acme", 0, fault=fault)
        assert (await database.upgrade())[0] == ALL[1:]
        found = await database.select(
            "SELECT status, message, count, sample_id FROM {database}.faults FORMAT TSV"
        )
        assert found == f"504\ttimeout of * exceeded\t1\t{event_id}\n"

    run(check)


def test_a_migration_whose_text_changed_is_refused(run: Callable[[Check], None]) -> None:
    async def check(database: Database) -> None:
        await database.migrate().pending()
        changed = migrations()[0]._replace(text="SELECT 1")
        await database.execute(record(changed, database.name))
        with pytest.raises(SchemaRefused, match=r"0001_events has changed since .* Its text is"):
            await database.upgrade()
        assert "events" not in (await database.select("SHOW TABLES FROM {database}")).split()

    run(check)


def test_a_database_that_is_newer_than_the_release_is_refused(run: Callable[[Check], None]) -> None:
    async def check(database: Database) -> None:
        await database.upgrade()
        newer = migrations()[0]._replace(number=9999, name="future")
        await database.execute(record(newer, database.name))
        with pytest.raises(SchemaRefused, match="9999_future, which this release does not know"):
            await database.upgrade()

    run(check)


def test_rows_past_their_tenants_retention_are_removed(run: Callable[[Check], None]) -> None:
    async def check(database: Database) -> None:
        await database.upgrade()
        kept = [
            await database.insert("acme", 8),
            await database.insert("acme", 0),
            await database.insert("other", 20),
        ]
        await database.insert("other", 40)
        kept_too = await database.insert("archive", 400)
        await database.insert("acme", 20)
        by_tenant = {"acme": 10, "archive": 3000}
        _, statement = await database.upgrade(retention_days=30, retention_days_by_tenant=by_tenant)
        assert statement is not None
        await database.execute("OPTIMIZE TABLE {database}.events FINAL")
        left = await database.select("SELECT toString(id) FROM {database}.events FORMAT TSV")
        assert sorted(left.split()) == sorted([*kept, kept_too])

    run(check)


def test_retention_is_altered_when_it_differs_and_only_then(run: Callable[[Check], None]) -> None:
    async def check(database: Database) -> None:
        assert (await database.upgrade())[1] is None
        for tables in (
            {"retention_days": 30},
            {"retention_days": 30, "retention_days_by_tenant": {"a.b-c_d": 5, "B": 7}},
            {"retention_days_by_tenant": {"acme": 5}},
        ):
            ttl = retention_ttl(TableSettings.model_validate(tables))
            assert ttl is not None
            assert ttl in str((await database.upgrade(**tables))[1])
            assert await database.upgrade(**tables) == ([], None)
        assert "REMOVE TTL" in str((await database.upgrade())[1])
        assert await database.upgrade() == ([], None)

    run(check)


def test_the_ledger_is_kept_30_days_or_as_the_settings_say(run: Callable[[Check], None]) -> None:
    async def check(database: Database) -> None:
        assert (await database.upgrade())[1] is None
        engine = "SELECT engine_full FROM system.tables WHERE database = '{database}' AND name = 'deliveries'"
        assert "TTL at + toIntervalDay(30)" in await database.select(engine)
        statement = str((await database.upgrade(deliveries_retention_days=7))[1])
        assert statement.endswith(".deliveries MODIFY TTL at + toIntervalDay(7)")
        assert await database.upgrade(deliveries_retention_days=7) == ([], None)
        for days in (1, 6, 9, 40):  # a day's rows go when the last of them has expired
            await database.execute(
                "INSERT INTO {database}.deliveries (tenant, at, state, origin, kafka_offset) VALUES"
                f" ('acme', now() - INTERVAL {days} DAY, 'delivered', 'automatic', {days})"
            )
        await database.execute("OPTIMIZE TABLE {database}.deliveries FINAL")
        left = await database.select("SELECT kafka_offset FROM {database}.deliveries ORDER BY 1")
        assert left.split() == ["1", "6"]

    run(check)
