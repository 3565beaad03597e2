"""The hot path's reading of an event and pydantic's accept and refuse the same."""

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.encoding.codec import decode_base64
from contracts.encoding.parse import parse_event
from contracts.events import CANONICAL_BASE64, EventDraft
from contracts.problems import Problem
from tests.builders import an_event, events

VALUES: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("READ")
    | st.just({}) | st.lists(st.text(max_size=2), max_size=2) | st.just("x" * 513)
    | st.dictionaries(st.text(max_size=257), st.none() | st.text(max_size=2), max_size=2)
)  # fmt: skip
NAMES = st.sampled_from(
    [
        *("entity_id", "entity_name", "event_payload", "event_source", "event_type", "id"),
        *("base64_encoded_fault_json", "base64_encoded_payload_json", "key_attributes"),
        *("operation", "colour", ""),
    ]
)


def pydantic_accepts(body: bytes) -> bool:
    try:
        EventDraft.model_validate_json(body)
    except ValidationError:
        return False
    return True


def hot_path_accepts(body: bytes) -> bool:
    try:
        parse_event(body)
    except Problem:
        return False
    return True


@given(events, st.lists(st.tuples(st.booleans(), NAMES, VALUES), max_size=2))
def test_an_event_changed_anywhere_is_accepted_by_both_or_by_neither(
    event: dict[str, Any], changes: list[tuple[bool, str, object]]
) -> None:
    for inside, name, value in changes:
        target = event["event_payload"] if inside else event
        if isinstance(target, dict):
            target[name] = copy.deepcopy(value)  # two changes may hold the same one
    body = json.dumps(event).encode()
    assert hot_path_accepts(body) == pydantic_accepts(body)


@given(st.data())
def test_a_byte_changed_anywhere_is_accepted_by_both_or_by_neither(data: st.DataObject) -> None:
    body = bytearray(json.dumps(an_event(), ensure_ascii=False).encode())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    if hot_path_accepts(bytes(body)):
        assert pydantic_accepts(bytes(body))
    elif pydantic_accepts(bytes(body)):  # what pydantic lets pass: a key that comes twice
        with pytest.raises(Problem, match="more than once"):
            parse_event(bytes(body))


@given(st.text("ABCDQRgw9+/=-_ \né", max_size=12) | st.binary().map(bytes.hex))
@example("QQ==")
@example("QUI=")
@example("QQ==QQ==")
def test_base64_is_decoded_when_it_has_the_form_that_the_contract_publishes(text: str) -> None:
    published = re.fullmatch(CANONICAL_BASE64.replace("$", r"\Z"), text) is not None
    assert (decode_base64(text) is not None) == published
