"""A stack of the release before goes on under this one: nothing is asked, nothing is shown otherwise."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from contracts.clickhouse.schema import TableSettings
from contracts.clickhouse.table import read_events, select_events
from contracts.encoding.codec import represent
from contracts.encoding.wire import decode_event
from contracts.topics import EVENTS
from processors.consume.one_log import NotAccepted
from processors.consume.replay import Log
from processors.materialize.rows import ClickHouseRows
from processors.materialize.step import Materialize
from processors.upkeep.acceptance import number_of
from processors.upkeep.database import Database
from processors.upkeep.migrate import Migrate
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection
from tests import stack as stacks
from tests.builders import an_event, many_events
from tests.stack import eventually
from tests.view.conftest import View, by_parts
from tests.view.left_behind import ENDS, ERASED, LOG, ROWS, append, fill_table, leave

pytestmark = pytest.mark.long

BEHIND = 5
ROW = "toString(tuple(tenant, id, received_at, payload, kafka_log, kafka_partition, kafka_offset))"
SAID = {each["headers"]["ce_id"]: each["value"] for each in reversed(LOG) if each["value"]}
"""What the first record of each id says."""
TWICE_SENT = "55b368fb-7701-886e-a0e6-81cfdebc61ea"
OF_TWO_ENTITIES = "ed904bca-0c86-8ad1-b65a-8efe823d2376"
AGAIN = next(each for each in LOG if each["headers"]["ce_id"] == TWICE_SENT)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """The stack that the release before left behind, started by this one."""
    home = tmp_path_factory.mktemp("upgrade") / "home"
    leave(home, BEHIND)
    running = stacks.start(home)
    yield View(running)
    stacks.stop(running)


def shown(view: View) -> list[str]:
    """All rows of the copy's tenants, their places with them."""
    return sorted(row for [row] in view.stack.sql(f"SELECT {ROW} FROM events"))


def got(view: View, tenant: str, event_id: str) -> httpx.Response:
    with view.stack.client(tenant) as client:
        return client.get(f"/api/v1/events/{event_id}")


def appended(view: View, *records: tuple[dict[str, Any], int]) -> list[int]:
    """Append records to these partitions, as an edge of the release before; their offsets."""

    async def send() -> list[int]:
        async with AIOKafkaProducer(bootstrap_servers=view.stack.status["kafka"]) as producer:
            return [await append(producer, each, partition) for each, partition in records]

    return asyncio.run(send())


def about(event_id: str, record: dict[str, Any], entity_id: str) -> dict[str, Any]:
    """The record, of another event and entity."""
    event = json.loads(record["value"]) | {"id": event_id, "entity_id": entity_id}
    value = represent(decode_event(json.dumps(event).encode())).decode()
    headers = record["headers"] | {"ce_id": event_id}
    return record | {"key": f"acme:{entity_id}", "value": value, "headers": headers}


def test_the_log_is_adopted_and_proven_and_what_was_shown_is_found(old: View) -> None:
    counts = eventually(
        lambda: old.audit()["counts"], until=lambda counts: counts["stored"] == len(ROWS)
    )
    there = {kind: count for kind, count in counts.items() if count}
    # one row too many was there: of an erased event, owed by a process that was killed
    assert there == {"stored": 24, "repeat": 2, "erased": 4, "erasure": 3}
    assert old.stack.sql("SELECT DISTINCT number FROM logs") == [[0]]
    assert old.stack.sql("SELECT DISTINCT kafka_log FROM events") == [[0]]
    for row in ROWS:
        answer = got(old, row["tenant"], row["id"])
        assert answer.content == SAID[row["id"]].encode()
    for event_id in ERASED:
        assert {got(old, tenant, event_id).status_code for tenant in ("acme", "globex")} == {404}


def test_a_log_that_two_processes_accepted_at_once_is_one(old: View) -> None:
    """The materializer and an audit may both find that it goes on, and say so, before either has said it."""
    before = old.audit("--to-end")["counts"]
    old.execute("INSERT INTO logs (number, topic_id) SELECT number, topic_id FROM logs")
    assert old.audit("--to-end")["counts"] == before
    assert old.stack.sql("SELECT DISTINCT number FROM logs FINAL") == [[0]]


def test_what_is_read_again_from_the_first_offset_changes_nothing(old: View) -> None:
    """As after commits that were lost."""
    before = shown(old)

    async def read_again(
        log: Log, clickhouse: ClickHouse, connection: ClickHouseConnection
    ) -> None:
        step = Materialize(ClickHouseRows(clickhouse, connection, 0))
        for partition, end in ENDS.items():
            if end:
                async for records in log.read(EVENTS, partition, 0, end, 7):
                    assert await step(records) == []

    by_parts(old, read_again)
    assert shown(old) == before


def test_a_rebuild_keeps_what_is_shown(old: View) -> None:
    before = shown(old)
    old.rebuild()
    assert shown(old) == before
    old.audit()


def test_of_one_old_id_in_two_partitions_the_first_stays_through_a_rebuild(old: View) -> None:
    """The release before took one key of two entities for one event, and kept the earlier."""
    event_id = str(uuid.uuid4())[:14] + "8" + str(uuid.uuid4())[15:]
    first, later = (about(event_id, AGAIN, entity_id) for entity_id in ("one", "two"))
    repeats = old.audit("--to-end")["counts"]["repeat"]
    appended(old, (first, 3))
    eventually(lambda: got(old, "acme", event_id).status_code, until=lambda code: code == 200)
    appended(old, (later, 1))
    eventually(lambda: old.audit()["counts"]["repeat"], until=lambda now: now == repeats + 1)
    for _ in range(2):
        assert got(old, "acme", event_id).json()["entity_id"] == "one"
        old.rebuild()
    assert got(old, "acme", event_id).json()["entity_id"] == "one"
    old.audit()


def test_two_rows_of_one_old_id_are_named_until_they_are_merged(old: View) -> None:
    """As two materializers of the release before left them behind; a merge keeps the earlier."""
    event_id = next(row["id"] for row in ROWS if row["kafka_partition"] == 5)
    old.execute("SYSTEM STOP MERGES events")
    old.execute(
        "INSERT INTO events SELECT * REPLACE (1 AS kafka_partition, 0 AS kafka_offset,"
        f" precedence - 1 AS precedence) FROM (SELECT * FROM events WHERE id = '{event_id}')"
    )
    assert [each["offset"] for each in old.audit(code=1)["twice"]] == [0]
    old.execute("SYSTEM START MERGES events")
    old.execute("OPTIMIZE TABLE events FINAL")
    old.audit()


def test_posting_goes_on(old: View, tenant: str) -> None:
    with old.stack.client(tenant) as client:
        headers = {"Idempotency-Key": tenant}
        ids = [
            client.post("/api/v1/events", json=an_event(), headers=headers).json()["id"]
            for _ in range(2)
        ]
        assert ids[0] == ids[1]
        assert client.get(f"/api/v1/events/{ids[0]}").status_code == 200
    old.post(tenant, many_events(20))
    assert old.stack.counts(tenant) == (21, 21)
    old.audit("--to-end")


def test_a_repeat_that_an_edge_of_the_release_before_still_sends_is_left_out(old: View) -> None:
    before, count = shown(old), old.audit("--to-end")["counts"]["repeat"]
    appended(old, (AGAIN, 0), (AGAIN, 3))
    eventually(lambda: old.audit()["counts"]["repeat"], until=lambda repeats: repeats == count + 2)
    assert shown(old) == before


def test_erasing_an_old_derived_id_is_final(old: View) -> None:
    with old.stack.client() as client:
        assert client.delete(f"/api/v1/events/{TWICE_SENT}").status_code == 204
    before = old.audit("--to-end")["counts"]["erased"]
    appended(old, (AGAIN | {"timestamp": AGAIN["timestamp"] + 3_600_000}, 0), (AGAIN, 3))
    eventually(lambda: old.audit()["counts"]["erased"], until=lambda now: now == before + 2)
    assert got(old, "acme", TWICE_SENT).status_code == 404
    old.rebuild()
    assert got(old, "acme", TWICE_SENT).status_code == 404
    old.audit()


def test_what_was_posted_again_long_after_its_erasure_then_is_still_there(old: View) -> None:
    """Erasures of the release before are not final: ten minutes later it was a new event."""
    [last] = [each for each in LOG if (each["partition"], each["offset"]) == (0, 13)]
    event_id = last["headers"]["ce_id"]
    appended(old, (last | {"timestamp": last["timestamp"] + 3_600_000}, 0))
    eventually(lambda: got(old, "acme", event_id).status_code, until=lambda code: code == 200)
    old.rebuild()
    assert got(old, "acme", event_id).status_code == 200
    old.audit()


@contextlib.asynccontextmanager
async def a_copy(
    clickhouse: ClickHouse, connection: ClickHouseConnection
) -> AsyncIterator[ClickHouseConnection]:
    """A database of its own with the copy's rows, brought to this release's schema."""
    database = f"t_{uuid.uuid4().hex}"
    try:
        await fill_table(clickhouse, database)
        migrate = Migrate(clickhouse, database, TableSettings())
        for migration in await migrate.pending():
            await migrate.apply(migration)
        yield connection.model_copy(update={"database": database})
    finally:
        await clickhouse.execute(f"DROP DATABASE IF EXISTS {database}")


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE {events} UPDATE payload = 'other' WHERE kafka_partition = 0 AND kafka_offset = 9",
        "INSERT INTO {events} SELECT * REPLACE (1000000 AS kafka_offset, generateUUIDv4() AS id)"
        " FROM (SELECT * FROM {events} WHERE kafka_partition = 4 AND kafka_offset = 4)",
    ],
    ids=["another record there", "past the end"],
)
def test_a_log_that_was_made_anew_before_the_upgrade_is_not_adopted(old: View, change: str) -> None:
    async def refused(log: Log, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
        async with a_copy(clickhouse, connection) as copy:
            await clickhouse.execute(
                change.format(events=f"{copy.database}.events"), {"mutations_sync": 2}
            )
            with pytest.raises(NotAccepted, match="a log from before logs had names"):
                await number_of(await log.topic_id(), log, Database(clickhouse, copy))
            left = await clickhouse.select(f"SELECT count() FROM {copy.database}.logs")
            assert int(left) == 0

    by_parts(old, refused)


def test_gets_query_shows_the_same_before_any_record_is_read(old: View) -> None:
    async def same(log: Log, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
        async with a_copy(clickhouse, connection) as copy:
            names = [(each["tenant"], uuid.UUID(each["id"])) for each in ROWS]
            answer = await clickhouse.select(select_events(copy.database, names))
            assert read_events(answer) == {
                (each["tenant"], each["id"]): SAID[each["id"]].encode() for each in ROWS
            }

    by_parts(old, same)
