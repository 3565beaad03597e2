"""What a table holds that another does not show, on the real engine: erasures that cover are no loss."""

from contracts.erasures import WINDOW_MS, Erasure
from processors.materialize.erasures import Erasures
from processors.materialize.rows import ClickHouseRows
from processors.upkeep.coverage import Coverage
from tests.stack import Stack
from tests.tables import NOW_MS, a_row, block, fresh_table


async def test_an_event_that_another_table_lacks_is_missed_unless_it_was_erased(
    stack: Stack,
) -> None:
    """A rebuild asks this before it swaps; it failed on every table, since no row named its log."""
    async with fresh_table(stack.status["clickhouse"]) as (clickhouse, connection):
        database = connection.database
        await clickhouse.execute(f"CREATE TABLE {database}.other AS {database}.events")
        shown, erased, moved = (a_row(2, offset) for offset in range(3))
        late = a_row(2, 3, NOW_MS + WINDOW_MS + 1)
        await Erasures(clickhouse, connection).erase(
            [
                Erasure("acme", str(erased.event.id), 2, 0, NOW_MS, final=False),
                Erasure("acme", str(moved.event.id), 2, 9, NOW_MS - 2 * WINDOW_MS, final=False),
                Erasure("acme", str(late.event.id), 2, 0, NOW_MS, final=False),
            ]
        )
        rows = block(shown, erased, moved, late)
        await ClickHouseRows(clickhouse, connection, log=0).insert(rows)
        other = Coverage(clickhouse, database, 0, "other")
        missed = await Coverage(clickhouse, database, 0).not_in(other, 2, 0, 10, 10)
    assert sorted(missed) == [(0, ("acme", shown.event.id)), (3, ("acme", late.event.id))]
