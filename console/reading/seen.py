"""An event as the pages show it: its representation, and what is read out of it once."""

import json
import uuid
from functools import cached_property
from typing import Any, NamedTuple

from console.reading.documents import Document, decoded
from console.reading.summary import summary
from contracts.criteria import instant_ms
from contracts.ids import made_at_ms


class Row(NamedTuple):
    """An event as a list shows it: without its documents, which may be large."""

    id: str
    type: str
    source: str
    operation: str
    entity: str
    summary: str
    received_ms: int | None


class Seen:
    """One event that the API answered, and when it was received: None when that is not known."""

    def __init__(self, event: dict[str, Any], received_ms: int | None = None) -> None:
        self.event = event
        self.received_ms = _made_ms(event["id"]) if received_ms is None else received_ms
        self.id: str = event["id"]
        self.type: str = event["event_type"]
        self.source: str = event["event_source"]
        self.entity: str = event["entity_id"]
        self.name: str | None = event.get("entity_name")
        self.operation: str = event["event_payload"]["operation"]
        self.attributes: dict[str, str] = event["event_payload"].get("key_attributes") or {}

    @cached_property
    def row(self) -> Row:
        """The event in a line."""
        return Row(
            *(self.id, self.type, self.source, self.operation, self.entity),
            summary(self.event),
            self.received_ms,
        )

    @cached_property
    def representation(self) -> str:
        """Its JSON, laid out."""
        return json.dumps(self.event, indent=2, ensure_ascii=False)

    @cached_property
    def payload(self) -> Document:
        """Its payload, decoded."""
        return decoded(self.event["event_payload"].get("base64_encoded_payload_json"))

    @cached_property
    def fault(self) -> Document:
        """Its fault, decoded."""
        return decoded(self.event["event_payload"].get("base64_encoded_fault_json"))


def seen(page: dict[str, Any]) -> list[Seen]:
    """The events of an `EventPage`, newest first."""
    received = page.get("received_at") or [None] * len(page["events"])
    return [
        Seen(event, None if at is None else instant_ms(at))
        for event, at in zip(page["events"], received, strict=True)
    ]


def _made_ms(event_id: str) -> int | None:
    """When the edge made the id; None for one that an Idempotency-Key gave."""
    try:
        return made_at_ms(uuid.UUID(event_id))
    except ValueError:
        return None
