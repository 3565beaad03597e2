"""The ledger's step on a table in memory: whatever fails, every record is stored once."""

import uuid
from typing import Any

import pytest

from contracts.attempts import encode_attempt
from contracts.topics import DELIVERIES
from processors.consume.one_log import MadeAnew, OfOneLog
from processors.consume.step import Step
from processors.ledger.step import Ledger
from tests.attempts import NOW_MS, an_attempt
from tests.fakes import FakeDeliveries, FakeRecord

DAY_MS = 24 * 60 * 60 * 1000


def a_record(offset: int, partition: int = 0, **changes: Any) -> FakeRecord:
    value = encode_attempt(an_attempt(**changes))
    return FakeRecord(value, partition, offset, topic=DELIVERIES)


def records(*positions: tuple[int, int]) -> list[FakeRecord]:
    return [a_record(offset, partition) for partition, offset in positions]


async def test_each_day_is_an_insert_of_its_own() -> None:
    table = FakeDeliveries()
    midnight = NOW_MS - NOW_MS % DAY_MS
    await Ledger(table)([a_record(n, at=midnight + n - 1) for n in range(3)])
    assert [block.offsets for block in table.blocks] == [[0], [1, 2]]


NO_ATTEMPTS = {
    "nothing": None,
    "no JSON": b"{",
    "another record": b'{"id":"1"}',
    "a state that nobody knows": b'"state":"lost"',
    "a tenant that is none": b'"tenant":"a b"',
    "no subscription id": b'"subscription_id":"1"',
    "no event id": b'"event_id":"1"',
    "a time before 1970": b'"at":-1',
    "a time after 2200": b'"at":7258118400000',
    "an attempt below 0": b'"attempt":-1',
    "a latency of more than 32 bits": b'"latency_ms":4294967296',
    "a partition of more than 31 bits": b'"partition":2147483648',
    "an offset of more than 63 bits": b'"offset":9223372036854775808',
    "half a character": b'"message":"\\ud800"',
}


@pytest.mark.parametrize("wrong", NO_ATTEMPTS.values(), ids=NO_ATTEMPTS.keys())
async def test_what_is_no_attempt_is_rejected_alone(wrong: bytes | None) -> None:
    table, value = FakeDeliveries(), encode_attempt(an_attempt(message="m"))
    if wrong is not None and wrong.startswith(b'"'):
        wrong = value[:-1] + b"," + wrong + b"}"  # of two members the last counts
    batch = [a_record(n) for n in range(3)]
    batch[1].value = wrong
    rejects = await Ledger(table)(batch)
    assert [reject.record.offset for reject in rejects] == [1]
    assert rejects[0].reason.startswith("no attempt: ")
    assert table.stored == [(0, 0), (0, 2)]


async def test_a_topic_made_anew_while_it_is_read_ends_the_process_and_nothing_is_stored() -> None:
    table, ids = FakeDeliveries(), [uuid.uuid4(), uuid.uuid4()]

    async def now() -> uuid.UUID:
        return ids[0]

    async def of_log(_: uuid.UUID) -> Step:
        return Ledger(table)

    step = OfOneLog(now, of_log, MadeAnew)
    await step(records((0, 0)))
    del ids[0]
    with pytest.raises(MadeAnew, match=str(ids[0])):
        await step(records((0, 1)))
    assert table.stored == [(0, 0)]
