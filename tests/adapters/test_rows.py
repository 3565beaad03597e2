"""The table's port: one suite, passed by ClickHouse behind the stack and by the fake."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.clickhouse.table import FOR_EVER_MS, read_events, select_events
from contracts.encoding.block import Block, Row, row
from contracts.encoding.wire import decode_event
from contracts.erasures import ERASURES_MAX, WINDOW_MS, Erasure
from contracts.ids import derived_id
from processors.materialize.erasures import Erasures
from processors.materialize.repeats import Shown
from processors.materialize.rows import ClickHouseRows
from processors.materialize.step import Rows
from tests.builders import an_event, events, represented
from tests.examples import examples
from tests.fakes import FakeRows
from tests.model.ports import ModelDatabase
from tests.model.server import Server
from tests.stack import Stack
from tests.tables import NOW_MS, a_row, block, fresh_table

OWED = "SELECT toUInt8(sum(owed)) FROM {database}.erasures FINAL"
Check = Callable[[Rows], Awaitable[None]]


@pytest.fixture(params=["fake", "model", "clickhouse"])
def run(request: pytest.FixtureRequest) -> Callable[[Check], None]:
    """Runs a check against a fresh table of each kind."""
    if request.param == "fake":
        return lambda check: asyncio.run(_on_fake(check))
    if request.param == "model":
        return lambda check: asyncio.run(_on_model(check))
    stack: Stack = request.getfixturevalue("stack")
    return lambda check: asyncio.run(_on_clickhouse(stack.status["clickhouse"], check))


async def _on_fake(check: Check) -> None:
    await check(FakeRows())


async def _on_model(check: Check) -> None:
    server = Server(NOW_MS, retention_ms=None, at_once=True)
    await check(ModelDatabase(server).rows(0))


async def _on_clickhouse(url: str, check: Check) -> None:
    async with fresh_table(url) as (clickhouse, connection):
        await check(ClickHouseRows(clickhouse, connection, log=0))


def test_an_empty_table_has_no_offsets(run: Any) -> None:
    async def check(rows: Rows) -> None:
        assert await rows.high_water([0, 7]) == {0: -1, 7: -1}
        assert await rows.present({0: (0, 100)}) == set()

    run(check)


def test_what_was_inserted_is_present_and_sets_the_high_water(run: Any) -> None:
    async def check(rows: Rows) -> None:
        await rows.insert(block(a_row(0, 5), a_row(0, 9), a_row(3, 2)))
        assert await rows.high_water([0, 3, 4]) == {0: 9, 3: 2, 4: -1}
        assert await rows.present({0: (0, 8), 3: (0, 100)}) == {(0, 5), (3, 2)}

    run(check)


def named(event_id: str, offset: int, received_ms: int = NOW_MS) -> Row:
    event = decode_event(represented(an_event(), event_id))
    return row("acme", 0, offset, received_ms, event)


def test_events_that_are_shown_are_found_by_name_and_for_how_long(run: Any) -> None:
    async def check(rows: Rows) -> None:
        ids = [derived_id("acme", b"%d" % n, 0, "e") for n in range(3)]
        await rows.insert(block(named(ids[0], 0), named(ids[1], 1)))
        names = [("acme", id_) for id_ in ids]
        assert await rows.shown(names) == {
            names[0]: [Shown(True, 0, 0, NOW_MS, FOR_EVER_MS)],
            names[1]: [Shown(True, 0, 1, NOW_MS, FOR_EVER_MS)],
        }
        assert await rows.shown([("other", ids[0])]) == {}
        await rows.erase([Erasure(*names[0], 0, 2, NOW_MS, final=True)])
        await only(rows, {(0, 1)})
        assert names[0] not in await rows.shown(names)

    run(check)


def test_the_filter_knows_the_derived_ids_of_what_is_stored_and_of_what_was_erased(
    run: Any,
) -> None:
    async def check(rows: Rows) -> None:
        ids = [derived_id("acme", b"%d" % n, 0, "e") for n in range(200)]
        await rows.insert(block(*[named(id_, n) for n, id_ in enumerate(ids[:100])], a_row(1, 0)))
        await rows.erase([Erasure("acme", id_, 0, 200, NOW_MS, final=True) for id_ in ids[90:110]])
        names = await rows.filter()
        assert all(names.may_hold(id_) for id_ in ids[:110])
        assert sum(names.may_hold(id_) for id_ in ids[110:]) < 10

    run(check)


async def only(rows: Rows, left: set[tuple[int, int]]) -> None:
    """Return when these are the rows of partitions 0 and 1: ClickHouse erases in its own time."""
    async with asyncio.timeout(60):
        while await rows.present({0: (0, 2**62), 1: (0, 2**62)}) != left:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("final", [True, False])
def test_what_was_erased_is_gone_and_by_the_first_release_not_what_came_later(
    run: Any, final: bool
) -> None:
    def of(event_id: str, partition: int, offset: int, age_ms: int, tenant: str = "acme") -> Row:
        event = decode_event(represented(an_event(), event_id))
        return row(tenant, partition, offset, NOW_MS + age_ms, event)

    async def check(rows: Rows) -> None:
        ids = [str(uuid.uuid4()) for _ in range(6)]  # one each: of one id the table keeps a row
        later_ms = WINDOW_MS + 1
        before, after = of(ids[0], 0, 4, later_ms), of(ids[1], 0, 6, later_ms)
        old_copy, new_copy = of(ids[2], 1, 9, WINDOW_MS), of(ids[3], 1, 2, later_ms)
        others = [of(ids[4], 0, 3, 0, tenant="other"), of(ids[5], 0, 1, 0)]
        await rows.insert(block(before, after, old_copy, new_copy, *others))
        erasures = [Erasure("acme", id_, 0, 5, NOW_MS, final) for id_ in ids[:5]]
        left = {(0, 3), (0, 1)} if final else {(0, 6), (1, 2), (0, 3), (0, 1)}
        for _ in range(2):
            await rows.erase(erasures)
            await only(rows, left)
        assert (await rows.high_water([0, 1, 2]))[2] == -1
        await rows.insert(block(before))  # by somebody who was late
        await rows.erase(erasures)
        await only(rows, left)
        assert {each.name for each in await rows.erased([("acme", id_) for id_ in ids])} == {
            ("acme", id_) for id_ in ids[:5]
        }

    run(check)


async def test_the_place_of_a_tombstone_of_the_first_release_says_nothing_of_another_log(
    stack: Stack,
) -> None:
    async with fresh_table(stack.status["clickhouse"]) as (clickhouse, connection):
        event_id = derived_id("acme", b"1", 0, "e")
        old, new = (ClickHouseRows(clickhouse, connection, log) for log in (0, 1))
        await old.insert(block(named(event_id, 4)))
        tombstone = Erasure("acme", event_id, 0, 5, NOW_MS, final=False)
        await old.erase([tombstone])
        await only(old, set())
        again = named(event_id, 2, NOW_MS + WINDOW_MS + 1)
        [noted] = await new.erased([again.name])
        assert not noted.covers(0, again.offset, again.received_ms)
        await new.insert(block(again))
        await old.erase([tombstone])
        erasures = Erasures(clickhouse, connection)
        assert await erasures.lingering(10) == []
        assert await new.present({0: (0, 9)}) == {(0, 2)}


async def test_of_two_rows_of_an_event_the_one_stays_that_came_when_the_other_had_expired(
    stack: Stack,
) -> None:
    """It has the smaller offset, for its topic was made anew."""
    async with fresh_table(stack.status["clickhouse"]) as (clickhouse, connection):
        event_id = derived_id("acme", b"1", 0, "e")
        old, new = (ClickHouseRows(clickhouse, connection, log) for log in (0, 1))
        later_ms = NOW_MS + 24 * 60 * 60 * 1000
        await new.insert(block(named(event_id, 2, later_ms)))
        await old.insert(block(named(event_id, 4)))
        await clickhouse.execute(f"OPTIMIZE TABLE {connection.database}.events FINAL")
        assert await new.present({0: (0, 9)}) == {(0, 2)}
        assert await old.present({0: (0, 9)}) == set()


def test_more_are_erased_at_once_than_one_statement_takes(run: Any) -> None:
    async def check(rows: Rows) -> None:
        tenant, ids = "t" * 64, [str(uuid.uuid4()) for _ in range(2 * ERASURES_MAX + 1)]
        event = {id_: decode_event(represented(an_event(), id_)) for id_ in ids}
        offset = 2**60  # of the longest numbers
        await rows.insert(
            block(*[row(tenant, 0, offset + n, NOW_MS, event[id_]) for n, id_ in enumerate(ids)])
        )
        await rows.erase([Erasure(tenant, id_, 0, 2 * offset, NOW_MS, True) for id_ in ids[1:]])
        await only(rows, {(0, offset)})

    run(check)


def test_with_no_insert_running_it_is_not_waited_for(run: Any) -> None:
    async def check(rows: Rows) -> None:
        await rows.insert(block(a_row(0, 1)))
        await rows.wait_for_inserts([0, 1])

    run(check)


@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(events, min_size=1, max_size=50), st.integers(1, 50))
async def test_every_event_comes_back_from_the_table_as_it_was_represented(
    stack: Stack, posted: list[dict[str, Any]], at_once: int
) -> None:
    values = {(id_ := str(uuid.uuid4())): represented(event, id_) for event in posted}
    async with fresh_table(stack.status["clickhouse"]) as (clickhouse, connection):
        rows = [
            row("acme", 0, n, NOW_MS, decode_event(value))
            for n, value in enumerate(values.values())
        ]
        made = Block()
        for start in range(0, len(rows), at_once):
            made.add(rows[start : start + at_once])
        await ClickHouseRows(clickhouse, connection, log=0).insert(made)
        keys = [("acme", uuid.UUID(id_)) for id_ in values]
        found = read_events(await clickhouse.select(select_events(connection.database, keys)))
    assert found == {("acme", id_): value for id_, value in values.items()}


async def test_with_no_room_for_mutations_the_rows_are_erased_later(stack: Stack) -> None:
    async with fresh_table(stack.status["clickhouse"]) as (clickhouse, connection):
        table, rows = (
            f"{connection.database}.events",
            ClickHouseRows(clickhouse, connection, log=0),
        )
        limits = "number_of_mutations_to_throw = 1, number_of_mutations_to_delay = 0"
        await clickhouse.execute(f"ALTER TABLE {table} MODIFY SETTING {limits}")
        stored = [a_row(0, n) for n in range(3)]
        await rows.insert(block(*stored))
        await clickhouse.execute(f"SYSTEM STOP MERGES {table}")
        for n, row_ in enumerate(stored[:2]):
            await rows.erase([Erasure(*row_.name, 0, 5 + n, NOW_MS, True)])
        keys = [("acme", uuid.UUID(row_.name[1])) for row_ in stored]
        found = read_events(await clickhouse.select(select_events(connection.database, keys)))
        assert [*found] == [stored[2].name]  # whatever the table still holds
        await clickhouse.execute(f"SYSTEM START MERGES {table}")
        await only(rows, {(0, 1), (0, 2)})
        # by another process: this one was killed
        await Erasures(clickhouse, connection).pay()
        await only(rows, {(0, 2)})
        assert await clickhouse.select(OWED.format(database=connection.database)) == b"0\n"
