"""Tables of events on a server, a database of its own each, and what is inserted into them."""

import contextlib
import uuid
from collections.abc import AsyncIterator

from contracts.encoding.block import Block, Row, row
from contracts.encoding.wire import decode_event
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection
from tests.builders import an_event, represented
from tests.schema import create_schema

NOW_MS = 1_790_000_000_000


def a_row(partition: int, offset: int, received_ms: int = NOW_MS) -> Row:
    event = decode_event(represented(an_event(), str(uuid.uuid4())))
    return row("acme", partition, offset, received_ms, event)


def block(*rows: Row) -> Block:
    made = Block()
    made.add(rows)
    return made


@contextlib.asynccontextmanager
async def fresh_table(url: str) -> AsyncIterator[tuple[ClickHouse, ClickHouseConnection]]:
    """A database of its own with an empty table."""
    connection = ClickHouseConnection(url=url, database=f"t_{uuid.uuid4().hex}")
    clickhouse = ClickHouse(connection)
    try:
        await create_schema(clickhouse, connection.database)
        yield clickhouse, connection
    finally:
        await clickhouse.execute(f"DROP DATABASE IF EXISTS {connection.database}")
        await clickhouse.close()
