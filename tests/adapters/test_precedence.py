"""Of two rows of one event the one received later stays, also when the topic was made anew between."""

import uuid

from contracts.clickhouse.table import read_events, select_events
from contracts.encoding.block import Block, row
from contracts.encoding.wire import decode_event
from processors.materialize.rows import ClickHouseRows
from tests.builders import an_event, represented
from tests.stack import Stack
from tests.tables import NOW_MS, fresh_table

ID = str(uuid.uuid4())


def block(offset: int, name: str, received_ms: int) -> Block:
    event = decode_event(represented(an_event(entity_name=name), ID))
    made = Block()
    made.add([row("acme", 0, offset, received_ms, event)])
    return made


async def test_offsets_begin_anew_with_a_log_and_its_rows_stay(stack: Stack) -> None:
    """By offset alone the expired event of the old log stayed, and the new one was answered 201 and lost."""
    async with fresh_table(stack.status["clickhouse"]) as (clickhouse, connection):
        await ClickHouseRows(clickhouse, connection, log=0).insert(block(1000, "old", NOW_MS))
        await ClickHouseRows(clickhouse, connection, log=1).insert(block(5, "new", NOW_MS + 1))
        asked = select_events(connection.database, [("acme", uuid.UUID(ID))])
        for _ in range(2):
            [found] = read_events(await clickhouse.select(asked)).values()
            assert decode_event(found).entity_name == "new"
            await clickhouse.execute(f"OPTIMIZE TABLE {connection.database}.events FINAL")
