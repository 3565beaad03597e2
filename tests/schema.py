"""The schema of a test's own database."""

import re

from contracts.clickhouse.schema import migrations, statements
from service.clickhouse import ClickHouse

REPLACING = re.compile(r"ENGINE = ReplacingMergeTree(\(precedence\))?\n")
KEEPING = "ENGINE = MergeTree\n"


async def create_schema(clickhouse: ClickHouse, database: str) -> None:
    """Create `database` as the migrations make it."""
    await clickhouse.execute(f"CREATE DATABASE {database}")
    for migration in migrations():
        for statement in statements(migration.text, database):
            await clickhouse.execute(statement)


async def create_table_that_keeps_all(clickhouse: ClickHouse, database: str) -> None:
    """Create `database` with tables that never merge two rows into one, and no view."""
    await clickhouse.execute(f"CREATE DATABASE {database}")
    tables = {each.name: statements(each.text, database) for each in migrations()}
    deliveries, *others = tables["deliveries"]
    for statement in (*tables["events"], deliveries):
        assert REPLACING.search(statement)
        await clickhouse.execute(REPLACING.sub(KEEPING, statement))
    for statement in (*tables["erasures"], *tables["logs"], *tables["search"], others[0]):
        await clickhouse.execute(statement)
