"""Events for tests: one valid body to vary, many different ones, and hypothesis strategies."""

import base64
import json
from pathlib import Path
from typing import Any, get_args

from hypothesis import strategies as st

from contracts.encoding.codec import named, represent
from contracts.encoding.parse import parse_event
from contracts.events import EventSource, EventType, Operation

SEED_SAMPLE = json.loads((Path(__file__).parent.parent / "examples" / "event.json").read_text())
RETAIL = Path(__file__).parent.parent.parent / "shared" / "data" / "retail-events.ndjson"
NO_ROWS = b'{"data":[],"statistics":{}}'
"""ClickHouse's answer to a search that finds nothing."""


def an_event(**changes: Any) -> dict[str, Any]:
    """A valid body with `changes` at its top level."""
    event = {
        "entity_id": "1000144",
        "event_payload": {
            "base64_encoded_payload_json": base64.b64encode(b'{"id": 1}').decode(),
            "key_attributes": {"correlationId": "637d6efa"},
            "operation": "UPDATE",
        },
        "event_source": "ORDER",
        "event_type": "ENTITY_EVENT",
    }
    return event | changes


def a_payload(**changes: Any) -> dict[str, Any]:
    """A valid event_payload with `changes`."""
    payload: dict[str, Any] = an_event()["event_payload"]
    return payload | changes


def represented(event: object, event_id: str) -> bytes:
    """The representation of the body `event` under `event_id`."""
    return represent(named(parse_event(json.dumps(event).encode()), event_id))


def many_events(count: int) -> list[str]:
    """`count` different bodies; the retail events where they are there."""
    if RETAIL.exists():
        lines = RETAIL.read_text().splitlines()
        return [lines[number % len(lines)] for number in range(count)]
    types, sources = get_args(EventType), get_args(EventSource)
    return [
        json.dumps(
            an_event(
                entity_id=str(number % 300),
                event_type=types[number % len(types)],
                event_source=sources[number % len(sources)],
            )
        )
        for number in range(count)
    ]


# Any text that JSON can carry: no surrogates; control characters and U+FFFF included on purpose.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
base64_texts = st.binary(max_size=60).map(lambda raw: base64.b64encode(raw).decode())

events = st.fixed_dictionaries(
    {
        "entity_id": texts.filter(bool),
        "event_payload": st.fixed_dictionaries(
            {"operation": st.sampled_from(get_args(Operation))},
            optional={
                "base64_encoded_fault_json": st.none() | base64_texts,
                "base64_encoded_payload_json": st.none() | base64_texts,
                "entity_id": texts.filter(bool),
                "key_attributes": st.dictionaries(texts.filter(bool), texts, max_size=5),
            },
        ),
        "event_source": st.sampled_from(get_args(EventSource)),
        "event_type": st.sampled_from(get_args(EventType)),
    },
    optional={"entity_name": st.none() | texts},
)
