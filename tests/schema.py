"""The schema of a test's own database."""

from contracts.clickhouse.schema import migrations, statements
from service.clickhouse import ClickHouse

REPLACING = "ENGINE = ReplacingMergeTree(precedence)"


async def create_schema(clickhouse: ClickHouse, database: str) -> None:
    """Create `database` as the migrations make it."""
    await clickhouse.execute(f"CREATE DATABASE {database}")
    for migration in migrations():
        for statement in statements(migration.text, database):
            await clickhouse.execute(statement)


async def create_table_that_keeps_all(clickhouse: ClickHouse, database: str) -> None:
    """Create `database` with a table of events that never merges two rows into one, and no view."""
    await clickhouse.execute(f"CREATE DATABASE {database}")
    tables = {each.name: statements(each.text, database) for each in migrations()}
    for statement in tables["events"]:
        assert REPLACING in statement
        await clickhouse.execute(statement.replace(REPLACING, "ENGINE = MergeTree"))
    for statement in tables["erasures"] + tables["logs"] + tables["deliveries"]:
        await clickhouse.execute(statement)
