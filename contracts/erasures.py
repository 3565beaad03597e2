"""Erasures: tombstones of events, and which rows of the table of events each of them takes away.

A tombstone follows its event in the log. It erases what the log holds of that event before it; an
event that is posted under the same Idempotency-Key more than ten minutes later is a new one and stays.
"""

from collections.abc import Iterable
from typing import NamedTuple

ERASURES_TABLE = "erasures"
ERASURES_MAX = 500
"""Erasures of one statement: with the longest names, three quarters of ClickHouse's max_query_size."""


class Erasure(NamedTuple):
    """The tombstone of the event (tenant, event_id): its place in the log, its time in ms since 1970."""

    tenant: str
    event_id: str
    partition: int
    offset: int
    erased_ms: int

    @property
    def name(self) -> tuple[str, str]:
        """Which event it erases."""
        return self.tenant, self.event_id

    def covers(self, partition: int, offset: int, received_ms: int) -> bool:
        """Whether it erases a record of its event that lies there; `COVERED` is the same in SQL.

        In its own partition the order of the log decides. A copy may lie in another one (a key used
        for two entities, partitions that were added since): there the time decides.
        """
        if partition == self.partition:
            return offset < self.offset
        return received_ms <= self.erased_ms


def by_name(erasures: Iterable[Erasure]) -> dict[tuple[str, str], list[Erasure]]:
    """`erasures` by the event that they erase."""
    found: dict[tuple[str, str], list[Erasure]] = {}
    for each in erasures:
        found.setdefault(each.name, []).append(each)
    return found


COVERED = "if(kafka_partition = {partition}, kafka_offset < {offset}, received_at <= {erased_at})"


def covered(erasures: Iterable[Erasure]) -> str:
    """The condition on rows of events that `erasures`, at most `ERASURES_MAX`, take away.

    Tenants and ids must have been checked: they are written into the SQL.
    """
    keys, rules = [], []
    for each in erasures:
        keys.append(f"('{each.tenant}', '{each.event_id}')")
        erased_at = f"fromUnixTimestamp64Milli({each.erased_ms}, 'UTC')"
        rule = COVERED.format(partition=each.partition, offset=each.offset, erased_at=erased_at)
        rules.append(f"tenant = '{each.tenant}' AND id = '{each.event_id}' AND {rule}")
    # the keys first: they alone are found in the index
    return f"(tenant, id) IN ({', '.join(keys)}) AND ({' OR '.join(rules)})"
