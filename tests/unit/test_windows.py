"""Lanes that are behind share a window of the log: read and matched once, as the table is now."""

from typing import Any

import pytest

from contracts.subscription_table import Subscriptions
from processors.deliver.place import Place
from processors.deliver.reader import RECORDS_MAX, Reader
from processors.deliver.windows import Windows
from tests.builders import an_event, represented
from tests.fakes import FakeRecord
from tests.fakes.delivering import FakeFollower, FakeLog, FakeTopics
from tests.unit.test_deliver import a_subscription
from tests.unit.test_lanes import ID, table_of

LANES, COUNT = 50, 3 * RECORDS_MAX
ENTITIES = [str(number) for number in range(LANES)]


class CountingLog(FakeLog):
    """Knows how many records were read."""

    read_records = 0

    async def read(self, *where: Any) -> Any:
        """See `FakeLog`."""
        async for batch in super().read(*where):
            self.read_records += len(batch)
            yield batch


def subscribed(number: int, entity: str) -> Any:
    return a_subscription(id=f"lane-{number}", filter={"entity_id": [entity]})


@pytest.fixture
def table() -> Subscriptions:
    return table_of(*(subscribed(number, entity) for number, entity in enumerate(ENTITIES)))


@pytest.fixture
def log() -> CountingLog:
    bodies = (represented(an_event(entity_id=ENTITIES[at % LANES]), ID) for at in range(COUNT))
    records = [FakeRecord(body, 0, at) for at, body in enumerate(bodies)]
    return CountingLog(FakeTopics(), {0: list(records)})


def windows_of(log: FakeLog, table: Subscriptions) -> Windows:
    follower: Any = FakeFollower(table)
    return Windows(Reader(lambda: log), follower)


async def offsets(windows: Windows, number: int, first: int, end: int) -> list[int]:
    """What a lane gets in turns, until it has all."""
    found: list[int] = []
    while first < end:
        records, reached = await windows.of(Place("acme", f"lane-{number}", 0), first, end)
        assert reached > first
        found += [each.offset for each in records]
        first = reached
    return found


async def test_each_lane_gets_its_own_and_the_log_is_read_once(
    log: CountingLog, table: Subscriptions
) -> None:
    windows = windows_of(log, table)
    for number in range(LANES):
        first, end = number % 7 * 60, COUNT - number  # they fell behind, and are routed, anywhere
        wanted = [at for at in range(first, end) if at % LANES == number]
        assert await offsets(windows, number, first, end) == wanted
    assert log.read_records <= 3 * COUNT  # and not 50 times


async def test_a_subscription_that_changes_is_asked_as_it_is_now(
    log: CountingLog, table: Subscriptions
) -> None:
    windows = windows_of(log, table)
    assert await offsets(windows, 0, 0, COUNT) == list(range(0, COUNT, LANES))
    table.apply(b"acme:lane-0", subscribed(0, "1").represent())
    assert await offsets(windows, 0, 0, COUNT) == list(range(1, COUNT, LANES))
    table.apply(b"acme:lane-0", None)
    assert await offsets(windows, 0, 0, COUNT) == []


async def test_a_lane_without_any_gets_to_the_end(log: CountingLog, table: Subscriptions) -> None:
    assert await offsets(windows_of(log, table), LANES, 0, COUNT) == []
    assert log.read_records == COUNT
