"""SQL of searches in the table of events: matching rows, newest first.

The rows of a page are read at once: ClickHouse finds their places first and reads the wide columns of
those alone. A second query says which of them stay, so that a search shows what GET shows: of two rows
of an event, which may lie in two pages or months, the one that stays, and none that was erased.
Both are short, and say themselves what is read first (PREWHERE; the key leaves few rows of another
tenant): for a page ClickHouse plans longer than it reads rows.
Every value is bound as a parameter of ClickHouse's HTTP interface, never written into the SQL.
"""

import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from contracts.clickhouse.conditions import of_fields, of_text
from contracts.clickhouse.table import SHOWN, StoredEvent
from contracts.criteria import Criteria
from contracts.erasures import ERASURES_TABLE
from contracts.filters import Filter, to_sql
from contracts.ids import ids_sql, is_derived

TOO_MANY_ROWS = (158, 307)
"""ClickHouse's error codes when a query would read more than its settings allow."""
TOO_SLOW = (159, 160)
"""And when it takes longer."""

BLOCK_BYTES = 4_000_000
"""Read at once, as large as the blocks of `full_text`: a fifth less CPU than with ClickHouse's 1 MB."""

SELECT_NEWEST = """
SELECT {shown} FROM {database}.events
PREWHERE received_at >= fromUnixTimestamp64Milli({{from_ms:Int64}}, 'UTC')
    AND {before}{conditions}
WHERE tenant = {{tenant:String}}
ORDER BY received_at DESC, toUInt128(id) DESC, precedence DESC
LIMIT {{count:UInt32}}
FORMAT JSON
"""
BEFORE_TIME = "received_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')"
BEFORE_ROW = f"""received_at <= fromUnixTimestamp64Milli({{to_ms:Int64}}, 'UTC')
    AND ({BEFORE_TIME} OR toUInt128(id) < {{to_id:UInt128}})"""
SELECT_STANDING = """
{repeated}SELECT id, '{erased}' FROM {database}.{erasures}
WHERE tenant = {{tenant:String}} AND id IN ({ids}) AND final
FORMAT JSONCompact
"""
REPEATED = """SELECT id, toString(precedence) FROM {database}.events
PREWHERE id IN ({ids}) WHERE tenant = {{tenant:String}}
UNION ALL
"""
ERASED_PRECEDENCE = 2**63 - 1
"""Above that of any row: what was erased gives way to nothing being there."""


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


def select_newest(
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
        "count": count,
    }
    is_time = before == Position(before.received_ms)
    if not is_time:
        parameters["to_id"] = before.event_id.int
    conditions: list[str] = []
    for found, more in (of_fields(criteria), of_text(criteria)):
        conditions += found
        parameters |= more
    if filter_ is not None:
        accepted, more = to_sql(filter_)
        conditions.append(accepted)
        parameters |= more
    joined = "".join(f"\n    AND {condition}" for condition in conditions)
    known = {"shown": SHOWN, "before": BEFORE_TIME if is_time else BEFORE_ROW}
    return SELECT_NEWEST.format(database=database, conditions=joined, **known), parameters


def select_standing(
    database: str, tenant: str, found: Iterable[StoredEvent]
) -> tuple[str, dict[str, Any]]:
    """The query for what stands under the ids of these rows, at least one, and its parameters.

    Only a derived id may have rows that differ.
    """
    ids = list(dict.fromkeys(each.id for each in found))
    derived = ids_sql(each for each in ids if is_derived(each))
    sql = SELECT_STANDING.format(
        database=database,
        repeated=derived and REPEATED.format(database=database, ids=derived),
        erasures=ERASURES_TABLE,
        erased=ERASED_PRECEDENCE,
        ids=ids_sql(ids),
    )
    return sql, {"tenant": tenant}


class Statistics(msgspec.Struct):
    """What a query took, as ClickHouse's formats JSON and JSONCompact tell it behind their rows."""

    rows_read: int = 0
    bytes_read: int = 0
    elapsed: float = 0.0

    def add(self, more: "Statistics") -> None:
        """Sum up what several queries took."""
        self.rows_read += more.rows_read
        self.bytes_read += more.bytes_read
        self.elapsed += more.elapsed


class _Counted(msgspec.Struct):
    matched: int | str  # ClickHouse may quote integers of 64 bits
    of: int | str


class _Counts(msgspec.Struct):
    data: tuple[_Counted]
    statistics: Statistics


class _Newest(msgspec.Struct):
    data: list[StoredEvent]
    statistics: Statistics


class _Standing(msgspec.Struct):
    data: list[tuple[str, str]]
    statistics: Statistics


_read_counts = msgspec.json.Decoder(_Counts).decode
_read_newest = msgspec.json.Decoder(_Newest).decode
_read_standing = msgspec.json.Decoder(_Standing).decode


class Counts(NamedTuple):
    """How many events `select_counts` found, and of how many."""

    matched: int
    of: int


def read_counts(answer: bytes) -> tuple[Counts, Statistics]:
    """The answer to `select_counts`."""
    found = _read_counts(answer)
    [row] = found.data
    return Counts(int(row.matched), int(row.of)), found.statistics


def read_newest(answer: bytes) -> tuple[list[StoredEvent], Statistics]:
    """The answer to `select_newest`; of two rows at one position the one that stays comes first."""
    found = _read_newest(answer)
    return found.data, found.statistics


def read_standing(answer: bytes) -> tuple[dict[str, int], Statistics]:
    """The answer to `select_standing`: of ids whose row may give way, the precedence of what stands."""
    found = _read_standing(answer)
    standing: dict[str, int] = {}
    for event_id, text in found.data:
        precedence = int(text)
        standing[event_id] = max(precedence, standing.get(event_id, precedence))
    return standing, found.statistics


def position_of(stored: StoredEvent) -> Position:
    """Where a row lies."""
    return Position(int(stored.received_ms), uuid.UUID(stored.id))


def read_limits(rows_max: int, seconds: float, threads: int) -> dict[str, Any]:
    """Settings under which ClickHouse refuses a query that reads or takes too much; 0 rows: no limit."""
    return {
        "max_rows_to_read": rows_max,
        "read_overflow_mode": "throw",
        "max_execution_time": round(seconds, 3),
        "timeout_overflow_mode": "throw",
        "max_threads": threads,
        "preferred_block_size_bytes": BLOCK_BYTES,
        "use_top_k_dynamic_filtering": 0,  # what matches is rare, or its window small: it only costs
        "wait_end_of_query": 1,  # an error is a status, never text after the first rows
        "cancel_http_readonly_queries_on_client_close": 1,  # what nobody waits for ends
        "output_format_write_statistics": 1,  # what a search read is told
        "readonly": 2,  # it holds for such queries alone
    }
