"""SQL over ledger and events: what a redrive or a replay would send again, counted, shown, and by place.

Only events that are there: of the newest log, kept by Kafka (`firsts`), not erased, not expired.
Every value is bound as a parameter of ClickHouse's HTTP interface, never written into the SQL.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from contracts.clickhouse.ledger import OF_SUBSCRIPTION, Query
from contracts.erasures import ERASURES_TABLE
from contracts.filters import Filter, to_sql
from contracts.resending import Redrive, Replay

THERE = """
    SELECT id, kafka_partition, kafka_offset, received_at, toString(event_type) AS type, entity_id AS entity
    FROM {database}.events
    WHERE tenant = {{tenant:String}}
        AND kafka_log = (SELECT max(number) FROM {database}.logs)
        AND kafka_offset >= {{firsts:Array(UInt64)}}[kafka_partition + 1]
        AND (expires_at IS NULL OR expires_at > now64(3))
        AND (tenant, id) NOT IN (
            SELECT tenant, id FROM {database}.{erasures} WHERE tenant = {{tenant:String}} AND final)
        {conditions}
    ORDER BY precedence DESC LIMIT 1 BY id"""
"""An event of two rows is there once, as the row that stays."""

NOTHING = "00000000-0000-0000-0000-000000000000"
DEAD = """
    SELECT event_id, max(deliveries.at) AS last_at,
        argMax((state, deliveries.code, deliveries.message), (deliveries.at, kafka_log, kafka_offset)) AS last
    FROM {database}.deliveries
    WHERE {of_subscription} AND until_offset < 0 AND event_id IN (
        SELECT event_id FROM {database}.deliveries
        WHERE {of_subscription} AND state = 'dead' AND until_offset < 0 AND event_id != '{nothing}'
            AND (empty({{event_ids:Array(UUID)}}) OR has({{event_ids:Array(UUID)}}, event_id)))
    GROUP BY event_id
    HAVING last.1 = 'dead'
        AND ({{from_ms:Int64}} = 0 OR last_at >= fromUnixTimestamp64Milli({{from_ms:Int64}}, 'UTC'))
        AND ({{to_ms:Int64}} = 0 OR last_at < fromUnixTimestamp64Milli({{to_ms:Int64}}, 'UTC'))
        AND (empty({{codes:Array(String)}}) OR has({{codes:Array(String)}}, last.2))"""
"""The newest record of each says dead: what was sent again and taken is not."""

AMONG = "AND id IN (SELECT event_id FROM ({dead}))"

REDRIVE = """
    SELECT id, kafka_partition, kafka_offset, last_at AS at, type, entity,
        toString(last.2) AS code, last.3 AS message, code AS kind
    FROM ({there}) AS there INNER JOIN ({dead}) AS dead ON there.id = dead.event_id"""
REPLAY = """
    SELECT id, kafka_partition, kafka_offset, received_at AS at, type, entity,
        '' AS code, '' AS message, toString(toDate(received_at)) AS kind
    FROM ({there})"""

TOLD = """
SELECT uniqExact(event_id) FROM {database}.deliveries
WHERE {of_subscription} AND job_id = {{job:String}} AND state IN ('delivered', 'dead') FORMAT TabSeparated"""
COUNTS = (
    "SELECT kind, count() FROM ({rows}) GROUP BY kind ORDER BY {order} FORMAT JSONCompactEachRow"
)
SAMPLES = """
SELECT toString(id) AS event_id, toUnixTimestamp64Milli(at) AS at_ms, type, entity, code, message
FROM ({rows}) ORDER BY at, id LIMIT {{count:UInt32}} FORMAT JSONEachRow"""
PLACES = """
SELECT kafka_partition, kafka_offset FROM ({rows})
ORDER BY at, id LIMIT {{count:UInt32}} FORMAT JSONCompactEachRow"""

_counted = msgspec.json.Decoder(tuple[str, int]).decode
_placed = msgspec.json.Decoder(tuple[int, int]).decode


class StoredSample(msgspec.Struct):
    """An event that would be sent; `at_ms` as the API's `JobSample` has it."""

    event_id: str
    at_ms: int
    type: str
    entity: str
    code: str
    message: str


_sampled = msgspec.json.Decoder(StoredSample).decode


class Wanted:
    """The rows of one redrive or replay, and the queries over them.

    `received_ms` is the time [from, to) that is read for them, None for rows that are named by id.
    """

    def __init__(
        self,
        rows: str,
        parameters: dict[str, Any],
        order: str,
        received_ms: tuple[int, int] | None = None,
    ) -> None:
        self.received_ms = received_ms
        self._rows = rows
        self._parameters = parameters
        self._order = order

    def counts(self) -> Query:
        """How many there are, by error code or by day."""
        return COUNTS.format(rows=self._rows, order=self._order), self._parameters

    def samples(self, count: int) -> Query:
        """The oldest."""
        return SAMPLES.format(rows=self._rows), self._parameters | {"count": count}

    def places(self, count: int) -> Query:
        """Where the `count` oldest are on `events`."""
        return PLACES.format(rows=self._rows), self._parameters | {"count": count}


def wanted_dead(
    database: str,
    tenant: str,
    subscription_id: str,
    asked: Redrive,
    filter_: Filter | None,
    firsts: Sequence[int],
) -> Wanted:
    """What is dead of a subscription; `firsts`: by partition the first offset that Kafka has."""
    dead = DEAD.format(database=database, of_subscription=OF_SUBSCRIPTION, nothing=NOTHING)
    conditions, parameters = _accepted([filter_] if filter_ is not None else [])
    conditions += AMONG.format(dead=dead)
    parameters |= {
        "tenant": tenant,
        "subscription": subscription_id,
        "firsts": list(firsts),
        "event_ids": asked.event_ids or [],
        "codes": asked.codes or [],
        "from_ms": asked.from_ or 0,
        "to_ms": asked.to or 0,
    }
    there = _there(database, conditions)
    return Wanted(REDRIVE.format(there=there, dead=dead), parameters, "count() DESC, kind")


def wanted_again(
    database: str, tenant: str, asked: Replay, filters: Sequence[Filter], firsts: Sequence[int]
) -> Wanted:
    """What was received in a range of time and accepted by all `filters`."""
    conditions, parameters = _accepted(filters)
    conditions += """AND received_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND received_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')"""
    parameters |= {
        "tenant": tenant,
        "firsts": list(firsts),
        "from_ms": asked.from_,
        "to_ms": asked.to,
    }
    rows = REPLAY.format(there=_there(database, conditions))
    return Wanted(rows, parameters, "kind", (asked.from_, asked.to))


def select_told(database: str, tenant: str, subscription_id: str, job_id: str) -> Query:
    """The query for how many events of a job the ledger says the end of."""
    known = {"tenant": tenant, "subscription": subscription_id, "job": job_id}
    return TOLD.format(database=database, of_subscription=OF_SUBSCRIPTION), known


def _there(database: str, conditions: str) -> str:
    return THERE.format(database=database, erasures=ERASURES_TABLE, conditions=conditions)


def _accepted(filters: Sequence[Filter]) -> tuple[str, dict[str, Any]]:
    conditions, parameters = "", dict[str, Any]()
    for number, each in enumerate(filters):
        condition, more = to_sql(each, f"filter_{number}")
        conditions += f"AND {condition}\n        "
        parameters |= more
    return conditions, parameters


def read_counted(lines: bytes) -> list[tuple[str, int]]:
    """The answer to `Wanted.counts`."""
    return list(map(_counted, lines.splitlines()))


def read_samples(lines: bytes) -> list[StoredSample]:
    """The answer to `Wanted.samples`."""
    return list(map(_sampled, lines.splitlines()))


def read_placed(lines: bytes) -> dict[str, list[int]]:
    """The answer to `Wanted.places`: offsets by partition, ascending, as a job has them."""
    found: dict[str, list[int]] = {}
    for partition, offset in map(_placed, lines.splitlines()):
        found.setdefault(str(partition), []).append(offset)
    return {each: sorted(found[each]) for each in sorted(found, key=int)}
