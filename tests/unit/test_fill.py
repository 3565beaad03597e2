"""A rebuild while partitions are added."""

from typing import Any

from processors.upkeep.database import Database
from processors.upkeep.fill import Fill
from service.connections import ClickHouseConnection


class Empty:
    """Stands for a log of empty partitions."""

    async def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        return {0: (0, 5), 1: (0, 0)}


async def test_a_partition_that_came_after_the_rebuild_began_is_filled_from_its_first_offset() -> (
    None
):
    log: Any = Empty()
    nothing: Any = None
    fill = Fill(
        log, Database(nothing, ClickHouseConnection()), 0, into="into", source="source", done={0: 5}
    )
    await fill.up_to({0: 5, 1: 0}, lambda doing, done, total: None)
    assert fill.done == {0: 5, 1: 0}
