"""The ledger's table: one suite for ClickHouse and the fake, then its columns, logs and retention."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contracts.attempts import Attempt
from contracts.clickhouse.deliveries import (
    DELIVERIES_TABLE,
    DELIVERY_LOGS_TABLE,
    AttemptBlock,
    AttemptRow,
)
from processors.ledger.step import Table
from processors.upkeep.acceptance import numbered
from processors.upkeep.database import Database
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection
from tests.attempts import NOW_MS, an_attempt
from tests.fakes import FakeDeliveries
from tests.stack import Stack
from tests.tables import fresh_table

Check = Callable[[Table], Awaitable[None]]


def table_of(clickhouse: ClickHouse, connection: ClickHouseConnection, log: int = 0) -> Table:
    return Database(clickhouse, connection).rows(log, DELIVERIES_TABLE, "events.ledger ")


@pytest.fixture(params=["fake", "clickhouse"])
def run(request: pytest.FixtureRequest) -> Callable[[Check], None]:
    """Runs a check against a fresh table of each kind."""
    if request.param == "fake":

        async def on_fake(check: Check) -> None:
            await check(FakeDeliveries())

        return lambda check: asyncio.run(on_fake(check))
    stack: Stack = request.getfixturevalue("stack")

    async def on_clickhouse(check: Check) -> None:
        async with fresh_table(stack.status["clickhouse"]) as made:
            await check(table_of(*made))

    return lambda check: asyncio.run(on_clickhouse(check))


def block(*positions: tuple[int, int]) -> AttemptBlock:
    return AttemptBlock([AttemptRow(*position, an_attempt()) for position in positions])


def test_an_empty_table_has_no_offsets(run: Any) -> None:
    async def check(table: Table) -> None:
        await table.wait_for_inserts([0, 7])
        assert await table.high_water([0, 7]) == {0: -1, 7: -1}
        assert await table.present({0: (0, 100)}) == set()

    run(check)


def test_what_was_inserted_is_present_and_sets_the_high_water(run: Any) -> None:
    async def check(table: Table) -> None:
        await table.insert(block((0, 5), (0, 9), (3, 2)))
        assert await table.high_water([0, 3, 4]) == {0: 9, 3: 2, 4: -1}
        assert await table.present({0: (0, 8), 3: (0, 100)}) == {(0, 5), (3, 2)}

    run(check)


WHOLE = an_attempt(
    state="dead", attempt=2**32 - 1, origin="replay", latency_ms=2**32 - 1, code="AccessDenied",
    message='Zugriff "verweigert" \t\n\\ €', message_id="", job_id="job-1", exhausted="retry_for_s",
    until=2**63 - 1, partition=2**31 - 1, offset=2**63 - 1,
)  # fmt: skip
LEAST = Attempt(
    at=NOW_MS, tenant="acme", subscription_id=WHOLE.subscription_id, destination="", state="opened"
)


@pytest.mark.parametrize("attempt", [an_attempt(), WHOLE, LEAST])
async def test_every_member_of_a_record_is_a_column(stack: Stack, attempt: Attempt) -> None:
    async with fresh_table(stack.status["clickhouse"]) as (clickhouse, connection):
        table = table_of(clickhouse, connection, log=7)
        await table.insert(AttemptBlock([AttemptRow(4, 2**40, attempt)]))
        answer = await clickhouse.select(
            "SELECT * REPLACE (toUnixTimestamp64Milli(at) AS at, toUnixTimestamp64Milli(since) AS since)"
            f" FROM {connection.database}.deliveries"
            " FORMAT JSONEachRow",
            settings={"output_format_json_quote_64bit_integers": 0},
        )
    row = json.loads(answer)
    renamed = {"partition": "event_partition", "offset": "event_offset", "until": "until_offset"}
    for name in Attempt.__struct_fields__:
        wanted = getattr(attempt, name)
        if name == "event_id":
            wanted = wanted or str(uuid.UUID(int=0))
        assert row.pop(renamed.get(name, name)) == wanted, name
    assert row == {"kafka_log": 7, "kafka_partition": 4, "kafka_offset": 2**40}


async def test_a_topic_that_was_made_anew_is_the_next_log_and_its_offsets_are_its_own(
    stack: Stack,
) -> None:
    async with fresh_table(stack.status["clickhouse"]) as (clickhouse, connection):
        logs = Database(clickhouse, connection).logs(DELIVERY_LOGS_TABLE)
        first, second = uuid.uuid4(), uuid.uuid4()
        assert [await numbered(each, logs) for each in (first, second, first)] == [0, 1, 0]
        await table_of(clickhouse, connection, 0).insert(block((0, 5)))
        assert await table_of(clickhouse, connection, 1).high_water([0]) == {0: -1}
        assert await Database(clickhouse, connection).logs().known() == {}


async def test_a_row_that_is_written_twice_is_merged_into_one(stack: Stack) -> None:
    """As a paused earlier owner may do."""
    async with fresh_table(stack.status["clickhouse"]) as (clickhouse, connection):
        table, twice = table_of(clickhouse, connection), block((0, 5))
        for _ in range(2):
            await table.insert(twice)
        await clickhouse.execute(f"OPTIMIZE TABLE {connection.database}.deliveries FINAL")
        count = f"SELECT count() FROM {connection.database}.deliveries"
        assert await clickhouse.select(count) == b"1\n"
