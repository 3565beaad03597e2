"""The number of a row that the audit makes of a record is the one that ClickHouse makes of its row."""

import uuid
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.encoding.block import Block, row
from contracts.encoding.digest import MODULUS, row_hash
from contracts.encoding.wire import decode_event
from processors.materialize.rows import ClickHouseRows
from processors.upkeep.coverage import Coverage
from tests.builders import events, represented
from tests.examples import examples
from tests.stack import Stack
from tests.tables import fresh_table

INT64 = 2**63 - 1
YEAR_2200_MS = 7_258_118_400_000


@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    posted=st.lists(events, min_size=1, max_size=50),
    partition=st.integers(0, 2**32 - 1),
    first=st.integers(0, INT64 - 100),
    month_ms=st.integers(0, YEAR_2200_MS - 100),
)
async def test_both_sides_make_the_same_number_of_any_event(
    stack: Stack, posted: list[dict[str, Any]], partition: int, first: int, month_ms: int
) -> None:
    rows = [
        row(
            "acme",
            partition,
            first + n,
            month_ms,
            decode_event(represented(event, str(uuid.uuid4()))),
        )
        for n, event in enumerate(posted)
    ]
    async with fresh_table(stack.status["clickhouse"]) as (clickhouse, connection):
        block = Block()
        block.add(rows)
        await ClickHouseRows(clickhouse, connection, log=3).insert(block)
        table, part = (
            Coverage(clickhouse, connection.database, log=3),
            (partition, first, first + len(rows)),
        )
        found = await table.hashes(*part)
        assert found == {each.offset: [row_hash(each)] for each in rows}
        total = sum(map(row_hash, rows)) % MODULUS
        assert await table.held(*part) == (len(rows), total)
