"""The event's representation and what the parser accepts and refuses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import represent
from contracts.parse import parse_event
from contracts.problems import Problem
from contracts.wire import decode_event
from tests.builders import SEED_SAMPLE, a_payload, an_event, events, represented

ID = "01a20d33-994f-74a1-8936-e15ecec113da"


@given(events)
def test_a_representation_says_what_was_posted_with_defaults_filled(event: dict[str, Any]) -> None:
    shown = json.loads(represented(event, ID))
    payload = event["event_payload"]
    assert shown == {
        "entity_id": event["entity_id"],
        "entity_name": event.get("entity_name"),
        "event_payload": {
            "base64_encoded_fault_json": payload.get("base64_encoded_fault_json"),
            "base64_encoded_payload_json": payload.get("base64_encoded_payload_json"),
            "entity_id": payload.get("entity_id", event["entity_id"]),
            "key_attributes": payload.get("key_attributes", {}),
            "operation": payload["operation"],
        },
        "event_source": event["event_source"],
        "event_type": event["event_type"],
        "id": ID,
    }


@given(events)
def test_reading_a_representation_and_writing_it_again_gives_the_same_bytes(
    event: dict[str, Any],
) -> None:
    once = represented(event, ID)
    assert represent(decode_event(once)) == once


@given(events)
def test_a_representation_holds_no_character_that_sqs_refuses(event: dict[str, Any]) -> None:
    text = represented(event, ID).decode()
    assert all(char in "\t\n\r" or " " <= char <= "\ufffd" or char > "\uffff" for char in text)


def test_members_are_in_the_order_of_the_specification() -> None:
    shown = represented(SEED_SAMPLE, ID)
    assert list(json.loads(shown)) == [
        "entity_id", "entity_name", "event_payload", "event_source", "event_type", "id",
    ]  # fmt: skip


@given(events, st.sampled_from(["entity_id", "event_source", "event_type"]))
def test_a_repeated_key_is_refused_wherever_its_copies_stand(
    event: dict[str, Any], key: str
) -> None:
    text = json.dumps(event)
    body = text[:-1] + f", {json.dumps(key)}: {json.dumps(event[key])}}}"
    with pytest.raises(Problem) as refused:
        parse_event(body.encode())
    assert refused.value.status == 400
    assert key in refused.value.detail


BROKEN_JSON = {
    "empty": b"",
    "cut off": b'{"entity_id": "1"',
    "two documents": b"{} {}",
    "a comment": b"{} // note",
    "not UTF-8": b'{"entity_id": "\xff"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a lone surrogate": b'{"entity_id": "\\ud800"}',
    "NaN": b'{"entity_id": NaN}',
    "nested 100,000 deep": b"[" * 100_000,
    "a repeated key inside": b'{"event_payload": {"operation": "READ", "operation": "READ"}}',
}


@pytest.mark.parametrize("body", BROKEN_JSON.values(), ids=BROKEN_JSON.keys())
def test_what_is_not_json_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        parse_event(body)
    assert refused.value.status == 400


BREAKS_CONTRACT: dict[str, tuple[object, str]] = {
    "null": (None, ""),
    "an array": ([], ""),
    "no entity id": (
        {name: part for name, part in an_event().items() if name != "entity_id"},
        "/entity_id",
    ),
    "an empty entity id": (an_event(entity_id=""), "/entity_id"),
    "a numeric entity id": (an_event(entity_id=12), "/entity_id"),
    "an entity id of 513": (an_event(entity_id="x" * 513), "/entity_id"),
    "an unknown field": (an_event(colour="red"), "/colour"),
    "an id of the client's": (an_event(id=ID), "/id"),
    "an unknown source": (an_event(event_source="SHOP"), "/event_source"),
    "an unknown type": (an_event(event_type="ERROR"), "/event_type"),
    "the seed's placeholder operation": (
        an_event(event_payload=a_payload(operation="BULK_CREATE or CREATE")),
        "/event_payload/operation",
    ),
    "no operation": (
        an_event(event_payload={"key_attributes": {}}),
        "/event_payload/operation",
    ),
    "base64 without padding": (
        an_event(event_payload=a_payload(base64_encoded_payload_json="QQ")),
        "/event_payload/base64_encoded_payload_json",
    ),
    "base64 with line breaks": (
        an_event(event_payload=a_payload(base64_encoded_payload_json="QUJD\nREVG")),
        "/event_payload/base64_encoded_payload_json",
    ),
    "base64 with unused bits": (
        an_event(event_payload=a_payload(base64_encoded_fault_json="QR==")),
        "/event_payload/base64_encoded_fault_json",
    ),
    "an attribute that is a number": (
        an_event(event_payload=a_payload(key_attributes={"a/b": 1})),
        "/event_payload/key_attributes/a~1b",
    ),
    "101 attributes": (
        an_event(event_payload=a_payload(key_attributes={str(n): "" for n in range(101)})),
        "/event_payload/key_attributes",
    ),
}


@pytest.mark.parametrize(("body", "pointer"), BREAKS_CONTRACT.values(), ids=BREAKS_CONTRACT.keys())
def test_what_breaks_the_contract_is_invalid_input_and_named(body: object, pointer: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_event(json.dumps(body).encode())
    assert refused.value.status == 405
    assert refused.value.headers["Allow"] == "POST"
    assert refused.value.errors[0]["pointer"] == pointer


def test_a_limit_that_was_passed_is_named_with_the_size() -> None:
    with pytest.raises(Problem) as refused:
        parse_event(json.dumps(an_event(entity_id="x" * 600)).encode())
    error = refused.value.errors[0]
    assert (error["limit"], error["size"]) == (512, 600)


def test_a_field_that_is_missing_has_no_size() -> None:
    with pytest.raises(Problem) as refused:
        parse_event(b'{"entity_id": "1"}')
    assert {error["pointer"] for error in refused.value.errors} == {
        "/event_payload",
        "/event_source",
        "/event_type",
    }
    assert all("size" not in error for error in refused.value.errors)


def test_the_seeds_fault_that_is_not_json_is_accepted_and_unchanged() -> None:
    shown = json.loads(represented(SEED_SAMPLE, ID))
    assert shown["event_payload"]["base64_encoded_fault_json"] == "eyJpZCI6IjEyXCJ9"
