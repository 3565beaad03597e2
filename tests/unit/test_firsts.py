"""Of an event that is on the log more than once the first is delivered."""

import pytest

from contracts.ids import derived_id
from processors.deliver import firsts
from processors.deliver.firsts import Firsts
from processors.deliver.plan import plans
from tests.builders import an_event, represented
from tests.fakes import FakeRecord
from tests.unit.test_deliver import a_table

ID = derived_id("acme", b"key", 0, "1")
OWN_ID = "01a20d33-994f-74a1-8936-e15ecec113da"
DAY_MS = 24 * 3600 * 1000


def record(offset: int, event_id: str = ID, partition: int = 0, later_ms: int = 0) -> FakeRecord:
    value = represented(an_event(entity_name=f"{offset}"), event_id)
    return FakeRecord(value, partition, offset, timestamp=1_790_000_000_000 + later_ms)


def delivered(seen: Firsts, *records: FakeRecord) -> list[int]:
    """The offsets that one subscription to everything gets."""
    [plan] = plans(lambda: a_table("one"), records, seen)
    found = plan.of.get(("acme", "one"))
    return [each.position[1] for each in found.deliveries] if found else []


def test_repeats_are_left_out_and_what_is_read_again_is_none() -> None:
    seen, records = Firsts(), [record(5), record(7), record(9, OWN_ID), record(11, OWN_ID)]
    for _ in range(2):
        assert delivered(seen, *records) == [5, 9, 11]
    assert delivered(seen, record(7)) == []  # by a lane that is behind
    assert delivered(seen, record(3)) == [3]  # what is read now was before
    assert delivered(seen, record(5)) == []


def test_a_day_later_or_in_another_partition_it_may_be_another_event() -> None:
    seen = Firsts()
    assert delivered(seen, record(5), record(6, later_ms=DAY_MS)) == [5, 6]
    assert delivered(seen, record(7, later_ms=DAY_MS), record(7, partition=1)) == [7]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firsts, "IDS_MAX", 2)
    seen = Firsts()
    ids = [derived_id("acme", str(n).encode(), 0, "1") for n in range(3)]
    assert delivered(seen, *(record(n, ids[n]) for n in range(3))) == [0, 1, 2]
    assert delivered(seen, record(4, ids[2]), record(5, ids[0])) == [5]
