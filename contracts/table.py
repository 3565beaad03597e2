"""The ClickHouse table of events: how it is written and the event read back.

Its DDL is `migrations/0001_events.sql`.
A row is the decoded event and its position in the log, inserted with many others (`block.py`).
Payload and fault are stored decoded: analysts read them, and GET encodes them again.
"""

import uuid
from collections.abc import Iterable
from functools import lru_cache
from time import gmtime

import msgspec

from contracts.codec import EventJson, PayloadJson, represent
from contracts.events import EventSource, EventType, Operation

EVENTS_TABLE = "events"
DAY_S = 24 * 60 * 60

INSERT_SETTINGS: dict[str, str | int] = {
    "async_insert": 0,  # the answer means written; on by default since 26.x
    "insert_deduplicate": 0,  # the offsets in the table are the authority, never a token
    "max_insert_threads": 1,  # one block, so one part per insert
}

SELECT_EVENT = """
SELECT tenant, id, entity_id, entity_name, event_source, event_type, operation, payload_entity_id,
    key_attributes, base64Encode(payload) AS payload, base64Encode(fault) AS fault
FROM {database}.events
WHERE (tenant, id) IN ({keys})
ORDER BY precedence -- an event has several rows until they are merged, the last of them stays
SETTINGS max_threads = 1 -- few rows: threads cost more than they save
FORMAT JSONEachRow
"""


@lru_cache(maxsize=16)
def _month_of_day(day: int) -> int:
    year, month = gmtime(day * DAY_S)[:2]
    return year * 100 + month


def month_of(received_ms: int) -> int:
    """The table's partition (YYYYMM, UTC) of a row received then, in ms since 1970."""
    return _month_of_day(received_ms // (DAY_S * 1000))


def select_events(database: str, keys: Iterable[tuple[str, uuid.UUID]]) -> str:
    """The query for these (tenant, id); the tenants must have passed `is_tenant`."""
    listed = ", ".join(f"('{tenant}', '{event_id}')" for tenant, event_id in keys)
    return SELECT_EVENT.format(database=database, keys=listed)


class StoredEvent(msgspec.Struct):
    """One line of the answer to `select_events`."""

    tenant: str
    id: str
    entity_id: str
    entity_name: str | None
    event_source: EventSource
    event_type: EventType
    operation: Operation
    payload_entity_id: str
    key_attributes: dict[str, str]
    payload: str | None
    fault: str | None

    def event(self) -> EventJson:
        """The event without its tenant."""
        return EventJson(
            entity_id=self.entity_id,
            entity_name=self.entity_name,
            event_payload=PayloadJson(
                base64_encoded_fault_json=self.fault,
                base64_encoded_payload_json=self.payload,
                entity_id=self.payload_entity_id,
                key_attributes=self.key_attributes,
                operation=self.operation,
            ),
            event_source=self.event_source,
            event_type=self.event_type,
            id=self.id,
        )


_stored = msgspec.json.Decoder(StoredEvent)


def read_events(lines: bytes) -> dict[tuple[str, str], bytes]:
    """The answer to `select_events` as representations by (tenant, id): of each the row that stays."""
    found = (_stored.decode(line) for line in lines.splitlines())
    return {(stored.tenant, stored.id): represent(stored.event()) for stored in found}
