"""A tombstone's record, what it covers, and how a row tells which event it is of."""

import uuid

import pytest

from contracts.encoding.block import row
from contracts.encoding.wire import (
    Undecodable,
    decode_erasure,
    decode_event,
    encode,
    encode_erasure,
)
from contracts.erasures import WINDOW_MS, Erasure
from contracts.ids import derived_id
from tests.builders import an_event, represented
from tests.records import consumed

NOW_MS = 1_790_000_000_000
ID, KEYED = "01a20d33-994f-74a1-8936-e15ecec113da", derived_id("acme", b"1", 0, "1000144")


def test_a_tombstone_covers_its_event_wherever_it_lies() -> None:
    erasure = Erasure("acme", KEYED, partition=0, offset=5, erased_ms=NOW_MS, final=True)
    assert erasure.covers(0, 6, NOW_MS + WINDOW_MS + 1)
    assert erasure.covers(1, 0, NOW_MS + WINDOW_MS + 1)


def test_one_of_the_first_release_covers_what_it_covered_then() -> None:
    erasure = Erasure("acme", KEYED, partition=0, offset=5, erased_ms=NOW_MS, final=False)
    assert erasure.covers(0, 4, NOW_MS + WINDOW_MS + 1)
    assert erasure.covers(0, 6, NOW_MS + WINDOW_MS)
    assert not erasure.covers(0, 6, NOW_MS + WINDOW_MS + 1)
    assert not erasure.covers(1, 4, NOW_MS + WINDOW_MS + 1)


@pytest.mark.parametrize("tenant", ["a", "A.b-c_9", "x" * 64])
def test_a_row_tells_whose_it_is(tenant: str) -> None:
    event_id = str(uuid.uuid4())
    made = row(tenant, 3, 2**40, NOW_MS, decode_event(represented(an_event(), event_id)))
    assert made.name == (tenant, event_id)


def test_a_tombstone_has_its_events_key_and_an_id_of_its_own() -> None:
    value = represented(an_event(entity_id="a:ä"), ID)
    event = decode_event(value)
    own_id = str(uuid.uuid4())
    tombstone = consumed(encode_erasure("acme", event, own_id, NOW_MS))
    assert tombstone.key == consumed(encode("acme", event, 0, value)).key
    assert tombstone.value is None
    assert dict(tombstone.headers)["ce_id"].decode() == own_id
    assert decode_erasure(tombstone.headers) == ("acme", ID, True)


def test_a_tombstone_of_the_first_release_has_its_events_id() -> None:
    sent = [("ce_tenant", b"acme"), ("ce_new", b"?"), ("ce_id", ID.encode())]
    assert decode_erasure(sent) == ("acme", ID, False)
    with pytest.raises(Undecodable):
        decode_event(None)
