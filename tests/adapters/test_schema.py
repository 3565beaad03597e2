"""The schema that tests make is the one that the migrations make."""

import uuid

from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection
from tests.schema import MADE, create_schema, migrate
from tests.stack import Stack


async def test_a_tests_schema_is_what_the_migrations_make(stack: Stack) -> None:
    clickhouse = ClickHouse(ClickHouseConnection(url=stack.status["clickhouse"]))
    texts = []
    try:
        for make in (migrate, create_schema):
            database = f"t_{uuid.uuid4().hex}"
            await make(clickhouse, database)
            found = await clickhouse.select(MADE.format(database=database))
            texts.append(found.replace(database.encode(), b"its"))
            await clickhouse.execute(f"DROP DATABASE {database}")
    finally:
        await clickhouse.close()
    assert texts[0].count(b"\n") >= 13
    assert texts[0] == texts[1]
