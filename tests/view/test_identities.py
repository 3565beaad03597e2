"""The audit compares what rows say, not how many there are: each kind of damage is named as what it is."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from uuid_utils import uuid7

from contracts.ids import derived_id
from processors.account import WRONG
from tests.builders import an_event, many_events
from tests.stack import events, eventually
from tests.view.conftest import View
from tests.view.records import append, record

SYNC = "SETTINGS mutations_sync = 2"


@pytest.fixture
def unmerged(view: View) -> Iterator[View]:
    """No merge leaves one of two rows, until the end; then a rebuild makes all good again."""
    view.execute("SYSTEM STOP MERGES events")
    yield view
    view.execute("SYSTEM START MERGES events")
    view.rebuild()
    view.audit()


def only(view: View, kind: str) -> list[dict[str, Any]]:
    """What the audit names: nothing but this kind."""
    account = view.audit(code=1)
    assert {each for each in WRONG if account["counts"][each]} == {kind}
    named: list[dict[str, Any]] = account[kind]
    answer = events("audit", home=view.stack.home)
    assert answer.stdout.startswith(f"{kind}  partition {named[0]['partition']} offset ")
    assert "NOT as it should be" in answer.stdout
    return named


@pytest.mark.parametrize(
    "change",
    [
        "payload = 'another'",
        "fault = ''",
        "entity_name = NULL",
        "key_attributes = map('a', 'b')",
        "operation = 'DELETE'",
        "received_at = received_at + toIntervalMillisecond(1)",
    ],
)
def test_a_row_that_says_something_else_is_altered(view: View, tenant: str, change: str) -> None:
    """The old audit counted offsets: it said Proven."""
    event_id = view.post(tenant, [*many_events(9)])[4]
    column, _, value = change.partition(" = ")
    moved(view, event_id, f"{value} AS {column}")
    partition, offset = view.position(event_id)
    assert only(view, "altered") == [
        {
            "partition": partition,
            "offset": offset,
            "detail": "the row does not say what the record says",
        }
    ]
    view.rebuild()
    view.audit()


def moved(view: View, event_id: str, replaced: str) -> None:
    """Put another row into the place of this one."""
    view.execute(
        f"CREATE TABLE moved ENGINE = Memory AS SELECT * REPLACE ({replaced}) FROM events"
        f" WHERE id = '{event_id}'"
    )
    view.delete(event_id)
    view.execute("INSERT INTO events SELECT * FROM moved")
    view.execute("DROP TABLE moved")


def test_a_row_under_another_id_is_altered(view: View, tenant: str) -> None:
    """One row at each offset, as many as there are events: the old audit said Proven."""
    event_id, other = view.post(tenant, many_events(9))[2], str(uuid7())
    partition, offset = view.position(event_id)
    moved(view, event_id, f"'{other}' AS id")
    [altered] = only(view, "altered")
    assert (altered["partition"], altered["offset"]) == (partition, offset)
    view.rebuild()
    view.audit()
    assert view.position(event_id) == (partition, offset)
    assert view.one(f"SELECT toUInt32(count()) FROM events WHERE id = '{other}'") == 0


def test_a_row_without_a_record_is_foreign_and_no_rebuild_takes_it_away_unasked(
    view: View, tenant: str
) -> None:
    """The old audit said Proven: it did not ask what record a row is of."""
    kept, erased = view.post(tenant, [*many_events(2)])
    with view.stack.client(tenant) as client:
        assert client.delete(f"/api/v1/events/{erased}").status_code == 204
    tombstone = f"FROM erasures WHERE id = '{erased}'"
    eventually(lambda: view.one(f"SELECT toUInt32(count()) {tombstone}"))
    eventually(lambda: view.audit("--to-end"))
    partition, offset = view.stack.sql(
        f"SELECT kafka_partition, toUInt32(kafka_offset) {tombstone} LIMIT 1"
    )[0]
    foreign = str(uuid7())
    view.execute(
        f"INSERT INTO events SELECT * REPLACE ('{foreign}' AS id, {offset} AS kafka_offset,"
        f" {partition} AS kafka_partition) FROM events WHERE id = '{kept}'"
    )
    [named] = only(view, "foreign")
    assert (named["partition"], named["offset"]) == (partition, offset)
    answer = events("rebuild", "--yes", home=view.stack.home)
    assert answer.returncode == 1
    assert f"vanished  partition {partition} offset {offset}: event {foreign}" in answer.stdout
    assert "Nothing was swapped" in answer.stderr
    assert view.position(foreign) == (partition, offset)
    view.delete(foreign)
    view.rebuild()
    view.audit()


def test_a_row_that_is_there_twice_is_doubled_and_counts_once(unmerged: View, tenant: str) -> None:
    event_id = unmerged.post(tenant, many_events(9))[5]
    before = unmerged.audit()
    unmerged.execute(f"INSERT INTO events SELECT * FROM events WHERE id = '{event_id}'")
    [doubled] = only(unmerged, "doubled")
    assert (doubled["partition"], doubled["offset"]) == unmerged.position(event_id)
    assert doubled["detail"] == "2 rows"
    assert unmerged.audit(code=1)["ranges"] == before["ranges"]


def test_an_event_that_two_records_gave_a_row_is_named_twice(unmerged: View, tenant: str) -> None:
    """The old audit took the second for an event of its own: stored, Proven."""
    body, event_id = an_event(), derived_id(tenant, b"twice", 0, "1000144")
    now_ms = time.time_ns() // 1_000_000
    append(unmerged.stack, *[record(tenant, body, event_id, now_ms) for _ in range(2)])
    unmerged.post(tenant, [*many_events(1)])
    eventually(lambda: unmerged.audit("--to-end"))
    partition, offset = unmerged.position(event_id)
    unmerged.execute(
        f"INSERT INTO events SELECT * REPLACE ({offset + 1} AS kafka_offset) FROM events"
        f" WHERE id = '{event_id}'"
    )
    [twice] = only(unmerged, "twice")
    assert (twice["partition"], twice["offset"]) == (partition, offset + 1)
    assert event_id in twice["detail"]


def test_what_was_proven_is_named_topic_ranges_digests_and_time(view: View, tenant: str) -> None:
    view.post(tenant, many_events(40))
    first = view.audit("--to-end")
    second = view.audit("--to-end")
    assert first["ranges"] == second["ranges"]
    assert first["topic_id"] == second["topic_id"]
    assert first["at"] <= second["at"]
    assert sum(each["end"] - each["first"] for each in first["ranges"]) == first["offsets"]
    view.post(tenant, many_events(40))
    changed = [each for each in view.audit("--to-end")["ranges"] if each not in first["ranges"]]
    assert {each["digest"] for each in changed}.isdisjoint(
        each["digest"] for each in first["ranges"]
    )
    said = events("audit", home=view.stack.home).stdout
    assert f"Log {first['topic_id']}, at " in said
    for each in view.audit()["ranges"]:
        named = f"partition {each['partition']}: {each['first']}-{each['end']}, digest"
        assert f"{named} {each['digest']}" in said
