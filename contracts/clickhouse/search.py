"""SQL of searches in the table of events: positions of matching rows, newest first.

Text is looked for where it is stored, and in `search_text` where that says it otherwise; both sides are
folded alike (`contracts/encoding/legible.py`).
Rows are found in two steps. The first reads only the columns that the criteria name and gives
positions, the second is the lookup by id, so that a search shows what GET shows: of two rows of an
event, which may lie in two pages or months, the one that stays.
Every value is bound as a parameter of ClickHouse's HTTP interface, never written into the SQL.
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any, NamedTuple

from contracts.clickhouse.table import read_stored
from contracts.criteria import Criteria
from contracts.encoding.codec import represent
from contracts.encoding.legible import folded
from contracts.filters import Filter, to_sql

TOO_MANY_ROWS = (158, 307)
"""ClickHouse's error codes when a query would read more than its settings allow."""
TOO_SLOW = (159, 160)
"""And when it takes longer."""

SELECT_POSITIONS = """
SELECT toUnixTimestamp64Milli(received_at), id
FROM {database}.events
WHERE tenant = {{tenant:String}}
    AND received_at >= fromUnixTimestamp64Milli({{from_ms:Int64}}, 'UTC')
    AND received_at <= fromUnixTimestamp64Milli({{to_ms:Int64}}, 'UTC')
    AND (received_at < fromUnixTimestamp64Milli({{to_ms:Int64}}, 'UTC')
        OR toUInt128(id) < {{to_id:UInt128}}){conditions}
ORDER BY received_at DESC, toUInt128(id) DESC
LIMIT {{count:UInt32}}
FORMAT TabSeparated
"""

STORED = "positionCaseInsensitive(ifNull({column}, ''), {{q:String}}) > 0"
TEXT = """(position(search_text, {folded:String}) > 0
        OR position(caseFoldUTF8(fault_message), caseFoldUTF8({q:String})) > 0"""
ASCII_TEXT = f"{TEXT} OR {STORED.format(column='payload')} OR {STORED.format(column='fault')})"
CONDITIONS = {
    "event_type": "event_type = {event_type:String}",
    "event_source": "event_source = {event_source:String}",
    "operation": "operation = {operation:String}",
    "entity_id": "entity_id = {entity_id:String}",
    "entity_name": "entity_name = {entity_name:String}",
}


class Position(NamedTuple):
    """A row's place in the order of a search: newest first, ids of one millisecond downwards."""

    received_ms: int
    event_id: uuid.UUID = uuid.UUID(int=0)


SELECT_COUNTS = """
SELECT uniqExactIf(id, {condition}) AS matched, uniqExact(id) AS of
FROM {database}.events
WHERE tenant = {{tenant:String}}
    AND received_at >= fromUnixTimestamp64Milli({{from_ms:Int64}}, 'UTC')
    AND received_at < fromUnixTimestamp64Milli({{to_ms:Int64}}, 'UTC')
FORMAT JSON
"""


def select_counts(
    database: str, tenant: str, filter_: Filter, from_ms: int, to_ms: int
) -> tuple[str, dict[str, Any]]:
    """The query for how many events of [from_ms, to_ms) the filter accepts, of how many."""
    condition, parameters = to_sql(filter_)
    known = {"tenant": tenant, "from_ms": from_ms, "to_ms": to_ms}
    return SELECT_COUNTS.format(database=database, condition=condition), known | parameters


def select_positions(
    database: str,
    tenant: str,
    criteria: Criteria,
    from_ms: int,
    before: Position,
    count: int,
    filter_: Filter | None = None,
) -> tuple[str, dict[str, Any]]:
    """The query for the `count` newest matching rows of [from_ms, before), and its parameters."""
    parameters: dict[str, Any] = {
        "tenant": tenant,
        "from_ms": from_ms,
        "to_ms": before.received_ms,
        "to_id": before.event_id.int,
        "count": count,
    }
    conditions = []
    for name, condition in CONDITIONS.items():
        value = getattr(criteria, name)
        if value is not None:
            conditions.append(condition)
            parameters[name] = value
    for number, (name, value) in enumerate(criteria.key_attributes.items()):
        key, text = f"attribute_name_{number}", f"attribute_{number}"
        conditions.append(f"key_attributes[{{{key}:String}}] = {{{text}:String}}")
        if not value:  # which is also what a map says of a name that is not in it
            conditions.append(f"mapContains(key_attributes, {{{key}:String}})")
        parameters |= {key: name, text: value}
    if criteria.q is not None:
        parameters |= {"q": criteria.q.casefold(), "folded": folded(criteria.q)}
        conditions.append(ASCII_TEXT if parameters["q"].isascii() else f"{TEXT})")
    if filter_ is not None:
        accepted, more = to_sql(filter_)
        conditions.append(accepted)
        parameters |= more
    joined = "".join(f"\n    AND {condition}" for condition in conditions)
    return SELECT_POSITIONS.format(database=database, conditions=joined), parameters


class Counts(NamedTuple):
    """What `select_counts` found, and what that took."""

    matched: int
    of: int
    rows_read: int
    bytes_read: int
    seconds: float


def read_counts(answer: bytes) -> Counts:
    """The answer to `select_counts`."""
    document = json.loads(answer)
    [row], cost = document["data"], document["statistics"]
    matched, of = int(row["matched"]), int(row["of"])  # ClickHouse may quote integers of 64 bits
    return Counts(matched, of, cost["rows_read"], cost["bytes_read"], cost["elapsed"])


def read_positions(lines: bytes) -> list[Position]:
    """The answer to `select_positions`; a row that was written twice comes twice."""
    fields = (line.split("\t") for line in lines.decode("ascii").splitlines())
    return [Position(int(received_ms), uuid.UUID(event_id)) for received_ms, event_id in fields]


def read_found(lines: bytes) -> dict[Position, bytes]:
    """The answer to `select_events` as representations by the position of the row that stays."""
    return {
        Position(int(each.received_ms), uuid.UUID(each.id)): represent(each.event())
        for each in read_stored(lines)
    }


def rfc_3339(ms: int) -> str:
    """The time, in ms since 1970, as the API writes it."""
    time = datetime.fromtimestamp(ms / 1000, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_limits(rows_max: int, seconds: float, threads: int) -> dict[str, Any]:
    """Settings under which ClickHouse refuses a query that reads or takes too much; 0 rows: no limit."""
    return {
        "max_rows_to_read": rows_max,
        "read_overflow_mode": "throw",
        "max_execution_time": round(seconds, 3),
        "timeout_overflow_mode": "throw",
        "max_threads": threads,
        "wait_end_of_query": 1,  # an error is a status, never text after the first rows
    }
