"""The event's representation and what the parser accepts and refuses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding.codec import represent
from contracts.encoding.parse import parse_event, read_json
from contracts.encoding.wire import decode_event
from contracts.problems import Problem
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
    "two byte order marks": b"\xef\xbb\xbf" * 2 + b"{}",
    "nothing but a byte order mark": b"\xef\xbb\xbf",
    "a million byte order marks": b"\xef\xbb\xbf" * 1_000_000,
    "a lone surrogate": b'{"entity_id": "\\ud800"}',
    "NaN": b'{"entity_id": NaN}',
    "nested 100,000 deep": b"[" * 100_000,
    "nested 1,000 deep in a field": b'{"entity_id":' + b"[" * 1000,
    "nested 1,000 deep in a field that is none": b'{"colour":' + b"[" * 1000,
    "crowded and cut off": b'{"colour": [' + b'"",' * 100_000,
    "crowded and nested": b'{"colour": [' + b"[]," * 2_000 + b"[" * 2_000,
    "crowded and not UTF-8": b'{"colour": ["\xff"' + b",[]" * 2_000 + b"]}",
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


def attributes(count: int, value: object = "") -> bytes:
    """An event with so many key attributes."""
    found = {f"k{number}": value for number in range(count)}
    return json.dumps(an_event(event_payload=a_payload(key_attributes=found))).encode()


@pytest.mark.parametrize("count", [101, 250, 5_000, 80_000])
def test_too_many_attributes_are_refused_with_their_number_and_the_limit(count: int) -> None:
    with pytest.raises(Problem) as refused:
        parse_event(attributes(count))
    assert refused.value.status == 405
    (error,) = refused.value.errors
    assert error["pointer"] == "/event_payload/key_attributes"
    assert (error["size"], error["limit"]) == (count, 100)


CROWDED = {
    "attributes of a wrong type": (attributes(1_000, 1), "/event_payload/key_attributes"),
    "a wrong type in a crowd": (attributes(5_000, 1), "/event_payload/key_attributes"),
    "unknown fields": (
        json.dumps(an_event(**{f"a/{number}": 1 for number in range(1_000)})).encode(),
        "/a~10",
    ),
    "unknown fields of the payload": (
        json.dumps(an_event(event_payload={f"k{number}": 1 for number in range(1_000)})).encode(),
        "/event_payload/k0",
    ),
    "a field left out": (
        b'{"entity_id": "1", "event_payload": {"operation": "READ"}, "event_type": "FAULT",'
        b'"entity_name": "' + b'\\"' * 500 + b'"}',
        "/event_source",
    ),
    "an unknown value": (
        json.dumps(an_event(event_type="RUMOUR", colour="," * 10_000)).encode(),
        "/event_type",
    ),
    "100,000 strings": (
        json.dumps(an_event(entity_name=["a"] * 100_000)).encode(),
        "",
    ),
}


@pytest.mark.parametrize(("body", "pointer"), CROWDED.values(), ids=CROWDED.keys())
def test_a_crowded_body_is_refused_by_its_first_fault(body: bytes, pointer: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_event(body)
    assert refused.value.status == 405
    assert refused.value.headers["Allow"] == "POST"
    assert [error["pointer"] for error in refused.value.errors] == [pointer]


@pytest.mark.parametrize("text", [body for body, _ in BREAKS_CONTRACT.values()])
def test_the_first_fault_is_one_of_those_that_are_named_and_holds_no_value(text: object) -> None:
    body = json.dumps(text).encode()
    with pytest.raises(Problem) as all_faults:
        parse_event(body)
    with pytest.raises(Problem) as first:
        parse_event(body, is_explained=False)
    assert first.value.status == 405
    (error,) = first.value.errors or all_faults.value.errors
    named = {each["pointer"] for each in all_faults.value.errors}
    assert any(each.startswith(error["pointer"]) for each in named)
    assert "RUMOUR" not in error["detail"]
    assert "BULK_CREATE" not in error["detail"]


def test_an_event_at_every_limit_is_no_crowd() -> None:
    fields = {str(number) + "n" * 250: '"' * 3000 for number in range(100)}
    event = an_event(entity_name="[{," * 170, event_payload=a_payload(key_attributes=fields))
    assert parse_event(json.dumps(event).encode()).event_payload.key_attributes == fields


@pytest.mark.parametrize("repeated", [1, 15_999])
def test_of_many_keys_the_repeated_one_is_found(repeated: int) -> None:
    pairs = ",".join(f'"k{number}":1' for number in [*range(16_000), repeated])
    with pytest.raises(Problem) as refused:
        read_json(f"{{{pairs}}}".encode())
    assert f"'k{repeated}'" in refused.value.detail


def test_a_byte_order_mark_is_skipped() -> None:
    body = json.dumps(an_event()).encode()
    assert parse_event(b"\xef\xbb\xbf" + body) == parse_event(body)


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
