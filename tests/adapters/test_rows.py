"""The table's port: one suite, passed by ClickHouse behind the stack and by the fake."""

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contracts.connections import ClickHouseConnection
from contracts.events import represent
from contracts.parse import parse_event
from contracts.schema import migrations, statements
from contracts.table import month_of, row
from processors.clickhouse import ClickHouseRows
from processors.materialize import Row, Rows, Unstorable
from service.clickhouse import ClickHouse
from tests.builders import an_event
from tests.fakes import FakeRecord, FakeRows
from tests.stack import Stack

Check = Callable[[Rows], Awaitable[None]]


def a_row(partition: int, offset: int, received_ms: int = 1_790_000_000_000) -> Row:
    event_id = str(uuid.uuid4())
    value = represent(parse_event(json.dumps(an_event()).encode()), event_id)
    text = row("acme", partition, offset, received_ms, value)
    return Row(partition, offset, month_of(received_ms), text, FakeRecord(value, partition, offset))


SCHEMA = ";\n".join(migration.text for migration in migrations())
OLD_TABLE = re.sub(r"\n    CONSTRAINT .*", "", migrations()[0].text.partition(";\n")[0])
"""The table of a release that had no constraints."""


@pytest.fixture(params=["fake", "clickhouse", "upgraded"])
def run(request: pytest.FixtureRequest) -> Callable[[Check], None]:
    """Runs a check against a fresh table of each kind."""
    if request.param == "fake":
        return lambda check: asyncio.run(_on_fake(check))
    stack: Stack = request.getfixturevalue("stack")
    ddl = SCHEMA if request.param == "clickhouse" else f"{OLD_TABLE};\n{SCHEMA}"
    return lambda check: asyncio.run(_on_clickhouse(stack.status["clickhouse"], ddl, check))


async def _on_fake(check: Check) -> None:
    await check(FakeRows())


async def _on_clickhouse(url: str, ddl: str, check: Check) -> None:
    database = f"t_{uuid.uuid4().hex}"
    connection = ClickHouseConnection(url=url, database=database)
    clickhouse = ClickHouse(connection)
    try:
        await clickhouse.execute(f"CREATE DATABASE {database}")
        for statement in statements(ddl, database):
            await clickhouse.execute(statement)
        await check(ClickHouseRows(clickhouse, connection))
    finally:
        await clickhouse.execute(f"DROP DATABASE IF EXISTS {database}")
        await clickhouse.close()


def test_an_empty_table_has_no_offsets(run: Any) -> None:
    async def check(rows: Rows) -> None:
        assert await rows.high_water([0, 7]) == {0: -1, 7: -1}
        assert await rows.present({0: (0, 100)}) == set()

    run(check)


def test_what_was_inserted_is_present_and_sets_the_high_water(run: Any) -> None:
    async def check(rows: Rows) -> None:
        await rows.insert([a_row(0, 5), a_row(0, 9), a_row(3, 2)])
        assert await rows.high_water([0, 3, 4]) == {0: 9, 3: 2, 4: -1}
        assert await rows.present({0: (0, 8), 3: (0, 100)}) == {(0, 5), (3, 2)}

    run(check)


def test_with_no_insert_running_settling_returns(run: Any) -> None:
    async def check(rows: Rows) -> None:
        await rows.insert([a_row(0, 1)])
        await rows.settle([0, 1])

    run(check)


def test_rows_that_the_table_cannot_take_are_refused_and_none_is_stored(run: Any) -> None:
    async def check(rows: Rows) -> None:
        bad = a_row(0, 2)
        text = bad.text.replace(
            b'"base64_encoded_fault_json":null', b'"base64_encoded_fault_json":"?"'
        )
        with pytest.raises(Unstorable):
            await rows.insert([a_row(0, 1), bad._replace(text=text), a_row(0, 3)])
        assert await rows.present({0: (0, 100)}) == set()

    run(check)


@pytest.mark.parametrize(
    ("member", "instead"),
    [
        (b'"event_type":"ENTITY_EVENT"', b'"event_type":"RUMOUR"'),
        (b'"event_type":"ENTITY_EVENT",', b""),
        (b'"operation":"UPDATE"', b'"operation":"MELT"'),
        (b'"entity_id":"1000144"', b'"entity_id":""'),
        (b'"entity_id":"1000144"', b'"entity_id":1000144'),
        (b'"event_source"', b'"event_origin"'),
        (b'"id":"', b'"id":"not-'),
        (b'"key_attributes":{"correlationId":"637d6efa"},', b'"key_attributes":{"correlationId":'),
        (b'"key_attributes":{"correlationId":"637d6efa"}', b'"key_attributes":{"a":[1]}'),
    ],
)
def test_what_is_no_event_is_refused_whoever_wrote_it(
    run: Any, member: bytes, instead: bytes
) -> None:
    async def check(rows: Rows) -> None:
        bad = a_row(0, 2)
        assert member in bad.text
        value = (bad.record.value or b"").replace(member, instead)
        with pytest.raises(Unstorable):
            await rows.insert(
                [
                    a_row(0, 1),
                    bad._replace(
                        text=bad.text.replace(member, instead), record=FakeRecord(value, 0, 2)
                    ),
                ]
            )
        assert await rows.present({0: (0, 100)}) == set()

    run(check)
