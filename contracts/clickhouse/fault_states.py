"""SQL over what was said of groups of failures, and what came since.

The last is the one received last: partitions that were added make a group's sayings go elsewhere, where
offsets are low.
Every value is bound as a parameter of ClickHouse's HTTP interface, never written into the SQL.
"""

from collections.abc import Collection, Mapping

import msgspec

from contracts.clickhouse.counts import EXACTLY_ONCE, merged
from contracts.clickhouse.ledger import Query
from contracts.fault_states import BY, ENTITY, NOTE, STATE, UNTIL, Said, entity_of

SELECT_SAID = """
SELECT substring(entity_id, {prefix_bytes} + 1) AS fingerprint,
    argMax((key_attributes['{state}'], key_attributes['{by}'], key_attributes['{note}'],
        toUInt64OrZero(key_attributes['{until}']), toUnixTimestamp64Milli(received_at)),
        (kafka_log, received_at, kafka_offset)) AS said
FROM {database}.events -- of a record that is there twice one is taken
WHERE tenant = {{tenant:String}} AND event_type = 'SYSTEM_EVENT' AND event_source = 'APPLICATION'
    AND entity_id IN {{entities:Array(String)}}
    AND key_attributes['{state}'] IN ('open', 'known', 'resolved', 'quiet')
GROUP BY fingerprint
FORMAT JSONCompactEachRow
"""
SELECT_SINCE = """
SELECT fault_fingerprint AS fingerprint, count() AS count,
    min(toUnixTimestamp64Milli(received_at)) AS first_ms
FROM {database}.events FINAL {merged}
WHERE tenant = {{tenant:String}} AND {of_kinds}
    AND received_at > fromUnixTimestamp64Milli({{since_ms:Int64}}, 'UTC')
    AND toUnixTimestamp64Milli(received_at) > transform(toString(fault_fingerprint),
        {{fingerprints:Array(String)}}, {{times_ms:Array(Int64)}}, {{never_ms:Int64}})
GROUP BY fingerprint
SETTINGS {exactly_once}
FORMAT JSONCompactEachRow
"""
OF_KINDS = "fault_fingerprint IN {fingerprints:Array(String)}"
NEVER_MS = 2**62


class Saying(msgspec.Struct, array_like=True):
    """What was said last of a group."""

    state: Said
    by: str
    note: str
    until_count: int
    at_ms: int


class Since(msgspec.Struct, array_like=True):
    """Failures of a group after a time, and when the first was received."""

    count: int = 0
    first_ms: int = 0


_said = msgspec.json.Decoder(tuple[str, Saying])
_since = msgspec.json.Decoder(tuple[str, int, int])


def select_said(database: str, tenant: str, fingerprints: Collection[str]) -> Query:
    """The query for what was said last of each of these groups, at least one."""
    sql = SELECT_SAID.format(
        database=database,
        prefix_bytes=len(ENTITY),
        state=STATE,
        by=BY,
        note=NOTE,
        until=UNTIL,
    )
    return sql, {"tenant": tenant, "entities": [entity_of(each) for each in fingerprints]}


def read_said(lines: bytes) -> dict[str, Saying]:
    """The answer to `select_said`."""
    return dict(map(_said.decode, lines.splitlines()))


def select_since(database: str, tenant: str, times_ms: Mapping[str, int]) -> Query:
    """The query for what came of these groups, at least one, each after its time."""
    kinds = merged(([OF_KINDS], {}))
    sql = SELECT_SINCE.format(
        database=database, merged=kinds, of_kinds=OF_KINDS, exactly_once=EXACTLY_ONCE
    )
    return sql, {
        "tenant": tenant,
        "since_ms": min(times_ms.values()),
        "fingerprints": list(times_ms),
        "times_ms": list(times_ms.values()),
        "never_ms": NEVER_MS,
    }


def read_since(lines: bytes) -> dict[str, Since]:
    """The answer to `select_since`."""
    return {
        fingerprint: Since(count, first_ms)
        for fingerprint, count, first_ms in map(_since.decode, lines.splitlines())
    }
