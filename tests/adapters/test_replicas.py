"""What a cluster is sent, as far as an engine without Keeper can judge it: syntax and settings."""

import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contracts.clickhouse.replicas import LIVING
from contracts.clickhouse.schema import TableSettings, migrations
from contracts.clickhouse.table import select_events
from processors.materialize.erasures import Erasures
from processors.materialize.rows import PENDING, ClickHouseRows
from processors.upkeep.migrate import Migrate
from processors.upkeep.swap import Tables
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection
from tests.recorder import Recorder, on_cluster
from tests.replicas import ERASURE, KEEPER, Replicas, TakesTurns, rebuild
from tests.stack import Stack
from tests.tables import a_row, block, fresh_table

CONNECTION = ClickHouseConnection()
IN_KEEPER = """version: 1
part_name: 202609_7_7_0
required_number_of_replicas: 2
actual_number_of_replicas: 1
replicas:
a
"""


@pytest.fixture
def ask(stack: Stack) -> Callable[[str, dict[str, Any]], Awaitable[bytes]]:
    """Asks the engine with these parameters."""

    async def once(sql: str, parameters: dict[str, Any]) -> bytes:
        clickhouse = ClickHouse(ClickHouseConnection(url=stack.status["clickhouse"]))
        try:
            return await clickhouse.select(sql, parameters)
        finally:
            await clickhouse.close()

    return once


async def _migrate(server: Recorder) -> None:
    steps = Migrate(server, "events", TableSettings(cluster="main", retention_days=9))
    for migration in migrations():
        await steps.apply(migration)
    await steps.retain()


async def _erase(server: Recorder) -> None:
    server.answers["count()"] = b"[1]\n"
    await Erasures(server, CONNECTION).erase([ERASURE])
    await Erasures(server, CONNECTION).lingering(1)


async def _wait_for_inserts(server: Recorder) -> None:
    await ClickHouseRows(server, CONNECTION, 0).wait_for_inserts([3])


async def _look_everywhere(server: Recorder) -> None:
    await server.select(select_events("events", [("acme", uuid.uuid4())], server.replicas))


async def _rebuild(server: Recorder) -> None:
    await rebuild(Tables(server, CONNECTION))
    await Tables(server, CONNECTION).inserting()


@pytest.mark.parametrize(
    ("server", "doing"),
    [
        (TakesTurns(CONNECTION, "main"), _migrate),
        (on_cluster(), _erase),
        (on_cluster(KEEPER), _wait_for_inserts),
        (on_cluster(), _look_everywhere),
        (Replicas(), _rebuild),
    ],
)
async def test_the_engine_parses_every_statement_for_a_cluster(
    ask: Any, server: Recorder, doing: Callable[[Recorder], Awaitable[None]]
) -> None:
    await doing(server)
    assert server.sent
    for sent in server.sent:
        assert await ask("SELECT formatQuery({sql:String})", {"sql": sent.sql})


async def test_the_engine_knows_every_setting_and_takes_its_value(stack: Stack) -> None:
    """A read and an insert of a table that is not replicated: there they change nothing."""
    async with fresh_table(stack.status["clickhouse"]) as (_, connection):
        clickhouse = ClickHouse(connection, "main")
        try:
            rows = ClickHouseRows(clickhouse, connection, 0)
            await rows.insert(block(a_row(0, 5)))
            assert await rows.high_water([0]) == {0: 5}
            settings = clickhouse.replicas.write | LIVING
            names = ", ".join(f"getSetting('{name}')" for name in settings)
            answer = await clickhouse.select(
                f"SELECT {names} FORMAT JSONCompactEachRow", settings=settings
            )
            shown = [
                str(int(each) if each in (True, False) else each) for each in json.loads(answer)
            ]
            assert shown == [str(value) for value in settings.values()]
        finally:
            await clickhouse.close()


async def test_the_part_that_waits_is_read_from_what_keeper_holds(ask: Any) -> None:
    expression = PENDING.strip().split("SELECT ")[1].split(" FROM")[0].split("\nFROM")[0]
    found = await ask(f"WITH {{value:String}} AS value SELECT {expression}", {"value": IN_KEEPER})
    assert found == b"202609_7_7_0\n"
