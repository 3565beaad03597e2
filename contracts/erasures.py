"""Erasures: tombstones of events, and which rows of the table of events each of them takes away.

A tombstone is final: what was erased stays erased under its id, whatever is posted under it later and
wherever it lies. Tombstones of the first release were not: an event posted under the same
Idempotency-Key more than ten minutes later was a new one, and such events stay.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from contracts.ids import names_sql

ERASURES_TABLE = "erasures"
ERASURES_MAX = 500
"""Erasures of one statement: with the longest names, three quarters of ClickHouse's max_query_size."""
WINDOW_MS = 10 * 60 * 1000
"""How long after it a tombstone of the first release covered repeats."""


class Erasure(NamedTuple):
    """The tombstone of the event (tenant, event_id): its place in the log, its time in ms since 1970."""

    tenant: str
    event_id: str
    partition: int
    offset: int
    erased_ms: int
    final: bool

    @property
    def name(self) -> tuple[str, str]:
        """Which event it erases."""
        return self.tenant, self.event_id

    def seen_from(self, log: int) -> "Erasure":
        """What it says of records of that log: one of the first release has a place in the first alone."""
        return self if self.final or log == 0 else self._replace(offset=0)

    def covers(self, partition: int, offset: int, received_ms: int) -> bool:
        """Whether it erases a record of its event that lies there; `COVERED` is the same in SQL."""
        return (
            self.final
            or (partition == self.partition and offset < self.offset)
            or received_ms <= self.erased_ms + WINDOW_MS
        )


def by_name(erasures: Iterable[Erasure]) -> dict[tuple[str, str], list[Erasure]]:
    """`erasures` by the event that they erase."""
    found: dict[tuple[str, str], list[Erasure]] = {}
    for each in erasures:
        found.setdefault(each.name, []).append(each)
    return found


COVERED = f"""(final OR received_at <= erased_at + toIntervalMillisecond({WINDOW_MS})
    OR (stored.kafka_log = 0 AND stored.kafka_partition = erasure.kafka_partition
        AND stored.kafka_offset < erasure.kafka_offset))"""
"""On a row of events, `stored`, that is joined with its `erasure`."""


def covered(erasures: Collection[Erasure]) -> str:
    """The condition on rows of events that `erasures`, at most `ERASURES_MAX`, take away.

    Tenants and ids must have been checked: they are written into the SQL.
    """
    kept = [
        f"(tenant = '{each.tenant}' AND id = '{each.event_id}'"
        f" AND received_at > fromUnixTimestamp64Milli({each.erased_ms + WINDOW_MS}, 'UTC')"
        f" AND NOT (kafka_log = 0 AND kafka_partition = {each.partition}"
        f" AND kafka_offset < {each.offset}))"
        for each in erasures
        if not each.final
    ]
    # the keys first: they alone are found in the index
    condition = f"(tenant, id) IN ({names_sql(each.name for each in erasures)})"
    return f"{condition} AND NOT ({' OR '.join(kept)})" if kept else condition
