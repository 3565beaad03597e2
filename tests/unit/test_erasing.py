"""The step on a table in memory: what a tombstone names is gone and stays away, whatever fails."""

import contextlib
import uuid
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.erasures import WINDOW_MS, Erasure
from contracts.ids import derived_id
from processors.consume.step import Transient
from processors.materialize.step import Materialize
from tests.builders import an_event, represented
from tests.fakes import FakeRecord, FakeRows

NOW_MS = 1_790_000_000_000
DAY_MS = 24 * 60 * 60 * 1000
TENANT = ("ce_tenant", b"acme")


def name(number: int) -> str:
    """An id that no key gave."""
    return str(uuid.UUID(int=number | 7 << 76 | 2 << 62))


def posted(offset: int, event_id: str, partition: int = 0, at_ms: int = NOW_MS) -> FakeRecord:
    value = represented(an_event(), event_id)
    return FakeRecord(value, partition, offset, timestamp=at_ms)


def erased(
    offset: int, event_id: str, partition: int = 0, at_ms: int = NOW_MS, tenant: str = "acme"
) -> FakeRecord:
    own_id = str(uuid.UUID(int=offset + 1))
    names = [("ce_id", own_id.encode()), ("ce_erasedid", event_id.encode())]
    return FakeRecord(None, partition, offset, [("ce_tenant", tenant.encode()), *names], at_ms)


def erased_by_the_first_release(offset: int, event_id: str, at_ms: int = NOW_MS) -> FakeRecord:
    """Its tombstones have the erased event's id for their own."""
    return FakeRecord(None, 0, offset, [TENANT, ("ce_id", event_id.encode())], at_ms)


class Unhurried(FakeRows):
    """Notes erasures and takes nothing away."""

    async def erase(self, erasures: Sequence[Erasure]) -> None:
        self.erasures += erasures


async def run(step: Materialize, *records: FakeRecord) -> None:
    assert await step(records) == []


async def test_what_is_erased_in_the_batch_that_brings_it_is_never_inserted() -> None:
    table = FakeRows()
    await run(Materialize(table), posted(0, name(1)), posted(1, name(2)), erased(2, name(1)))
    assert table.stored == [(0, 1)]
    assert table.erasures == [Erasure("acme", name(1), 0, 2, NOW_MS, final=True)]
    table = FakeRows(fail_erasing=1)
    with pytest.raises(Transient):
        await run(Materialize(table), posted(0, name(1)), erased(1, name(1)))
    assert table.stored == []


async def test_an_event_of_an_earlier_batch_is_taken_away() -> None:
    table = FakeRows()
    step = Materialize(table)
    await run(step, posted(0, name(1)), posted(1, name(2)))
    await run(step, erased(2, name(1)))
    assert table.stored == [(0, 1)]


async def test_another_tenants_event_of_that_id_stays() -> None:
    table = FakeRows()
    await run(Materialize(table), posted(0, name(1)), erased(1, name(1), tenant="other"))
    assert table.stored == [(0, 0)]


async def test_an_erasure_that_failed_is_done_by_the_next_try_and_nothing_comes_twice() -> None:
    table = FakeRows(fail_erasing=1)
    step = Materialize(table)
    await run(step, posted(0, name(1)))
    batch = posted(1, name(2)), erased(2, name(1)), posted(3, name(3))
    with pytest.raises(Transient):
        await run(step, *batch)
    assert table.stored == [(0, 0)]  # erased first: what is inserted must not meet it in a merge
    await run(step, *batch)
    assert table.stored == [(0, 1), (0, 3)]


async def test_killed_between_erasing_and_commit_the_next_one_repeats_it_without_harm() -> None:
    table = FakeRows()
    await run(Materialize(table), posted(0, name(1)))
    batch = posted(1, name(2)), erased(2, name(1)), posted(3, name(3))
    await run(Materialize(table), *batch)
    await run(Materialize(table), *batch, posted(4, name(4)))
    assert table.stored == [(0, 1), (0, 3), (0, 4)]


async def test_read_again_from_before_the_event_it_stays_away_though_its_tombstone_comes_later() -> (
    None
):
    """The commits were lost, and the next batch ends between the two."""
    table = FakeRows()
    log = posted(0, name(1)), posted(1, name(2)), erased(2, name(1)), posted(3, name(3))
    await run(Materialize(table), *log)
    step = Materialize(table)
    await run(step, *log[:2])
    await run(step, *log[2:])
    assert table.stored == [(0, 1), (0, 3)]


async def test_the_high_water_does_not_need_the_row_that_was_erased() -> None:
    """The highest row is gone, and no tombstone is stored: what is inserted unasked is not there."""
    table = FakeRows()
    await run(Materialize(table), posted(0, name(1)), posted(1, name(2)))
    await run(Materialize(table), erased(2, name(2)))
    assert await table.high_water([0]) == {0: 0}
    step = Materialize(table)
    await run(step, posted(1, name(2)), erased(2, name(2)), posted(3, name(3)))
    await run(step, posted(4, name(4)))
    assert table.stored == [(0, 0), (0, 3), (0, 4)]


async def test_tombstones_alone_need_nothing_of_the_partition_to_be_known() -> None:
    table = FakeRows()
    await run(Materialize(table), erased(0, name(1)))
    assert (table.waited_for, table.inserts) == ([], 0)
    assert [each.offset for each in table.erasures] == [0]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([("ce_id", name(1).encode())], "ce_tenant is missing"),
        ([("ce_tenant", b"../etc"), ("ce_id", name(1).encode())], "no tenant name"),
        ([TENANT], "no header ce_erasedid"),
        ([TENANT, ("ce_id", name(1).encode()), ("ce_erasedid", b"4711")], "ce_erasedid is no"),
        ([TENANT, ("ce_id", b"4711")], "ce_id is no event id"),
        ([TENANT, ("ce_id", name(10).upper().encode())], "ce_id is no event id"),
        ([TENANT, ("ce_id", b"\xff" * 36)], "ce_id is no event id"),
    ],
)
async def test_a_tombstone_that_names_no_event_is_rejected(
    headers: list[tuple[str, bytes]], reason: str
) -> None:
    table = FakeRows()
    batch = [posted(0, name(1)), FakeRecord(None, 0, 1, headers), posted(2, name(2))]
    [reject] = await Materialize(table)(batch)
    assert (reject.record.offset, table.erasures) == (1, [])
    assert reason in reject.reason
    assert table.stored == [(0, 0), (0, 2)]


async def test_a_tombstone_from_no_time_that_can_be_is_rejected() -> None:
    [reject] = await Materialize(FakeRows())([erased(0, name(1), at_ms=-1)])
    assert "time" in reject.reason


KEYED = derived_id("acme", b"1", 0, "1000144")


async def test_what_was_erased_stays_erased_under_its_id() -> None:
    table = FakeRows()
    step = Materialize(table)
    await run(step, posted(0, KEYED), erased(1, KEYED), posted(2, KEYED))
    await run(step, posted(3, KEYED, at_ms=NOW_MS + 100 * DAY_MS))
    await run(step, posted(0, KEYED, partition=1, at_ms=NOW_MS - DAY_MS))
    assert table.stored == []
    await run(Materialize(table), posted(4, KEYED, at_ms=NOW_MS + DAY_MS))
    assert table.stored == []


async def test_a_repeat_is_left_out_whatever_the_clocks_of_the_edges_say() -> None:
    """An edge 45 minutes behind, and one as much ahead: the log's order decides."""
    table, skew_ms = FakeRows(), 45 * 60 * 1000
    step = Materialize(table)
    await run(
        step, posted(0, KEYED, at_ms=NOW_MS + skew_ms), posted(1, KEYED, at_ms=NOW_MS - skew_ms)
    )
    assert table.stored == [(0, 0)]
    await run(step, erased(2, KEYED, at_ms=NOW_MS - skew_ms))
    await run(step, posted(3, KEYED, at_ms=NOW_MS + skew_ms))
    assert table.stored == []


async def test_a_repeat_is_known_however_often_erasures_of_others_are_met() -> None:
    table = FakeRows()
    step = Materialize(table)
    await run(step, posted(0, KEYED), posted(1, name(1)))
    for offset in range(2, 20, 2):
        await run(step, erased(offset, name(1)), posted(offset + 1, KEYED))
    assert table.stored == [(0, 0)]


async def test_what_others_erased_while_they_had_the_partition_stays_away() -> None:
    table = FakeRows()
    step = Materialize(table)
    await run(step, posted(0, KEYED))
    await run(Materialize(table), erased(1, KEYED))
    step.assigned({0})
    await run(step, posted(2, KEYED))
    assert table.stored == []


async def test_read_again_behind_a_tombstone_that_lies_in_another_partition() -> None:
    """Partitions were added between event and erasure: its tombstone is not read again with it."""
    table = FakeRows()
    await run(Materialize(table), posted(0, name(1)), posted(1, name(2)))
    await run(Materialize(table), erased(0, name(1), partition=1))
    await run(Materialize(table), posted(0, name(1)), posted(1, name(2)))
    assert table.stored == [(0, 1)]


async def test_a_row_that_is_still_to_be_taken_away_is_no_reason_to_leave_out_what_came_later() -> (
    None
):
    """The DELETE is queued and has not run, as it may be for a while behind a merge."""
    table, later_ms = Unhurried(), NOW_MS + WINDOW_MS + 1
    log = posted(0, KEYED), erased_by_the_first_release(1, KEYED), posted(2, KEYED, at_ms=later_ms)
    step = Materialize(table)
    for each in log:
        await run(step, each)
    assert table.stored == [(0, 0), (0, 2)]


async def test_a_tombstone_of_the_first_release_leaves_what_was_posted_later() -> None:
    table, later_ms = FakeRows(), NOW_MS + WINDOW_MS + 1
    log = (
        posted(0, KEYED),
        erased_by_the_first_release(1, KEYED),
        posted(2, KEYED),
        posted(3, KEYED, at_ms=later_ms),
        posted(4, KEYED, at_ms=later_ms + 1),
    )
    await run(Materialize(table), *log)
    assert table.stored == [(0, 3)]
    step = Materialize(table)
    for each in log:
        await run(step, each)
    assert table.stored == [(0, 3)]
    await run(Materialize(table), erased(5, KEYED), posted(6, KEYED, at_ms=later_ms + DAY_MS))
    assert table.stored == []


log_entries = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30)
fates = st.sampled_from(
    ["works", "refused", "answer lost", "not erased", "killed before commit", "moved"]
)


@given(log_entries, st.lists(st.tuples(st.integers(1, 5), fates), max_size=20))
async def test_whatever_fails_the_table_ends_as_the_log_says(
    entries: list[tuple[bool, int]], story: list[tuple[int, str]]
) -> None:
    """An event is posted once, and erased at any time after that, also several times."""
    log: list[FakeRecord] = []
    expected: dict[str, int] = {}
    for erases, number in entries:
        event_id = name(number)
        known = any(each.value and event_id.encode() in each.value for each in log)
        if erases and known:
            expected.pop(event_id, None)
            log.append(erased(len(log), event_id))
        elif not erases and not known:
            expected[event_id] = len(log)
            log.append(posted(len(log), event_id))
    table = FakeRows()
    step, committed = Materialize(table), 0
    for size, fate in [*story, (len(log) + 1, "works")]:
        if fate == "moved":
            step = Materialize(table)
        table.fail_before = fate == "refused"
        table.fail_after = fate == "answer lost"
        table.fail_erasing = fate == "not erased"
        batch = log[committed : committed + size]
        with contextlib.suppress(Transient):
            if batch:
                await run(step, *batch)
            if fate == "killed before commit":
                step = Materialize(table)
            else:
                committed += size
        table.fail_before = table.fail_after = table.fail_erasing = 0
    assert sorted(table.stored) == sorted((0, offset) for offset in expected.values())
