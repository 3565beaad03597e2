"""What the ledger's table says of the deliveries of a range of events."""

from typing import Any, NamedTuple

from contracts.clickhouse.deliveries import DELIVERIES_TABLE, NO_EVENT
from contracts.clickhouse.ttl import TTL_NOW
from processors.materialize.server import failing_as_transient, read_back
from processors.upkeep.deliveries.owed import Pair
from service.clickhouse import ClickHouse

CLOCKS_MS = 60_000
"""An attempt that is older than its event by more is of another log, of which offsets say nothing."""
DOING = "reading what became of deliveries"
WORDS = 200
"""Characters that are read of what a queue said."""

TOLD = """
SELECT toString(event_offset), tenant, toString(event_id),
    groupArrayIf(subscription, once), toString(maxIf(delivered_ms, once)),
    groupArrayIf((subscription, automatic, is_delivered, toString(delivered_ms), ended, latest), NOT once)
FROM (
    SELECT event_offset, tenant, event_id, toString(subscription_id) AS subscription,
        toUInt32(uniqExactIf((kafka_log, kafka_partition, kafka_offset), delivered AND origin = 'automatic'))
            AS automatic,
        automatic = 1 AS once,
        countIf(delivered) > 0 AS is_delivered,
        toUnixTimestamp64Milli(minIf(at, delivered)) AS delivered_ms,
        argMaxIf((toString(state), concat(code, exhausted, message) != ''), at,
            state IN ('dead', 'cancelled')) AS ended,
        argMax((toString(state), attempt, toString(code), left(message, {words})), at) AS latest
    FROM (
        SELECT *, state = 'delivered' AS delivered FROM {table}
        WHERE event_partition = {partition} AND event_offset >= {first} AND event_offset < {end}
            AND until_offset < 0 AND event_id != '{no_event}'
            AND at >= fromUnixTimestamp64Milli({since}, 'UTC'))
    GROUP BY event_offset, tenant, subscription_id, event_id)
GROUP BY event_offset, tenant, event_id
FORMAT JSONCompactEachRow
"""
RANGES = """
SELECT DISTINCT tenant, toString(subscription_id), toString(event_offset), toString(until_offset),
    toString(state)
FROM {table}
WHERE state IN ('cancelled', 'dead') AND event_partition = {partition}
    AND event_offset < {end} AND until_offset > {first} AND at >= fromUnixTimestamp64Milli({since}, 'UTC')
FORMAT JSONCompactEachRow
"""


class Told(NamedTuple):
    """What is known of a pair that was not just delivered once.

    `automatic` counts deliveries by the event itself, `delivered` says whether there is any. `ended` is dead
    or cancelled, or empty; `has_cause` whether it says why. `latest` are the words of its newest attempt.
    `delivered_ms` is when it was delivered first.
    """

    pair: Pair
    event_id: str
    automatic: int
    delivered: bool
    delivered_ms: int
    ended: str
    has_cause: bool
    latest: str


class Said(NamedTuple):
    """What is known of an event: the subscriptions that it was delivered to once, by itself, and others.

    `delivered_ms` is when the latest of those got it.
    """

    offset: int
    tenant: str
    event_id: str
    once: list[str]
    delivered_ms: int
    others: list[Told]


class Ended(NamedTuple):
    """All that was not delivered of a range of offsets, cancelled or dead."""

    tenant: str
    subscription_id: str
    first: int
    until: int
    state: str

    def has(self, pair: Pair) -> bool:
        """Whether it speaks of the pair."""
        of = (self.tenant, self.subscription_id)
        return of == pair.key and self.first <= pair.offset < self.until


class Deliveries:
    """The table. Methods raise `Transient` when ClickHouse fails."""

    def __init__(self, clickhouse: ClickHouse, database: str) -> None:
        self._clickhouse = clickhouse
        self._database = database

    async def told(self, partition: int, first: int, end: int, since_ms: int) -> list[Said]:
        """What attempts say that were made since then, but for ranges."""
        lines = await self._lines(TOLD, partition, first, end, since_ms)
        return [_said(int(offset), *line) for offset, *line in lines]

    async def ended(self, partition: int, first: int, end: int, since_ms: int) -> list[Ended]:
        """The ranges that ended as a whole and reach into this one."""
        lines = await self._lines(RANGES, partition, first, end, since_ms)
        return [Ended(a, b, int(low), int(high), state) for a, b, low, high, state in lines]

    async def ttl(self) -> str:
        """How long the table keeps attempts, as ClickHouse has it; empty for ever."""
        asked = TTL_NOW.format(database=self._database, table=DELIVERIES_TABLE)
        with failing_as_transient(DOING):
            return (await self._clickhouse.read_back(asked)).decode().strip()

    async def _lines(
        self, sql: str, partition: int, first: int, end: int, since_ms: int
    ) -> list[Any]:
        asked = sql.format(
            table=f"{self._database}.{DELIVERIES_TABLE}",
            partition=partition,
            first=first,
            end=end,
            since=max(0, since_ms - CLOCKS_MS),
            no_event=NO_EVENT,
            words=WORDS,
        )
        return await read_back(self._clickhouse, asked, DOING)


def _said(
    offset: int, tenant: str, event_id: str, once: list[str], last_ms: str, others: list[Any]
) -> Said:
    told = [
        Told(
            Pair(offset, tenant, subscription),
            event_id,
            automatic,
            bool(delivered),
            int(delivered_ms),
            ended,
            bool(has_cause),
            _words(*latest),
        )
        for subscription, automatic, delivered, delivered_ms, (ended, has_cause), latest in others
    ]
    return Said(offset, tenant, event_id, once, int(last_ms), told)


def _words(state: str, attempt: int, code: str, message: str) -> str:
    said = ": ".join(each for each in (code, message) if each)
    return f"{state} at attempt {attempt}" + (f", {said}" if said else "")
