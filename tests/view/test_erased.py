"""What was erased stays away: the audit accounts for it, a rebuild leaves it out, whenever it came."""

import asyncio
from unittest import mock

from uuid_utils import uuid7

from contracts.encoding.wire import decode_event, encode_erasure
from contracts.erasures import ERASURES_TABLE
from contracts.topics import EVENTS
from processors.consume.replay import Log
from processors.upkeep.database import Database
from processors.upkeep.fill import Fill
from processors.upkeep.rebuild import Rebuild
from processors.upkeep.swap import FRESH_TABLE, Tables
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection, KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits
from tests.builders import many_events
from tests.stack import eventually
from tests.view.conftest import View, by_parts, silent


def erase(view: View, tenant: str, *ids: str) -> None:
    """DELETE them as a client does."""
    with view.stack.client(tenant) as client:
        for event_id in ids:
            assert client.delete(f"/api/v1/events/{event_id}").status_code == 204


def is_there(view: View, event_id: str) -> bool:
    return bool(view.one(f"SELECT toUInt32(count()) FROM events WHERE id = '{event_id}'"))


def test_erased_events_are_accounted_for_and_a_rebuild_leaves_them_out(
    view: View, tenant: str
) -> None:
    ids = view.post(tenant, many_events(100))
    before = view.audit()["counts"]
    erase(view, tenant, *ids[10:14])
    eventually(lambda: view.stack.counts(tenant), until=lambda counts: counts == (96, 96))
    view.audit("--to-end")
    counts = eventually(
        lambda: view.audit()["counts"],
        until=lambda counts: counts["erasure"] == before["erasure"] + 4,
    )
    assert counts["erased"] == before["erased"] + 4
    view.rebuild()
    assert view.stack.counts(tenant) == (96, 96)
    assert not is_there(view, ids[12])
    assert view.audit()["counts"]["erased"] == counts["erased"]


def test_a_row_that_came_back_is_named_and_a_rebuild_takes_it_away(view: View, tenant: str) -> None:
    """As a paused materializer may write it, long after others have erased it."""
    event_id, other = view.post(tenant, many_events(2))
    view.execute(
        f"CREATE TABLE late ENGINE = Memory AS SELECT * FROM events WHERE id = '{event_id}'"
    )
    partition, offset = view.position(event_id)
    erase(view, tenant, event_id)
    view.audit()
    view.execute("INSERT INTO events SELECT * FROM late")
    view.execute("DROP TABLE late")
    [lingering] = view.audit(code=1)["lingering"]
    detail = f"event {event_id} was erased"
    assert lingering == {"partition": partition, "offset": offset, "detail": detail}
    view.rebuild()
    assert not is_there(view, event_id)
    assert is_there(view, other)
    view.audit()


def test_what_is_erased_after_the_fresh_table_was_filled_is_not_swapped_in(
    view: View, tenant: str
) -> None:
    ids = view.post(tenant, many_events(20))

    async def fill(log: Log, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
        await Tables(clickhouse, connection).create()
        fresh = Fill(log, Database(clickhouse, connection), 0, into=FRESH_TABLE, source=EVENTS)
        await fresh.up_to(await log.committed(), silent)

    by_parts(view, fill)
    erase(view, tenant, ids[3])  # from the table in use
    assert view.one(f"SELECT toUInt32(count()) FROM {FRESH_TABLE} WHERE id = '{ids[3]}'") == 1
    view.rebuild()
    assert not is_there(view, ids[3])
    assert view.stack.counts(tenant) == (19, 19)
    view.audit("--to-end")


def test_what_is_erased_in_the_new_table_before_its_row_came_there_stays_away(
    view: View, tenant: str
) -> None:
    """Its DELETE met nothing: the last fill brings the row afterwards, and ends before the tombstone."""
    ids = view.post(tenant, many_events(20))
    with view.stack.client(tenant) as client:
        representation = client.get(f"/api/v1/events/{ids[3]}").content

    async def swap_then_erase(
        log: Log, clickhouse: ClickHouse, connection: ClickHouseConnection
    ) -> None:
        tables = Tables(clickhouse, connection)
        await tables.create()
        await tables.exchange()  # empty: all is still to be filled
        before = await log.committed()
        await append_tombstone(view, tenant, representation)
        await asyncio.to_thread(eventually, lambda: noted(view, ids[3]))
        assert not is_there(view, ids[3])
        with mock.patch.object(log, "committed", mock.AsyncMock(return_value=before)):
            fresh = Fill(log, Database(clickhouse, connection), 0, into=EVENTS, source=FRESH_TABLE)
            await fresh.up_to(before, silent)
            assert is_there(view, ids[3])
            rebuild = Rebuild(log, 0, Database(clickhouse, connection))
            account, _, _ = await rebuild(keep_old=False, progress=silent)
        assert account.proven

    by_parts(view, swap_then_erase)
    assert not is_there(view, ids[3])
    assert view.stack.counts(tenant) == (19, 19)
    view.audit("--to-end")


def test_what_was_erased_and_left_the_log_is_not_taken_over(view: View, tenant: str) -> None:
    ids = view.post(tenant, many_events(30))
    view.forget()
    erase(view, tenant, ids[0], ids[1])
    eventually(lambda: view.audit()["counts"]["erasure"] >= 2)
    view.forget()
    view.rebuild()
    assert view.stack.counts(tenant) == (28, 28)
    view.audit()


def noted(view: View, event_id: str) -> int:
    """How many erasures of the event are noted."""
    return int(view.one(f"SELECT toUInt32(count()) FROM {ERASURES_TABLE} WHERE id = '{event_id}'"))


async def append_tombstone(view: View, tenant: str, representation: bytes) -> None:
    """As query appends it, without asking the table."""
    kafka = KafkaConnection(bootstrap_servers=view.stack.status["kafka"])
    log = EventLog(kafka, (EVENTS,), QueueLimits(1 << 20, 5))
    await log.start()
    try:
        async with asyncio.timeout(60):
            while not log.ready:
                await asyncio.sleep(0.02)
        event = decode_event(representation)
        made = uuid7()
        await log.append(EVENTS, encode_erasure(tenant, event, str(made), made.timestamp))
    finally:
        await log.stop()
