"""The exactly-once step on a table in memory: whatever fails, every record is stored once."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import derived_id
from processors.consume.consume import next_offsets
from processors.consume.step import Transient
from processors.materialize.reading import chunks
from processors.materialize.step import Materialize
from tests.builders import a_payload, an_event, represented
from tests.fakes import FakeRecord, FakeRows

NOW_MS = 1_790_000_000_000
DAY_MS = 24 * 60 * 60 * 1000
VALUE = represented(an_event(), "01a20d33-994f-74a1-8936-e15ecec113da")


def records(*positions: tuple[int, int]) -> list[FakeRecord]:
    return [FakeRecord(VALUE, partition, offset) for partition, offset in positions]


async def test_only_what_is_missing_of_a_batch_is_inserted() -> None:
    table = FakeRows()
    await Materialize(table)(records((0, 1), (0, 3)))
    await Materialize(table)(records((0, 0), (0, 1), (0, 2), (0, 3), (0, 4)))
    assert sorted(table.stored) == [(0, offset) for offset in range(5)]


async def test_a_record_that_is_no_event_is_rejected_and_the_rest_stored() -> None:
    table = FakeRows()
    batch = [
        FakeRecord(VALUE, 0, 0),
        FakeRecord(b"{}", 0, 1),
        FakeRecord(None, 0, 2),
        FakeRecord(VALUE, 0, 3, headers=()),
        FakeRecord(VALUE, 0, 4),
        FakeRecord(VALUE, 0, 5, headers=[("ce_tenant", None)]),
        FakeRecord(None, 0, 6, headers=[("ce_tenant", b"acme"), ("ce_id", None)]),
    ]
    rejects = await Materialize(table)(batch)
    assert [reject.record.offset for reject in rejects] == [1, 2, 3, 5, 6]
    assert table.stored == [(0, 0), (0, 4)]


async def test_two_events_in_one_record_are_none() -> None:
    table = FakeRows()
    batch = [FakeRecord(VALUE + VALUE, 0, 0), FakeRecord(VALUE, 0, 1)]
    rejects = await Materialize(table)(batch)
    assert [reject.record.offset for reject in rejects] == [0]
    assert table.stored == [(0, 1)]


def keyed(
    key: bytes, offset: int, tenant: str = "acme", partition: int = 0, at_ms: int = NOW_MS
) -> FakeRecord:
    value = represented(an_event(), derived_id(tenant, key, 0, an_event()["entity_id"]))
    headers = [("ce_tenant", tenant.encode())]
    return FakeRecord(value, partition, offset, headers=headers, timestamp=at_ms)


async def test_an_event_posted_again_under_its_key_is_stored_once() -> None:
    table = FakeRows()
    step = Materialize(table)
    await step([keyed(b"1", 0), keyed(b"1", 1), keyed(b"2", 2)])
    await step([keyed(b"2", 3), keyed(b"1", 0, partition=1), keyed(b"3", 4)])
    assert table.stored == [(0, 0), (0, 2), (0, 4)]


async def test_the_same_key_of_another_tenant_is_another_event() -> None:
    table = FakeRows()
    await Materialize(table)([keyed(b"1", 0), keyed(b"1", 1, tenant="other")])
    assert table.stored == [(0, 0), (0, 1)]


async def test_after_a_restart_the_names_are_read_from_the_table() -> None:
    table = FakeRows()
    await Materialize(table)([keyed(b"1", 0)])
    await Materialize(table)([keyed(b"1", 1), keyed(b"2", 2)])
    assert table.stored == [(0, 0), (0, 2)]


async def test_an_event_whose_insert_failed_is_no_repeat_of_itself() -> None:
    table = FakeRows(fail_before=1)
    step, batch = Materialize(table), [keyed(b"1", 0), keyed(b"1", 1)]
    with pytest.raises(Transient):
        await step(batch)
    await step(batch)
    assert table.stored == [(0, 0)]


async def test_only_names_that_the_table_may_know_are_looked_up() -> None:
    table = FakeRows()
    step = Materialize(table)
    await step([keyed(b"%d" % n, n) for n in range(100)])
    assert table.looked_up == []
    await step([keyed(b"7", 100), keyed(b"new", 101)])
    assert len(table.looked_up) == 1
    assert len(table.stored) == 101


async def test_a_repeat_after_the_event_expired_is_stored_and_found() -> None:
    table = FakeRows(retention_ms=DAY_MS)
    step = Materialize(table)
    await step([keyed(b"1", 0), keyed(b"1", 1, at_ms=NOW_MS + DAY_MS - 1)])
    assert table.stored == [(0, 0)]
    later = keyed(b"1", 2, at_ms=NOW_MS + DAY_MS)
    await step([later, keyed(b"1", 3, at_ms=NOW_MS + DAY_MS + 1)])
    assert table.stored == [(0, 0), (0, 2)]


async def test_repeats_of_several_lives_in_one_batch_as_a_replay_has_them() -> None:
    table = FakeRows(retention_ms=2 * DAY_MS)
    days = [0, 1, 1, 2, 3, 3, 5, 9]
    batch = [keyed(b"1", n, at_ms=NOW_MS + day * DAY_MS) for n, day in enumerate(days)]
    await Materialize(table)(batch)
    assert sorted(table.stored) == [(0, 0), (0, 3), (0, 6), (0, 7)]
    again = FakeRows(retention_ms=2 * DAY_MS)
    step = Materialize(again)
    for each in batch:
        await step([each])
    assert sorted(again.stored) == sorted(table.stored)


async def test_what_is_read_again_is_not_asked_for_under_every_name() -> None:
    """Only a key can bring a name twice: an event without one is missing or it is not."""
    table = FakeRows()
    await Materialize(table)(records((0, 0), (0, 2)))
    await Materialize(table)(records((0, 0), (0, 1), (0, 2)))
    assert table.stored == [(0, 0), (0, 2), (0, 1)]
    assert table.looked_up == []


NO_EVENTS = {
    "an unknown type": (b'"event_type":"ENTITY_EVENT"', b'"event_type":"RUMOUR"'),
    "no type": (b'"event_type":"ENTITY_EVENT",', b""),
    "an unknown operation": (b'"operation":"UPDATE"', b'"operation":"MELT"'),
    "an empty entity id": (b'"entity_id":"1000144"', b'"entity_id":""'),
    "a number for an entity id": (b'"entity_id":"1000144"', b'"entity_id":1000144'),
    "a member under another name": (b'"event_source"', b'"event_origin"'),
    "an id that is no UUID": (b'"id":"', b'"id":"not-'),
    "an id in upper case": (b"e15ecec113da", b"E15ECEC113DA"),
    "no id": (b',"id":"01a20d33-994f-74a1-8936-e15ecec113da"', b""),
    "a list for an attribute": (b'"correlationId":"637d6efa"', b'"a":[1]'),
    "a fault that is not base64": (
        b'"base64_encoded_fault_json":null',
        b'"base64_encoded_fault_json":"?"',
    ),
    "a fault with bits to spare": (
        b'"base64_encoded_fault_json":null',
        b'"base64_encoded_fault_json":"QR=="',
    ),
    "bytes that are not UTF-8": (b"637d6efa", b"\xff"),
    "a text that is cut off": (b'da"}', b""),
}


@pytest.mark.parametrize(("member", "instead"), NO_EVENTS.values(), ids=NO_EVENTS.keys())
async def test_what_is_no_event_is_rejected_alone(member: bytes, instead: bytes) -> None:
    assert member in VALUE
    table, bad = FakeRows(), VALUE.replace(member, instead)
    batch = [FakeRecord(bad if n == 5 else VALUE, 0, n) for n in range(9)]
    rejects = await Materialize(table)(batch)
    assert [reject.record.offset for reject in rejects] == [5]
    assert table.stored == [(0, n) for n in range(9) if n != 5]


@pytest.mark.parametrize("timestamp", [-1, 10**17])
async def test_a_record_from_no_time_that_can_be_is_rejected(timestamp: int) -> None:
    table = FakeRows()
    rejects = await Materialize(table)([FakeRecord(VALUE, timestamp=timestamp)])
    assert "time" in rejects[0].reason
    assert not table.stored


async def test_a_batch_over_the_end_of_a_month_goes_into_two_inserts() -> None:
    table = FakeRows()
    end_of_september = 1_790_812_799_999
    batch = [FakeRecord(VALUE, 0, n, timestamp=end_of_september + n) for n in range(3)]
    await Materialize(table)(batch)
    assert table.inserts == 2


async def test_a_batch_of_large_events_goes_into_several_inserts_each_stored_once() -> None:
    """As a fetch of well compressed batches holds it: not all of it is encoded at once."""
    payload = base64.b64encode(("ΐ" * 370_000).encode() + b"\\" * 16 + b"n").decode()
    event = an_event(event_payload=a_payload(base64_encoded_payload_json=payload))
    value = represented(event, "01a20d33-994f-74a1-8936-e15ecec113da")
    batch = [FakeRecord(value, 0, offset) for offset in range(60)]
    table = FakeRows(fail_after=2)
    step = Materialize(table)
    with pytest.raises(Transient):
        await step(batch)
    assert 0 < len(table.stored) < len(batch)
    with pytest.raises(Transient):
        await step(batch)
    await step(batch)
    assert table.stored == [(0, offset) for offset in range(60)]
    assert max(table.bytes_inserted) < 128 * 1024 * 1024


def test_chunks_are_all_records_in_order_few_where_they_are_large() -> None:
    small, large = FakeRecord(b"x"), FakeRecord(b"x" * 3 * 1024 * 1024)
    found = [*chunks([small] * 600 + [large] * 5)]
    assert [len(each) for each in found] == [500, *[2] * 52, 1]
    assert [record for each in found for record in each] == [small] * 600 + [large] * 5


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99)), min_size=1))
def test_the_offset_after_the_last_record_of_each_partition_is_committed(
    positions: list[tuple[int, int]],
) -> None:
    ordered = sorted(positions)
    committed = next_offsets(records(*ordered))
    for (topic, partition), offset in committed.items():
        assert topic == "events"
        assert offset == 1 + max(at for part, at in ordered if part == partition)
    assert {partition for _, partition in committed} == {partition for partition, _ in ordered}
