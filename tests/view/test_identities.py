"""The audit compares what rows say, not how many there are: each kind of damage is named as what it is."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from uuid_utils import uuid7

from contracts.ids import derived_id
from processors.upkeep.account import WRONG
from tests.builders import an_event, many_events
from tests.stack import events, eventually
from tests.view.conftest import View
from tests.view.records import append, record
from tests.view.shown import rows

pytestmark = pytest.mark.long

FOREIGN = "foreign"


@pytest.fixture
def mended(view: View) -> Iterator[View]:
    """What is damaged is made good at the end."""
    yield view
    view.execute(f"DELETE FROM events WHERE entity_name = '{FOREIGN}'")
    view.rebuild()
    view.audit()


@pytest.fixture
def unmerged(mended: View) -> Iterator[View]:
    """No merge leaves one of two rows."""
    mended.execute("SYSTEM STOP MERGES events")
    yield mended
    mended.execute("SYSTEM START MERGES events")


def only(view: View, kind: str) -> list[dict[str, Any]]:
    """What the audit names: nothing but this kind."""
    account = view.audit(code=1)
    assert {each for each in WRONG if account["counts"][each]} == {kind}
    named: list[dict[str, Any]] = account[kind]
    answer = events("audit", home=view.stack.home)
    assert answer.stdout.startswith(f"{kind}  partition {named[0]['partition']} offset ")
    assert "NOT as it should be" in answer.stdout
    return named


CHANGES = {
    "payload": "'another'",
    "fault": "''",
    "entity_name": "'another'",
    "key_attributes": "map('a', 'b')",
    "operation": "'another'",
    "received_at": "received_at + toIntervalMillisecond(1)",
    "entity_id": "'another'",
}


def test_a_row_that_says_something_else_is_altered(mended: View, tenant: str) -> None:
    """One row at each offset, as many as there are events: the old audit said Proven."""
    ids = mended.post(tenant, many_events(20))
    damaged = []
    for (column, value), event_id in zip(CHANGES.items(), ids, strict=False):
        partition, offset = mended.position(event_id)
        moved(mended, event_id, f"{value} AS {column}")
        damaged.append((partition, offset, "the row does not say what the record says"))
    altered = only(mended, "altered")
    assert sorted(tuple(each.values()) for each in altered) == sorted(damaged)
    mended.rebuild()
    mended.audit()
    assert mended.stack.counts(tenant) == (20, 20)


def moved(view: View, event_id: str, replaced: str) -> None:
    """Put another row into the place of this one."""
    view.execute(
        f"CREATE TABLE moved ENGINE = Memory AS SELECT * REPLACE ({replaced})"
        f" FROM (SELECT * FROM events WHERE id = '{event_id}')"
    )
    view.delete(event_id)
    view.execute("INSERT INTO events SELECT * FROM moved")
    view.execute("DROP TABLE moved")


def test_a_row_of_another_event_is_altered_and_no_rebuild_takes_it_away_unasked(
    mended: View, tenant: str
) -> None:
    """It may be the only place where an event is that Kafka has lost: offsets can be given twice."""
    event_id, other = mended.post(tenant, many_events(9))[2], str(uuid7())
    place = mended.position(event_id)
    moved(mended, event_id, f"'{other}' AS id, '{FOREIGN}' AS entity_name")
    [altered] = only(mended, "altered")
    assert (altered["partition"], altered["offset"]) == place
    answer = events("rebuild", "--yes", home=mended.stack.home)
    assert answer.returncode == 1
    assert f"event {other} of {tenant} would not be shown any more" in answer.stdout
    assert mended.position(other) == place
    mended.delete(other)
    mended.rebuild()
    assert mended.position(event_id) == place


def test_a_row_without_a_record_is_foreign_and_no_rebuild_takes_it_away_unasked(
    mended: View, tenant: str
) -> None:
    """The old audit said Proven: it did not ask what record a row is of."""
    kept, erased = mended.post(tenant, [*many_events(2)])
    with mended.stack.client(tenant) as client:
        assert client.delete(f"/api/v1/events/{erased}").status_code == 204
    tombstone = f"FROM erasures WHERE id = '{erased}'"
    eventually(lambda: mended.one(f"SELECT toUInt32(count()) {tombstone}"))
    eventually(lambda: mended.audit("--to-end"))
    partition, offset = mended.stack.sql(
        f"SELECT kafka_partition, toUInt32(kafka_offset) {tombstone} LIMIT 1"
    )[0]
    foreign = str(uuid7())
    mended.execute(
        f"INSERT INTO events SELECT * REPLACE ('{foreign}' AS id, {offset} AS kafka_offset,"
        f" {partition} AS kafka_partition, '{FOREIGN}' AS entity_name)"
        f" FROM (SELECT * FROM events WHERE id = '{kept}')"
    )
    [named] = only(mended, "foreign")
    assert (named["partition"], named["offset"]) == (partition, offset)
    answer = events("rebuild", "--yes", home=mended.stack.home)
    assert answer.returncode == 1
    assert f"vanished  partition {partition} offset {offset}: event {foreign}" in answer.stdout
    assert "Nothing was swapped" in answer.stderr
    assert mended.position(foreign) == (partition, offset)


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
    eventually(lambda: rows(unmerged, event_id))  # `post` counts from what is there
    unmerged.post(tenant, [*many_events(1)])
    eventually(lambda: unmerged.audit("--to-end"))
    partition, offset = unmerged.position(event_id)
    unmerged.execute(
        f"INSERT INTO events SELECT * REPLACE ({offset + 1} AS kafka_offset) FROM"
        f" (SELECT * FROM events WHERE id = '{event_id}')"
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
