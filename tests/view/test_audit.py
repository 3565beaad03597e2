"""`events audit` tells what is missing from what is not, and names it."""

import asyncio
import json
import time
import uuid

import pytest
from aiokafka import AIOKafkaProducer

from contracts.topics import EVENTS
from processors.upkeep.absent import runs
from processors.upkeep.coverage import SPAN, spans
from tests.builders import an_event, many_events, represented
from tests.stack import events, eventually
from tests.view.conftest import View

DAY_MS = 24 * 3600 * 1000


def append(kafka: str, value: bytes, timestamp_ms: int | None = None) -> tuple[int, int]:
    """Put a record on `events` behind the edge's back; its partition and offset."""

    async def send() -> tuple[int, int]:
        async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
            headers = [("ce_tenant", b"acme")]
            sent = await producer.send_and_wait(
                EVENTS, value, partition=1, headers=headers, timestamp_ms=timestamp_ms
            )
            return sent.partition, sent.offset

    return asyncio.run(send())


def test_a_good_log_is_proven(view: View, tenant: str) -> None:
    view.post(tenant, many_events(300))
    account = view.audit()
    assert account["counts"]["stored"] >= 300
    assert account["offsets"] == sum(account["counts"].values())
    assert account["missing"] == account["doubled"] == []
    answer = events("audit", home=view.stack.home)
    assert answer.returncode == 0
    assert answer.stdout.startswith("Proven: ")


def test_the_image_says_the_same_as_the_events_command(view: View, tenant: str) -> None:
    event_id = view.post(tenant, many_events(20))[7]
    partition, offset = view.position(event_id)
    view.delete(event_id)
    document = json.loads(view.from_image("audit", "--json", code=1))
    assert document | {"at": ""} == view.audit(code=1) | {"at": ""}
    lines = events("audit", home=view.stack.home).stdout.splitlines()
    printed = view.from_image("audit", code=1).splitlines()
    assert len(printed) == len(lines) > 3
    assert [a for a, b in zip(printed, lines, strict=True) if a != b and ", at " not in a] == []
    rebuilt = json.loads(view.from_image("rebuild", "--yes", "--json"))
    assert rebuilt["proven"]
    assert view.position(event_id) == (partition, offset)
    assert view.from_image("accept-log", "new") == "Accepted as log 0.\n"  # it is known already
    assert view.from_image("migrate").startswith("Nothing to do: ")


def test_a_deleted_row_is_named_missing(view: View, tenant: str) -> None:
    event_id = view.post(tenant, many_events(50))[17]
    partition, offset = view.position(event_id)
    view.delete(event_id)
    account = view.audit(code=1)
    [missing] = account["missing"]
    assert (missing["partition"], missing["offset"]) == (partition, offset)
    assert event_id in missing["detail"]
    answer = events("audit", home=view.stack.home)
    assert answer.returncode == 1
    assert f"missing  partition {partition} offset {offset}: event {event_id}" in answer.stdout
    view.rebuild()
    view.audit()


def test_a_row_that_came_twice_is_named_double_until_it_is_merged_away(
    view: View, tenant: str
) -> None:
    event_id = view.post(tenant, many_events(50))[3]
    view.execute("SYSTEM STOP MERGES events")
    view.execute(f"INSERT INTO events SELECT * FROM events WHERE id = '{event_id}'")
    account = view.audit(code=1)
    partition, offset = view.position(event_id)
    assert account["doubled"] == [{"partition": partition, "offset": offset, "detail": "2 rows"}]
    assert account["counts"]["missing"] == 0
    view.execute("SYSTEM START MERGES events")
    view.execute("OPTIMIZE TABLE events FINAL")
    view.audit()


def test_a_repeat_under_an_idempotency_key_is_no_error(view: View, tenant: str) -> None:
    before = view.audit()["counts"]["repeat"]
    with view.stack.client(tenant) as client:
        key = {"Idempotency-Key": tenant}
        posted = [client.post("/api/v1/events", json=an_event(), headers=key) for _ in range(3)]
    assert len({answer.json()["id"] for answer in posted}) == 1
    offsets = view.audit()["offsets"]
    view.post(tenant, many_events(1))  # behind them in time: what is committed has passed them
    eventually(lambda: view.audit()["offsets"], until=lambda now: now > offsets)
    view.execute("OPTIMIZE TABLE events FINAL")
    eventually(lambda: view.audit("--to-end")["counts"]["repeat"], until=lambda n: n == before + 2)
    view.delete(posted[0].json()["id"])
    assert view.audit(code=1)["counts"]["missing"] == 3
    view.rebuild()


def test_an_unreadable_record_is_accounted_for_on_events_rejected(view: View) -> None:
    before = view.audit()["counts"]["rejected"]
    append(view.stack.status["kafka"], b"not json")
    eventually(
        lambda: view.audit("--to-end")["counts"]["rejected"], until=lambda n: n == before + 1
    )


def test_what_the_ttl_removed_is_expired_not_missing(view: View) -> None:
    event_id = "01a20d33-994f-74a1-8936-e15ecec113da"
    long_ago = round(time.time() * 1000) - 100 * DAY_MS
    append(view.stack.status["kafka"], represented(an_event(), event_id), long_ago)
    eventually(lambda: view.one(f"SELECT toUInt32(count()) FROM events WHERE id = '{event_id}'"))
    before = view.audit()["counts"]["expired"]
    view.execute(
        "ALTER TABLE events MODIFY TTL received_at + toIntervalDay(transform(tenant, ['b'], [9], 90))"
    )
    try:
        view.execute("OPTIMIZE TABLE events FINAL")
        assert view.one(f"SELECT toUInt32(count()) FROM events WHERE id = '{event_id}'") == 0
        assert view.audit()["counts"]["expired"] == before + 1
    finally:
        view.execute("ALTER TABLE events REMOVE TTL")
    assert view.audit(code=1)["counts"]["missing"] == 1  # nothing says any more that it may go
    view.rebuild()


def test_up_to_the_end_what_is_not_materialized_is_missing(view: View, tenant: str) -> None:
    with view.stack.client(tenant) as client:
        with view.stack.freeze("materialize"):
            assert client.post("/api/v1/events", json=an_event()).status_code == 201
            assert view.audit()["counts"]["missing"] == 0
            assert view.audit("--to-end", code=1)["counts"]["missing"] == 1
        view.audit("--to-end")


def test_a_table_of_another_log_cannot_be_audited(view: View, tenant: str) -> None:
    event_id, foreign_id = view.post(tenant, many_events(1))[0], str(uuid.uuid4())
    view.execute(
        f"INSERT INTO events SELECT * REPLACE (1000000000 AS kafka_offset, '{foreign_id}' AS id)"
        f" FROM (SELECT * FROM events WHERE id = '{event_id}')"
    )
    try:
        answer = events("audit", home=view.stack.home)
        assert answer.returncode == 2
        assert "1000000000" in answer.stderr
    finally:
        view.delete(foreign_id)
    view.audit()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("EVENTS_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9", "Kafka failed at connecting"),
        ("EVENTS_CLICKHOUSE__URL", "http://127.0.0.1:9", "asking for the logs"),
        ("EVENTS_CLICKHOUSE__TIMEOUT_S", "soon", "EVENTS_CLICKHOUSE__TIMEOUT_S"),
    ],
)
def test_without_a_server_or_with_bad_settings_nothing_is_claimed(
    view: View, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    answer = events("audit", home=view.stack.home)
    assert answer.returncode == 2
    assert said in answer.stderr
    assert answer.stdout == ""


def test_spans_cut_a_range_at_the_same_offsets_wherever_it_begins() -> None:
    assert spans(0, 0) == []
    assert spans(7, 9) == [(7, 9)]
    assert spans(7, 2 * SPAN + 1) == [(7, SPAN), (SPAN, 2 * SPAN), (2 * SPAN, 2 * SPAN + 1)]
    assert spans(SPAN, 2 * SPAN) == [(SPAN, 2 * SPAN)]


def test_offsets_that_lie_close_are_read_at_once() -> None:
    assert runs([]) == []
    assert runs([5, 6, 900]) == [(5, 901)]
    assert runs([5, 5000, 5001]) == [(5, 6), (5000, 5002)]
