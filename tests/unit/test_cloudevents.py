"""Every record of `events` is a CloudEvent for the SDK of the specification's authors, tombstones too."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.v1.kafka import KafkaMessage as OldMessage
from cloudevents.v1.kafka import from_binary
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding.wire import UNFIT, decode_event, encode, encode_erasure
from contracts.ids import derived_id
from tests.builders import an_event, events, represented
from tests.records import consumed

NOW_MS = 1_790_000_000_007
ID, OWN_ID = derived_id("acme", b"1", 0, "1000144"), "01a20d33-994f-74a1-8936-e15ecec113da"
# each kind of what CloudEvents forbids beside its neighbours that it allows
FORBIDDEN = "\x00\x1f\x7f\x9f\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010ffff"
ALLOWED = "\x20\x7e\xa0\ufdcf\ufdf0\ufffd\u2028\U0001fffd\U0010fffd%/:"


def read(record: Any) -> BaseCloudEvent:
    """What the SDK makes of a record as a consumer reads it."""
    return from_kafka(KafkaMessage(dict(record.headers), record.key, record.value), JSONFormat())


@given(events)
def test_an_event_is_read_whatever_its_entity_is_called(body: dict[str, Any]) -> None:
    value = represented(body, ID)
    found = read(consumed(encode("acme", decode_event(value), NOW_MS, value)))
    assert (found.get_id(), found.get_specversion()) == (ID, "1.0")
    assert found.get_source() == f"/acme/{body['event_source']}"
    assert found.get_type() == f"events.v1.{body['event_type']}"
    assert found.get_datacontenttype() == "application/json"
    assert found.get_data() == json.loads(value)
    assert str(found.get_time()) == "2026-09-21 14:13:20.007000+00:00"
    subject, entity_id = found.get_subject(), body["entity_id"]
    assert subject is not None
    assert not UNFIT.search(subject)
    assert subject == "".join(quote(each) if UNFIT.match(each) else each for each in entity_id)
    assert found.get_extension("partitionkey") == f"acme:{entity_id}"


@pytest.mark.parametrize("character", FORBIDDEN)
def test_what_no_cloudevents_string_may_hold_is_percent_encoded(character: str) -> None:
    value = represented(an_event(entity_id=f"a{character}b"), ID)
    subject = read(consumed(encode("acme", decode_event(value), 0, value))).get_subject()
    assert subject == f"a{quote(character)}b"
    assert quote(character).startswith("%")


@pytest.mark.parametrize("character", ALLOWED)
def test_what_it_may_hold_stays_as_it_is(character: str) -> None:
    value = represented(an_event(entity_id=f"a{character}b"), ID)
    subject = read(consumed(encode("acme", decode_event(value), 0, value))).get_subject()
    assert subject == f"a{character}b"


@given(events, st.integers(0, 2**41))
def test_a_tombstone_is_an_event_of_its_own_that_names_the_erased_one(
    body: dict[str, Any], erased_ms: int
) -> None:
    event = decode_event(represented(body, ID))
    found = read(consumed(encode_erasure("acme", event, OWN_ID, erased_ms)))
    assert (found.get_id(), found.get_extension("erasedid")) == (OWN_ID, ID)
    assert found.get_source() == f"/acme/{body['event_source']}"
    assert found.get_type() == "events.v1.ERASED"
    assert found.get_extension("tenant") == "acme"
    assert found.get_extension("partitionkey") == f"acme:{body['entity_id']}"
    assert (found.get_data(), found.get_datacontenttype()) == (None, None)


def test_its_interface_of_before_needs_a_reader_for_records_without_a_value() -> None:
    event = decode_event(represented(an_event(), ID))
    record = consumed(encode_erasure("acme", event, OWN_ID, NOW_MS))
    message = OldMessage(dict(record.headers), record.key, record.value)
    with pytest.raises(Exception, match="unmarshall"):
        from_binary(message)
    found = from_binary(message, data_unmarshaller=lambda value: value and json.loads(value))
    assert (found["id"], found["erasedid"], found.data) == (OWN_ID, ID, None)
