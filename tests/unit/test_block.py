"""A block, read as a server reads it, has the rows that were added to it."""

import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from contracts.encoding.block import Block, Row, row
from contracts.encoding.wire import decode_event
from tests.builders import an_event, events, represented
from tests.model.native import rows_of

LOG = 3
LENGTHS = (0, 1, 127, 128, 16_383, 16_384, 16_385)  # where a length takes another byte, and more


def read_back(rows: list[Row], at_once: int) -> None:
    block = Block()
    for start in range(0, len(rows), at_once):
        block.add(rows[start : start + at_once])
    found = rows_of(block, LOG)
    assert [log for log, _ in found] == [LOG] * len(rows)
    for (_, back), added in zip(found, rows, strict=True):
        parts = added.event.event_payload  # whose base64 is decoded beside it
        parts.base64_encoded_payload_json = parts.base64_encoded_fault_json = UNSET
        assert back == added


@given(st.lists(events, min_size=1, max_size=20), st.integers(1, 20))
def test_rows_come_back_however_many_are_added_at_once(
    posted: list[dict[str, Any]], at_once: int
) -> None:
    decoded = [decode_event(represented(each, str(uuid.uuid4()))) for each in posted]
    read_back([row("acme", n % 3, 2**40 + n, n, each) for n, each in enumerate(decoded)], at_once)


def test_texts_of_every_length_come_back() -> None:
    read_back([of_length(n, length) for n, length in enumerate(LENGTHS)], 3)


def of_length(number: int, length: int) -> Row:
    event = decode_event(represented(an_event(), str(uuid.uuid4())))
    event.entity_id = "x" * length
    event.entity_name = "y" * length
    event.event_payload.key_attributes = {"k" * length: "v" * length}
    added = row("acme", 0, number, number, event)
    added.payload, added.fault = b"p" * length, b"f" * length
    return added
