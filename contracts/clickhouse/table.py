"""The ClickHouse table of events: how it is written and the event read back.

Its DDL is `migrations/0001_events.sql`.
A row is the decoded event and its position in the log, inserted with many others (`block.py`).
Payload and fault are stored decoded: analysts read them, and GET encodes them again.
"""

import uuid
from collections.abc import Collection, Iterable
from functools import lru_cache
from time import gmtime

import msgspec

from contracts.clickhouse.replicas import Replicas
from contracts.encoding.codec import EventJson, PayloadJson, represent
from contracts.erasures import ERASURES_TABLE
from contracts.events import EventSource, EventType, Operation
from contracts.ids import ids_sql, names_sql

EVENTS_TABLE = "events"
DAY_S = 24 * 60 * 60
FOR_EVER_MS = 2**63
"""When a row expires that is kept for ever."""
ONE_SERVER = Replicas()

INSERT_SETTINGS: dict[str, str | int] = {
    "async_insert": 0,  # the answer means written; on by default since 26.x
    "insert_deduplicate": 0,  # the offsets in the table are the authority, never a token
    "max_insert_threads": 1,  # one block, so one part per insert
    "optimize_on_insert": 0,  # no two rows of a batch have one id: nothing to merge within it
}

SHOWN = """tenant, id, entity_id, entity_name, event_source, event_type, operation, payload_entity_id,
    key_attributes, base64Encode(payload) AS payload_base64, base64Encode(fault) AS fault_base64, precedence,
    toUnixTimestamp64Milli(received_at) AS received_ms"""
"""No name of a column for what is not that column: conditions would mean it."""
SELECT_EVENT = """
SELECT {shown},
    (tenant, id) IN ( -- as a condition it costs more
        SELECT tenant, id FROM {erasures} WHERE (tenant, id) IN ({keys}) AND final) AS erased
FROM {table}
PREWHERE id IN ({ids}) -- read alone at first: with the tenants it costs more
WHERE (tenant, id) IN ({keys}) {gather}
SETTINGS max_threads = 1 -- few rows: threads cost more than they save
FORMAT JSONEachRow
"""

SELECT_ERASED = """
SELECT DISTINCT tenant, id FROM {erasures} WHERE (tenant, id) IN ({keys}) AND final
SETTINGS max_threads = 1
FORMAT JSONCompactEachRow
"""

GATHER = "ORDER BY precedence"
"""Brings the rows, each read in a block of its own, into one; a single row does without the planning."""


@lru_cache(maxsize=16)
def _month_of_day(day: int) -> int:
    year, month = gmtime(day * DAY_S)[:2]
    return year * 100 + month


def month_of(received_ms: int) -> int:
    """The table's partition (YYYYMM, UTC) of a row received then, in ms since 1970."""
    return _month_of_day(received_ms // (DAY_S * 1000))


def select_events(
    database: str, keys: Iterable[tuple[str, uuid.UUID]], replicas: Replicas = ONE_SERVER
) -> str:
    """The query for these (tenant, id); the tenants must have passed `is_tenant`.

    With the `replicas` of a cluster it asks each of them, else the server that it is sent to.
    """
    table = replicas.each(f"{database}.{EVENTS_TABLE}")
    names = list(keys)
    gather = GATHER if len(names) > 1 else ""
    erasures = f"{database}.{ERASURES_TABLE}"
    known = {"shown": SHOWN, "table": table, "erasures": erasures, "gather": gather}
    ids = ids_sql(event_id for _, event_id in names)
    return SELECT_EVENT.format(ids=ids, keys=names_sql(names), **known)


ERASED = b""
"""The representation of an event that was erased."""


class StoredEvent(msgspec.Struct):
    """One line of the answer to `select_events`, or to a search."""

    tenant: str
    id: str
    entity_id: str
    entity_name: str | None
    event_source: EventSource
    event_type: EventType
    operation: Operation
    payload_entity_id: str
    key_attributes: dict[str, str]
    payload_base64: str | None
    fault_base64: str | None
    precedence: int | str  # ClickHouse may quote integers of 64 bits
    received_ms: int | str  # since 1970
    erased: bool | int = False  # the row may be there for a while

    def event(self) -> EventJson:
        """The event without its tenant."""
        return EventJson(
            entity_id=self.entity_id,
            entity_name=self.entity_name,
            event_payload=PayloadJson(
                base64_encoded_fault_json=self.fault_base64,
                base64_encoded_payload_json=self.payload_base64,
                entity_id=self.payload_entity_id,
                key_attributes=self.key_attributes,
                operation=self.operation,
            ),
            event_source=self.event_source,
            event_type=self.event_type,
            id=self.id,
        )


read_row = msgspec.json.Decoder(StoredEvent).decode
"""A line of JSON as the event that it is."""
_name = msgspec.json.Decoder(tuple[str, str])


def read_stored(lines: bytes) -> Collection[StoredEvent]:
    """The answer to `select_events`: of each event's rows, until they are merged, the one that stays."""
    stays: dict[tuple[str, str], StoredEvent] = {}
    for stored in map(read_row, lines.splitlines()):
        other = stays.setdefault((stored.tenant, stored.id), stored)
        if int(stored.precedence) > int(other.precedence):
            stays[stored.tenant, stored.id] = stored
    return [each for each in stays.values() if not each.erased]


def read_events(lines: bytes) -> dict[tuple[str, str], bytes]:
    """The answer to `select_events` as representations by (tenant, id)."""
    return {(each.tenant, each.id): represent(each.event()) for each in read_stored(lines)}


def select_erased(database: str, keys: Iterable[tuple[str, uuid.UUID]]) -> str:
    """The query for those of these (tenant, id) that were erased for good; see `select_events`."""
    return SELECT_ERASED.format(erasures=f"{database}.{ERASURES_TABLE}", keys=names_sql(keys))


def read_erased(lines: bytes) -> dict[tuple[str, str], bytes]:
    """The answer to `select_erased`: `ERASED` by (tenant, id)."""
    return dict.fromkeys(map(_name.decode, lines.splitlines()), ERASED)
