"""SQL over groups of failures: the groups of a time, whom one concerns.

Every value is bound as a parameter of ClickHouse's HTTP interface, never written into the SQL.
"""

from typing import Any, NamedTuple

import msgspec

from contracts.clickhouse.conditions import Conditions, of_fields
from contracts.clickhouse.counts import EXACTLY_ONCE, FAILED, among, merged, standing
from contracts.clickhouse.ledger import Query
from contracts.faults import FaultCriteria, Order
from contracts.intervals import Span

HASH = "cityHash64(fault_status, fault_message)"
"""The number that `fault_fingerprint` is in hexadecimal digits."""
OF_KIND = "fault_fingerprint = {fingerprint:String}"
GROUPS_MAX = 500_000
"""Of one query: what cannot be grouped must not fill the memory. More are refused, as too many rows."""
TOP = 10
ORDERS: dict[Order, str] = {
    "count": "toInt64(count)",
    "last_seen": "last_ms",
    "first_seen": "first_ms",
    "entities": "toInt64(entities)",
}

SELECT_GROUPS = """
SELECT * FROM (
    SELECT *, {order} AS rank,
        toUInt64(sum(count) OVER ()) AS all_count, count() OVER () AS all_groups
    FROM (
        SELECT {hash} AS hash, leftPad(lower(hex(hash)), 16, '0') AS fingerprint,
            fault_status AS status, fault_message AS message,
            sumIf(failures, now) AS count, sumIf(failures, NOT now) AS before,
            minIf(first, now) AS first_ms, maxIf(latest, now) AS last_ms,
            uniqMergeIf(affected, now) AS entities,
            toString(argMaxIf(sample, latest, now)) AS sample_id,
            sumMapIf([toUInt32(bucket)], [failures], now) AS buckets,
            sumMapIf([concat(event_source, ' ', operation)], [failures], now) AS operations
        FROM (
            SELECT fault_status, fault_message, event_source, operation,
                received_at >= fromUnixTimestamp64Milli({{from_ms:Int64}}, 'UTC') AS now,
                if(now, intDiv(toUnixTimestamp64Milli(received_at), {{step_ms:Int64}}) - {{first:Int64}}, 0)
                    AS bucket,
                count() AS failures, min(toUnixTimestamp64Milli(received_at)) AS first,
                max(toUnixTimestamp64Milli(received_at)) AS latest, uniqState(entity_id) AS affected,
                argMax(id, received_at) AS sample
            FROM {database}.events FINAL {merged}
            WHERE {among}
            GROUP BY fault_status, fault_message, event_source, operation, now, bucket
        )
        GROUP BY fault_status, fault_message
        HAVING count > 0
    )
)
WHERE (rank, hash) < ({{after_rank:Int64}}, {{after_hash:UInt64}})
ORDER BY rank DESC, hash DESC
LIMIT {{count:UInt32}}
SETTINGS {exactly_once}, max_rows_to_group_by = {groups_max}, group_by_overflow_mode = 'throw'
FORMAT JSONEachRow
"""
SELECT_ENTITIES = """
SELECT entity_id, count() AS count FROM {database}.events FINAL {merged}
WHERE {among}
GROUP BY entity_id ORDER BY count DESC, entity_id LIMIT {top}
SETTINGS {exactly_once}
FORMAT JSONEachRow
"""
SELECT_LATEST = """
SELECT toString(id) FROM {database}.events -- each id once
WHERE {among}
ORDER BY received_at DESC, id DESC LIMIT 1 BY id LIMIT {top}
FORMAT TSV
"""


class StoredGroup(msgspec.Struct):
    """One line of the answer to `select_groups`."""

    fingerprint: str
    hash: int
    status: int
    message: str
    count: int
    before: int
    first_ms: int
    last_ms: int
    entities: int
    sample_id: str
    buckets: tuple[list[int], list[int]]
    operations: tuple[list[str], list[int]]
    rank: int
    all_count: int
    all_groups: int


class StoredEntity(msgspec.Struct):
    """One line of the answer to `select_entities`."""

    entity_id: str
    count: int


class Place(NamedTuple):
    """Where a page of groups begins: behind a group of this rank and hash."""

    rank: int = 2**63 - 1
    hash: int = 2**64 - 1


class Groups:
    """The queries of one tenant, time and criteria; `fingerprint` narrows them to one group."""

    def __init__(
        self, database: str, tenant: str, criteria: FaultCriteria, span: Span, fingerprint: str = ""
    ) -> None:
        self._tenant, self._span = tenant, span
        self._standing = standing(database)
        self._asked = of_fields(criteria), _of_failures(criteria, fingerprint)
        self._names = {
            "database": database,
            "exactly_once": EXACTLY_ONCE,
            "merged": merged(*self._asked),
        }

    def page(self, order: Order, after: Place, count: int) -> Query:
        """The `count` groups after that place, with what was in the time before as well."""
        span = self._span
        where, parameters = self._failures(span.from_ms - (span.to_ms - span.from_ms))
        parameters |= {"from_ms": span.from_ms, "step_ms": span.step_ms, "first": span.first}
        parameters |= {"after_rank": after.rank, "after_hash": after.hash, "count": count}
        sql = SELECT_GROUPS.format(
            **self._names, order=ORDERS[order], hash=HASH, among=where, groups_max=GROUPS_MAX
        )
        return sql, parameters

    def entities(self) -> Query:
        """Those with the most failures."""
        where, parameters = self._failures(self._span.from_ms)
        return SELECT_ENTITIES.format(**self._names, among=where, top=TOP), parameters

    def latest(self, group: StoredGroup) -> Query:
        """Ids of the latest failures of `group`: those intervals are read that have enough of them."""
        where, parameters = self._failures(_since_latest(group, self._span))
        return SELECT_LATEST.format(**self._names, among=where, top=TOP), parameters

    def _failures(self, since_ms: int) -> Query:
        return among(self._tenant, since_ms, self._span.to_ms, *self._asked, self._standing)


def _of_failures(criteria: FaultCriteria, fingerprint: str) -> Conditions:
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    if fingerprint:
        conditions.append(OF_KIND)
        parameters["fingerprint"] = fingerprint
    if criteria.status is not None:
        conditions.append("fault_status = {status:UInt16}")
        parameters["status"] = criteria.status
    if criteria.q is not None:
        conditions.append("position(caseFoldUTF8(fault_message), caseFoldUTF8({q:String})) > 0")
        parameters["q"] = criteria.q
    return [FAILED, *conditions], parameters


def _since_latest(group: StoredGroup, span: Span) -> int:
    """From when on there are `TOP` failures of the group, or its first."""
    found = 0
    for number, count in sorted(zip(*group.buckets, strict=True), reverse=True):
        found += count
        if found >= TOP:
            return max(span.from_ms, (span.first + number) * span.step_ms)
    return span.from_ms


def read_groups(lines: bytes) -> list[StoredGroup]:
    """The answer to `Groups.page`."""
    return [_group.decode(line) for line in lines.splitlines()]


def read_entities(lines: bytes) -> list[StoredEntity]:
    """The answer to `Groups.entities`."""
    return [_entity.decode(line) for line in lines.splitlines()]


_group = msgspec.json.Decoder(StoredGroup)
_entity = msgspec.json.Decoder(StoredEntity)
