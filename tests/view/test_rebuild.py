"""`events rebuild` replaces the table while it is in use; ended anywhere, it goes on."""

import asyncio
import itertools
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from bench.fill import fill, just_made
from contracts.topics import EVENTS
from processors.consume.replay import Log
from processors.materialize.rows import MATERIALIZER
from processors.upkeep.database import Database
from processors.upkeep.fill import Fill
from processors.upkeep.swap import FRESH_TABLE, MARK, Refused, Tables
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection
from tests.builders import an_event, many_events
from tests.stack import Stack, eventually
from tests.view.conftest import View, by_parts, silent
from tests.view.shown import under, visible

PAUSE_S = 0.03
"""Between two posts, and between two reads: what goes on is what counts, not how much."""


@contextmanager
def posting_and_reading(stack: Stack, tenant: str) -> Iterator[tuple[list[str], list[int]]]:
    """All the while: accepted ids, and the status of each GET of one of them."""
    accepted: list[str] = []
    statuses: list[int] = []
    over = threading.Event()

    def post() -> None:
        with stack.client(tenant) as client:
            for number in itertools.count():
                if over.wait(PAUSE_S):
                    return
                # every second one under a key: GET cannot tell the age of its id
                key = {"Idempotency-Key": f"{tenant}-{number}"} if number % 2 else {}
                answer = client.post("/api/v1/events", json=an_event(), headers=key)
                assert answer.status_code == 201, answer.text
                accepted.append(answer.json()["id"])

    def read() -> None:
        chosen = random.Random(7)
        with stack.client(tenant) as client:
            while not over.wait(PAUSE_S):
                if accepted:
                    event_id = chosen.choice(accepted[-200:] if chosen.random() < 0.5 else accepted)
                    statuses.append(client.get(f"/api/v1/events/{event_id}").status_code)

    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(post), threads.submit(read)]
        try:
            eventually(lambda: len(statuses) > 50)
            yield accepted, statuses
        finally:
            over.set()
        for each in running:
            each.result()


def test_it_goes_on_under_posts_and_reads_and_loses_nothing(view: View, tenant: str) -> None:
    view.execute(
        f"CREATE VIEW by_name AS SELECT count() AS c FROM events WHERE tenant = '{tenant}'"
    )
    made = view.about("create_table_query")
    before = view.post(tenant, many_events(200))
    view.delete(before[11])
    with posting_and_reading(view.stack, tenant) as (accepted, statuses):
        view.rebuild()
        read = len(statuses)
        eventually(lambda: len(statuses) > read + 50)
    assert set(statuses) == {200}
    count = len(before) + len(accepted)
    eventually(lambda: view.stack.counts(tenant), until=lambda counts: counts == (count, count))
    view.audit("--to-end")
    assert view.one("SELECT toUInt32(c) FROM by_name") == count  # a view follows the name
    assert view.about("create_table_query") == made
    assert FRESH_TABLE not in view.tables()
    view.execute("DROP VIEW by_name")


def test_what_went_into_the_old_table_before_the_swap_is_brought_over(
    view: View, tenant: str
) -> None:
    """Killed right after the swap: run again, it goes on from there."""
    before = view.post(tenant, many_events(100))

    async def fill_then_swap(
        log: Log, clickhouse: ClickHouse, connection: ClickHouseConnection
    ) -> None:
        tables = Tables(clickhouse, connection)
        await tables.create()
        fresh = Fill(log, Database(clickhouse, connection), 0, into=FRESH_TABLE, source=EVENTS)
        await fresh.up_to(await log.committed(), silent)
        late = await asyncio.to_thread(view.post, tenant, many_events(70))
        await tables.exchange()
        assert await tables.stage() == "swapped"
        assert view.stack.counts(tenant)[0] < len(before) + len(late)

    by_parts(view, fill_then_swap)
    after = view.post(f"{tenant}-2", many_events(30))  # into the new table
    view.rebuild()
    assert view.stack.counts(tenant) == (170, 170)
    assert view.stack.counts(f"{tenant}-2") == (len(after), len(after))
    assert FRESH_TABLE not in view.tables()
    view.audit("--to-end")


def test_what_is_posted_again_between_swap_and_fill_is_no_new_event(
    view: View, tenant: str
) -> None:
    """The first of it came just before the swap, so it is in the old table alone."""

    def post() -> str:
        with view.stack.client(tenant) as client:
            event_id = under(client, "one")
            behind = client.post("/api/v1/events", json=an_event())  # of the same entity
            visible(client, behind.json()["id"])
        return event_id

    async def swap(log: Log, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
        tables = Tables(clickhouse, connection)
        await tables.create()
        fresh = Fill(log, Database(clickhouse, connection), 0, into=FRESH_TABLE, source=EVENTS)
        await fresh.up_to(await log.committed(), silent)
        event_id = await asyncio.to_thread(post)
        await tables.exchange()
        assert await asyncio.to_thread(post) == event_id

    by_parts(view, swap)
    assert view.stack.counts(tenant) == (1, 1)
    view.rebuild()
    assert view.stack.counts(tenant) == (3, 3)
    view.audit("--to-end")


def test_an_insert_that_was_under_way_at_the_swap_is_waited_for(view: View, tenant: str) -> None:
    """It took the old table before the swap: while it runs, nobody knows what the old table holds."""
    view.post(tenant, many_events(8))
    view.execute("CREATE TABLE late ENGINE = Memory AS events")
    for number in range(8):  # each a block of its own: a pause is longest per block
        view.execute(
            f"INSERT INTO late SELECT * FROM events WHERE tenant = '{tenant}'"
            f" ORDER BY id LIMIT 1 OFFSET {number}"
        )
    view.execute(f"ALTER TABLE events DELETE WHERE tenant = '{tenant}' SETTINGS mutations_sync = 2")
    slowly = (
        "INSERT INTO events SELECT * EXCEPT (pause) FROM (SELECT *, sleepEachRow(1.5) AS pause"
        f" FROM late) WHERE pause = 0 SETTINGS log_comment = '{MATERIALIZER}0', max_threads = 1"
    )
    inserts: list[Future[None]] = []
    with ThreadPoolExecutor(1) as threads:

        async def swap(log: Log, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
            tables = Tables(clickhouse, connection)
            await tables.create()
            inserts.append(threads.submit(view.execute, slowly))
            while not await tables.inserting():
                await asyncio.sleep(0.01)
            await tables.exchange()

        by_parts(view, swap)
        assert not inserts[0].done()
        view.rebuild("--keep-old")
        assert inserts[0].done()
    [kept] = [name for name in view.tables() if name.startswith("events_until_")]
    assert view.one(f"SELECT toUInt32(count()) FROM {kept} WHERE tenant = '{tenant}'") == 8
    assert view.stack.counts(tenant) == (8, 8)
    view.audit("--to-end")
    view.execute(f"DROP TABLE {kept}")
    view.execute("DROP TABLE late")


def test_what_the_log_does_not_keep_any_more_is_taken_over(view: View, tenant: str) -> None:
    ids = view.post(tenant, many_events(120))
    view.audit("--to-end")

    rows = view.one("SELECT toUInt32(uniqExact(tenant, id)) FROM events")
    view.forget()
    view.rebuild()
    assert view.stack.counts(tenant) == (len(ids), len(ids))
    assert view.one("SELECT toUInt32(uniqExact(tenant, id)) FROM events") == rows
    view.audit("--to-end")


def test_a_table_that_was_changed_meanwhile_is_not_swapped_in(view: View) -> None:
    async def create(log: Log, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
        tables = Tables(clickhouse, connection)
        await tables.create()
        await clickhouse.execute("ALTER TABLE events.events ADD COLUMN more UInt8")
        try:
            with pytest.raises(Refused, match="was changed"):
                await tables.compare()
        finally:
            await clickhouse.execute("ALTER TABLE events.events DROP COLUMN more")
        await tables.compare()
        await clickhouse.execute(f"DROP TABLE events.{FRESH_TABLE}")

    by_parts(view, create)


def test_a_table_that_no_rebuild_made_is_left_alone(view: View) -> None:
    view.execute(f"CREATE TABLE {FRESH_TABLE} (a UInt8) ENGINE = Memory")
    by_parts(view, _refused)
    view.execute(f"DROP TABLE {FRESH_TABLE}")


async def _refused(log: Log, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
    with pytest.raises(Refused, match="Rename it or drop it"):
        await Tables(clickhouse, connection).stage()


def test_ended_before_its_mark_was_taken_away_it_goes_on(view: View) -> None:
    comment = view.about("comment")
    view.execute(f"ALTER TABLE events MODIFY COMMENT '{MARK}{comment}'")
    view.rebuild()
    assert view.about("comment") == comment


def test_killed_while_it_fills_it_goes_on(view: View, tenant: str) -> None:
    """The last: whatever is rebuilt after it is rebuilt with its rows."""
    kafka = view.stack.status["kafka"]
    count = len(asyncio.run(fill(kafka, tenant, just_made(tenant, 30_000))))
    eventually(lambda: view.stack.counts(tenant), until=lambda counts: counts == (count, count))
    argv = [sys.executable, "-m", "cli", "rebuild", "--yes", "--home", str(view.stack.home)]
    with subprocess.Popen(argv) as process:
        eventually(lambda: FRESH_TABLE in view.tables())
        eventually(lambda: view.one(f"SELECT toUInt32(count()) FROM {FRESH_TABLE}"))
        process.kill()
    filled = view.one(f"SELECT toUInt32(count()) FROM {FRESH_TABLE}")
    assert 0 < filled < count
    view.rebuild()
    assert view.stack.counts(tenant) == (count, count)
    view.audit("--to-end")
