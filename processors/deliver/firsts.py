"""Of an event that is on the log more than once the first is delivered, as far as this process knows.

An event under an Idempotency-Key is a record as often as its request was sent, all in one partition. The
table leaves repeats out exactly; a queue gets what the router does not remember to have seen.
"""

from collections import OrderedDict

from contracts.ids import is_derived
from contracts.topics import DAY_MS
from processors.consume.step import LogRecord

IDS_MAX = 100_000
WITHIN_MS = DAY_MS
"""After that the first may have expired, and the repeat is an event of its own."""

Seen = tuple[int, int, int]
"""Partition, offset and time of a record."""


class Firsts:
    """Remembers the last `IDS_MAX` events under keys."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], Seen] = OrderedDict()

    def has_before(self, tenant: str, event_id: str, record: LogRecord) -> bool:
        """Whether an earlier record of this event is known; this one is remembered where it is the first."""
        if not is_derived(event_id):
            return False
        partition, offset, at_ms = self._seen.get((tenant, event_id), (-1, -1, 0))
        is_near = partition == record.partition and abs(record.timestamp - at_ms) < WITHIN_MS
        if is_near and offset < record.offset:
            return True
        if not is_near or offset > record.offset:
            self._seen[tenant, event_id] = record.partition, record.offset, record.timestamp
            if len(self._seen) > IDS_MAX:
                self._seen.popitem(last=False)
        return False
