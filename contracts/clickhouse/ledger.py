"""SQL over the ledger: what became of an event, the deliveries of a subscription, how its queue does.

Every value is bound as a parameter of ClickHouse's HTTP interface, never written into the SQL.
"""

import uuid
from typing import Any, NamedTuple

import msgspec

from contracts.attempts import Origin
from contracts.clickhouse.search import Position
from contracts.criteria import rfc_3339
from contracts.ledger import Attempted, DeliveryCriteria

ATTEMPTS_MAX = 10_000
"""Rows that are read of one event."""
COLUMNS = """toString(subscription_id) AS subscription, toString(event_id) AS event,
    toString(state) AS state, toUnixTimestamp64Milli(at) AS at_ms, attempt, toString(origin) AS origin,
    destination, latency_ms, code, message, message_id, job_id, exhausted,
    event_partition, event_offset, until_offset, kafka_log, kafka_partition, kafka_offset"""
OF_SUBSCRIPTION = "tenant = {tenant:String} AND subscription_id = {subscription:UUID}"
PLACE = """toUInt128(kafka_log) * toUInt128('79228162514264337593543950336')
    + toUInt128(kafka_partition) * toUInt128('18446744073709551616') + kafka_offset"""
"""Log, partition and offset in one number; 2^96 and 2^64."""

SELECT_ATTEMPTS = """
WITH (
    SELECT (toInt32(kafka_partition), toInt64(kafka_offset)) FROM {database}.events
    WHERE tenant = {{tenant:String}} AND id = {{event:UUID}} LIMIT 1) AS place
SELECT {columns} FROM (
    SELECT * FROM {database}.deliveries
    WHERE tenant = {{tenant:String}} AND event_id = {{event:UUID}}
    UNION ALL
    SELECT * FROM {database}.deliveries
    WHERE tenant = {{tenant:String}} AND state IN ('cancelled', 'dead') AND until_offset >= 0
        AND event_partition = place.1 AND event_offset <= place.2 AND place.2 < until_offset
)
ORDER BY at, kafka_log, kafka_partition, kafka_offset
LIMIT 1 BY kafka_log, kafka_partition, kafka_offset
LIMIT {{count:UInt32}}
FORMAT JSONEachRow
"""
SELECT_DELIVERIES = """
WITH (
    SELECT groupUniqArray((event_partition, event_offset, until_offset, at, toString(state)))
    FROM {database}.deliveries
    WHERE {of_subscription} AND state IN ('cancelled', 'dead') AND until_offset >= 0) AS ranges
SELECT {columns},
    if(ledger.state != 'failed', toString(ledger.state), if(empty(arrayFilter(
        range -> range.1 = event_partition AND range.2 <= event_offset AND event_offset < range.3
            AND at <= range.4, ranges) AS ended), 'waiting', ended[1].5)) AS shown
FROM {database}.deliveries AS ledger
WHERE {of_subscription} AND ledger.state IN {{states:Array(String)}}
    AND at >= fromUnixTimestamp64Milli({{from_ms:Int64}}, 'UTC')
    AND at <= fromUnixTimestamp64Milli({{to_ms:Int64}}, 'UTC')
    AND (at < fromUnixTimestamp64Milli({{to_ms:Int64}}, 'UTC') OR {place} < {{before:UInt128}})
    AND ({{code:String}} = '' OR code = {{code:String}})
    AND ({{job_id:String}} = '' OR job_id = {{job_id:String}})
    AND ({{shown:String}} = '' OR shown = {{shown:String}})
ORDER BY at DESC, kafka_log DESC, kafka_partition DESC, kafka_offset DESC
LIMIT 1 BY kafka_log, kafka_partition, kafka_offset
LIMIT {{count:UInt32}}
FORMAT JSONEachRow
"""
SELECT_NEWEST = """
SELECT toString(event_id), argMax((kafka_log, kafka_partition, kafka_offset), (at, kafka_log, kafka_offset))
FROM {database}.deliveries
WHERE {of_subscription} AND event_id IN {{events:Array(UUID)}}
    AND at >= fromUnixTimestamp64Milli({{from_ms:Int64}}, 'UTC')
GROUP BY event_id
FORMAT JSONCompactEachRow
"""
SELECT_HEALTH = """
SELECT destination, toString(breaker) AS breaker, last_error_code, last_error_message,
    delivered_last_hour, failed_last_hour, dead_last_hour, waiting, behind_records, dead,
    toUnixTimestamp64Milli(behind_since) AS behind_since_ms,
    toUnixTimestamp64Milli(breaker_since) AS breaker_since_ms,
    toUnixTimestamp64Milli(last_error_at) AS last_error_ms,
    toUnixTimestamp64Milli(oldest_undelivered) AS oldest_ms
FROM {database}.destination_health WHERE {of_subscription}
FORMAT JSONEachRow
"""
PARTS = {"columns": COLUMNS, "of_subscription": OF_SUBSCRIPTION, "place": PLACE}
RAW_STATES = {
    None: ["delivered", "failed", "dead", "cancelled"],
    "delivered": ["delivered"],
    "waiting": ["failed"],
    "dead": ["dead", "failed"],
    "cancelled": ["cancelled", "failed"],
}
UNQUOTED: dict[str, Any] = {"output_format_json_quote_64bit_integers": 0}


class Place(NamedTuple):
    """A record's place on `deliveries`."""

    log: int
    partition: int
    offset: int

    def at(self, at_ms: int) -> Position:
        """As a position in the order of a page, in the form that cursors have."""
        return Position(at_ms, uuid.UUID(int=self.log << 96 | self.partition << 64 | self.offset))


class StoredAttempt(msgspec.Struct):
    """One line of the answers; `shown` is the state of a delivery whose newest attempt it is."""

    subscription: str
    event: str
    state: str
    at_ms: int
    attempt: int
    origin: Origin
    destination: str
    latency_ms: int
    code: str
    message: str
    message_id: str
    job_id: str
    exhausted: str
    event_partition: int
    event_offset: int
    until_offset: int
    kafka_log: int
    kafka_partition: int
    kafka_offset: int
    shown: str = ""

    @property
    def is_range(self) -> bool:
        """Whether it says what became of all that was not delivered of a range."""
        return self.until_offset >= 0

    @property
    def place(self) -> Place:
        """Where its record is."""
        return Place(self.kafka_log, self.kafka_partition, self.kafka_offset)

    def document(self) -> dict[str, Any]:
        """The attempt as the API shows it."""
        names = Attempted.model_fields.keys() - {"number", "at"}
        return {"number": self.attempt, "at": rfc_3339(self.at_ms)} | {
            name: getattr(self, name) for name in Attempted.model_fields if name in names
        }


class StoredHealth(msgspec.Struct):
    """The answer to `select_health`."""

    destination: str
    breaker: str
    last_error_code: str
    last_error_message: str
    delivered_last_hour: int
    failed_last_hour: int
    dead_last_hour: int
    waiting: int
    behind_records: int
    dead: int
    behind_since_ms: int | None
    breaker_since_ms: int | None
    last_error_ms: int | None
    oldest_ms: int | None


_attempt = msgspec.json.Decoder(StoredAttempt)
_health = msgspec.json.Decoder(StoredHealth)
_newest = msgspec.json.Decoder(tuple[str, Place])

Query = tuple[str, dict[str, Any]]


def select_attempts(database: str, tenant: str, event_id: str) -> Query:
    """The query for every record of an event, and of the ranges that it was cancelled with."""
    known = {"tenant": tenant, "event": event_id, "count": ATTEMPTS_MAX}
    return SELECT_ATTEMPTS.format(database=database, **PARTS), known


def select_deliveries(
    database: str,
    tenant: str,
    subscription_id: str,
    criteria: DeliveryCriteria,
    from_ms: int,
    before: Position,
    count: int,
) -> Query:
    """The query for the `count` newest attempts of [from_ms, before) that may be a delivery's last.

    All that ended as `criteria.attempts` says, where that is given.
    """
    ended = criteria.attempts
    return SELECT_DELIVERIES.format(database=database, **PARTS), {
        "tenant": tenant,
        "subscription": subscription_id,
        "states": [ended] if ended else RAW_STATES[criteria.state],
        "shown": criteria.state or "",
        "code": criteria.code or "",
        "job_id": criteria.job_id or "",
        "from_ms": from_ms,
        "to_ms": before.received_ms,
        "before": before.event_id.int,
        "count": count,
    }


def select_newest(
    database: str, tenant: str, subscription_id: str, of: list[StoredAttempt]
) -> Query:
    """The query for the newest record of each of these attempts' events."""
    return SELECT_NEWEST.format(database=database, **PARTS), {
        "tenant": tenant,
        "subscription": subscription_id,
        "events": sorted({each.event for each in of}),
        "from_ms": min(each.at_ms for each in of),
    }


def select_health(database: str, tenant: str, subscription_id: str) -> Query:
    """The query for one line of the view `destination_health`, or none."""
    known = {"tenant": tenant, "subscription": subscription_id}
    return SELECT_HEALTH.format(database=database, **PARTS), known


def read_attempts(lines: bytes) -> list[StoredAttempt]:
    """The answer to `select_attempts` and `select_deliveries`."""
    return [_attempt.decode(line) for line in lines.splitlines()]


def read_newest(lines: bytes) -> dict[str, Place]:
    """The answer to `select_newest`: where the newest record of each event is."""
    return dict(map(_newest.decode, lines.splitlines()))


def read_health(lines: bytes) -> StoredHealth | None:
    """The answer to `select_health`."""
    return _health.decode(lines) if lines.strip() else None
