"""The schema of a test's own database: what the migrations make, at a quarter of their CPU.

They are run once in a process; every later database is made of what they had made then.
"""

import json
import re
import uuid
from dataclasses import dataclass

from contracts.clickhouse.schema import migrations, statements
from service.clickhouse import ClickHouse

REPLACING = re.compile(r"ENGINE = ReplacingMergeTree(\(precedence\))? ")
KEEPING = "ENGINE = MergeTree "
KEEPS_ALL = ("events", "deliveries")
MADE = (
    "SELECT name, engine, create_table_query FROM system.tables WHERE database = '{database}'"
    " ORDER BY engine = 'View' FORMAT JSONCompactEachRow"
)


@dataclass(frozen=True)
class Made:
    """A table or a view, and the statement that creates it in the database `within`."""

    within: str
    name: str
    engine: str
    statement: str

    def again(self, database: str) -> str:
        """The statement for `database`."""
        return self.statement.replace(f"{self.within}.", f"{database}.")


_all_made: list[Made] = []
"""Tables first."""


async def create_schema(clickhouse: ClickHouse, database: str) -> None:
    """Create `database` as the migrations make it."""
    await clickhouse.execute(f"CREATE DATABASE {database}")
    for each in await _made(clickhouse):
        await clickhouse.execute(each.again(database))


async def create_table_that_keeps_all(clickhouse: ClickHouse, database: str) -> None:
    """Create `database` with tables that never merge two rows into one, and no view."""
    await clickhouse.execute(f"CREATE DATABASE {database}")
    for each in await _made(clickhouse):
        statement = each.again(database)
        if each.name in KEEPS_ALL:
            assert REPLACING.search(statement)
            statement = REPLACING.sub(KEEPING, statement)
        if each.engine != "View":
            await clickhouse.execute(statement)


async def _made(clickhouse: ClickHouse) -> list[Made]:
    """What the migrations make."""
    if not _all_made:
        scratch = f"t_{uuid.uuid4().hex}"
        await migrate(clickhouse, scratch)
        lines = await clickhouse.select(MADE.format(database=scratch))
        _all_made.extend(Made(scratch, *json.loads(line)) for line in lines.splitlines())
        await clickhouse.execute(f"DROP DATABASE {scratch}")
    return _all_made


async def migrate(clickhouse: ClickHouse, database: str) -> None:
    """Create `database` and run every migration in it."""
    await clickhouse.execute(f"CREATE DATABASE {database}")
    for migration in migrations():
        for statement in statements(migration.text, database):
            await clickhouse.execute(statement)
