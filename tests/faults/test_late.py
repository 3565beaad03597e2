"""The one double that reading back cannot prevent: an owner that slept and did not know it was replaced."""

from processors.materialize.rows import ClickHouseRows
from processors.materialize.step import Materialize
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection
from tests.builders import an_event, represented
from tests.fakes import FakeRecord
from tests.faults.servers import Servers
from tests.schema import create_schema

ID = "01a20d33-994f-74a1-8936-e15ecec1{:04d}"
FIRST, SECOND = (
    [FakeRecord(represented(an_event(), ID.format(n)), 0, n) for n in numbers]
    for numbers in (range(10), range(10, 20))
)


async def _of(clickhouse: ClickHouse, query: str) -> int:
    return int(await clickhouse.select(query))


async def test_what_a_paused_owner_writes_late_is_absorbed_by_the_table(servers: Servers) -> None:
    connection = ClickHouseConnection(url=servers.ports.url("clickhouse"), database="paused_owner")
    clickhouse = ClickHouse(connection)
    await create_schema(clickhouse, connection.database)
    rows = ClickHouseRows(clickhouse, connection, log=0)
    paused, successor = Materialize(rows), Materialize(rows)
    await paused(FIRST)
    await successor(FIRST)
    await successor(SECOND)
    await paused(SECOND)  # it knows nothing of the successor
    table = f"{connection.database}.events"
    assert await _of(clickhouse, f"SELECT count() FROM {table} FINAL") == 20
    await clickhouse.execute(f"OPTIMIZE TABLE {table} FINAL")  # what merges do in time
    assert await _of(clickhouse, f"SELECT count() FROM {table}") == 20
    await clickhouse.close()
