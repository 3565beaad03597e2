"""The number of a row changes with whatever the row says, and with where it lies."""

from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given

from contracts.encoding.block import Row, row
from contracts.encoding.digest import row_hash
from contracts.encoding.wire import decode_event
from tests.builders import events, represented, texts

ID = "01a20d33-994f-74a1-8936-e15ecec113da"
rows = events.map(lambda event: row("acme", 1, 2, 3, decode_event(represented(event, ID))))
Change = Callable[[Any, Any], Any]


def _event(row_: Row, **changes: Any) -> Row:
    event = msgspec.structs.replace(row_.event, **changes)
    return msgspec.structs.replace(row_, event=event)


def _payload(row_: Row, **changes: Any) -> Row:
    return _event(row_, event_payload=msgspec.structs.replace(row_.event.event_payload, **changes))


def _attributes(row_: Row) -> dict[str, str]:
    return cast("dict[str, str]", row_.event.event_payload.key_attributes)


CHANGES: dict[str, Change] = {
    "partition": lambda r, _: msgspec.structs.replace(r, partition=r.partition + 1),
    "offset": lambda r, _: msgspec.structs.replace(r, offset=r.offset + 1),
    "time": lambda r, _: msgspec.structs.replace(r, received_ms=r.received_ms + 1),
    "tenant": lambda r, _: msgspec.structs.replace(r, tenant="other"),
    "id": lambda r, _: _event(r, id=ID[:-1] + "b"),
    "type": lambda r, text: _event(r, event_type=r.event.event_type + text),
    "source": lambda r, text: _event(r, event_source=r.event.event_source + text),
    "operation": lambda r, text: _payload(r, operation=r.event.event_payload.operation + text),
    "entity": lambda r, text: _event(r, entity_id=r.event.entity_id + text),
    "entity's name": lambda r, text: _event(r, entity_name=(r.event.entity_name or "") + text),
    "own entity": lambda r, text: _payload(r, entity_id=r.event.event_payload.entity_id + text),
    "one more attribute": lambda r, text: _payload(
        r, key_attributes=_attributes(r) | {"".join([*_attributes(r), text]): text}
    ),
    "payload": lambda r, text: msgspec.structs.replace(
        r, payload=(r.payload or b"") + text.encode()
    ),
    "fault": lambda r, text: msgspec.structs.replace(r, fault=(r.fault or b"") + text.encode()),
    "payload for fault": lambda r, text: msgspec.structs.replace(
        r, payload=text.encode(), fault=None if r.fault != text.encode() else b""
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@given(row_=rows, text=texts.filter(bool))
def test_another_value_is_another_number(change: Change, row_: Row, text: str) -> None:
    changed = change(row_, text)
    assert (row_hash(changed) == row_hash(row_)) == (changed == row_)


@given(row_=rows)
def test_nothing_is_not_an_empty_text(row_: Row) -> None:
    for field in ("payload", "fault"):
        empty, nothing = (msgspec.structs.replace(row_, **{field: value}) for value in (b"", None))
        assert row_hash(empty) != row_hash(nothing)
    assert row_hash(_event(row_, entity_name="")) != row_hash(_event(row_, entity_name=None))


@given(row_=rows, text=texts.filter(bool))
def test_text_that_moves_from_a_field_to_the_next_is_another_row(row_: Row, text: str) -> None:
    entity = row_.event.entity_id
    one = _payload(_event(row_, entity_id=entity + text, entity_name="x"), key_attributes={})
    other = _payload(_event(row_, entity_id=entity, entity_name=text + "x"), key_attributes={})
    assert row_hash(one) != row_hash(other)
    one, other = (_payload(row_, key_attributes=each) for each in ({"a": text}, {"a" + text: ""}))
    assert row_hash(one) != row_hash(other)
