"""SQL that counts events by time and field, and the values of a field.

Every value is bound as a parameter of ClickHouse's HTTP interface, never written into the SQL.
"""

import msgspec

from contracts.clickhouse.conditions import Conditions, of_fields, of_text
from contracts.clickhouse.ledger import Query
from contracts.counts import CountedBy, FieldSearch
from contracts.criteria import Criteria
from contracts.erasures import ERASURES_TABLE
from contracts.intervals import Span

EXACTLY_ONCE = "use_skip_indexes_if_final_exact_mode = 0"
"""As the views have it: FINAL, and parts that cannot hold a row of the time are skipped. Of two different
rows of one event, which an audit names until they are merged, one that an index finds by its entity or key
attribute counts, also when it gives way: being exact reads far more for a rare attribute."""
FAILED = "fault_fingerprint != ''"
VALUES_MAX = 100_000
"""Values that are counted at most: those of a correlation id must not fill the memory."""

AMONG = """tenant = {tenant:String}
    AND received_at >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
    AND received_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')"""
MERGED = "PREWHERE derived_id OR ({conditions})"
"""What FINAL has to compare: all rows of an id that is not derived say the same, so what does not meet the
conditions goes first. Of a derived id it sees every row, or one that gives way would count."""
STANDING = """id NOT IN (
        SELECT id FROM {database}.{erasures} WHERE tenant = {{tenant:String}} AND final)"""
COUNTED: dict[CountedBy | None, str] = {
    None: "''",
    "event_type": "toString(event_type)",
    "event_source": "toString(event_source)",
    "operation": "toString(operation)",
    "status": "if(fault_status = 0, '', toString(fault_status))",
    "fault": f"if({FAILED}, 'true', 'false')",
}
SELECT_COUNTS = """
SELECT {by} AS value, toUInt32(intDiv(toUnixTimestamp64Milli(received_at), {{step_ms:Int64}})
    - {{first:Int64}}) AS bucket, count() AS count
FROM {database}.events FINAL {merged}
WHERE {among}
GROUP BY value, bucket
SETTINGS {exactly_once}
FORMAT JSONCompactEachRow
"""
SELECT_VALUES = """
SELECT value, count() AS count, count() OVER () AS distinct
FROM (SELECT {value} AS value FROM {database}.events FINAL {merged} WHERE {among})
WHERE notEmpty(value) AND startsWith(caseFoldUTF8(value), caseFoldUTF8({{prefix:String}}))
GROUP BY value
ORDER BY count DESC, value LIMIT {{count:UInt32}}
SETTINGS {exactly_once}, max_rows_to_group_by = {values_max}, group_by_overflow_mode = 'any'
FORMAT JSONCompactEachRow
"""
COUNTED_VALUES = {
    "event_type": "toString(event_type)",
    "event_source": "toString(event_source)",
    "operation": "toString(operation)",
    "entity_id": "entity_id",
    "entity_name": "ifNull(entity_name, '')",
    "key_attributes": "arrayJoin(CAST(mapKeys(key_attributes), 'Array(String)'))",
}
ATTRIBUTE = "key_attributes."

_counted = msgspec.json.Decoder(tuple[str, int, int])


def among(tenant: str, since_ms: int, to_ms: int, *given: Conditions) -> Query:
    """The condition on the tenant's rows that were received in the time and meet all that is given."""
    conditions, parameters = [AMONG], {"tenant": tenant, "since_ms": since_ms, "to_ms": to_ms}
    for more, known in given:
        conditions += more
        parameters |= known
    return "\n    AND ".join(conditions), parameters


def merged(*given: Conditions) -> str:
    """The clause that keeps from FINAL what does not meet all that is given, of what rows say."""
    conditions = [condition for some, _ in given for condition in some]
    return MERGED.format(conditions=" AND ".join(conditions)) if conditions else ""


def standing(database: str) -> Conditions:
    """What leaves out erased events whose rows are still to be deleted."""
    return [STANDING.format(database=database, erasures=ERASURES_TABLE)], {}


def select_by_time(
    database: str, tenant: str, criteria: Criteria, span: Span, by: CountedBy | None
) -> Query:
    """The query for how many events there are of each interval and value."""
    conditions = of_fields(criteria), of_text(criteria)
    where, parameters = among(tenant, span.from_ms, span.to_ms, *conditions, standing(database))
    parameters |= {"step_ms": span.step_ms, "first": span.first}
    sql = SELECT_COUNTS.format(
        database=database,
        by=COUNTED[by],
        merged=merged(*conditions),
        among=where,
        exactly_once=EXACTLY_ONCE,
    )
    return sql, parameters


def read_by_time(lines: bytes, span: Span) -> dict[str, list[int]]:
    """The answer to `select_by_time`: for each value the counts of all intervals."""
    found: dict[str, list[int]] = {}
    for value, bucket, count in map(_counted.decode, lines.splitlines()):
        found.setdefault(value, [0] * span.size)[bucket] = count
    return found


def select_values(
    database: str, tenant: str, search: FieldSearch, from_ms: int, to_ms: int
) -> Query:
    """The query for the most frequent values of a field."""
    conditions = of_fields(search), of_text(search)
    where, parameters = among(tenant, from_ms, to_ms, *conditions, standing(database))
    parameters |= {"prefix": search.prefix, "count": search.limit}
    if (value := COUNTED_VALUES.get(search.field)) is None:
        value = "key_attributes[{field:String}]"
        parameters["field"] = search.field.removeprefix(ATTRIBUTE)
    sql = SELECT_VALUES.format(
        database=database,
        value=value,
        merged=merged(*conditions),
        among=where,
        exactly_once=EXACTLY_ONCE,
        values_max=VALUES_MAX,
    )
    return sql, parameters


def read_values(lines: bytes) -> tuple[int, list[tuple[str, int]]]:
    """The answer to `select_values`: how many values there are, and the first with their counts."""
    rows = [_counted.decode(line) for line in lines.splitlines()]
    return (rows[0][2] if rows else 0), [(value, count) for value, count, _ in rows]
