"""Who is owed an event: the subscriptions as they are now, where they have been so since before it came."""

from contracts.pauses import PAUSED
from contracts.subscription_table import Subscriptions, UnreadableSubscription
from contracts.topics import SUBSCRIPTIONS
from processors.deliver.lane import Key
from processors.deliver.reader import Source

CLOCKS_MS = 1_000
"""How far the clocks of two processes may be apart."""
RECORDS_MAX = 5_000


class Subscribed:
    """The table, and when each subscription was last changed, in ms since 1970."""

    def __init__(self) -> None:
        self.table = Subscriptions()
        self._changed_ms: dict[Key, int] = {}

    def apply(self, key: bytes | None, value: bytes | None, at_ms: int) -> None:
        """Take one record of the topic, in its order."""
        try:
            self.table.apply(key, value)
        except UnreadableSubscription:
            return  # the router passes over it too
        names = (key or b"").decode("utf-8", "replace").split(":")
        paused = len(names) == 3 and names[2] == PAUSED and value is not None
        if len(names) != 2 and not paused:  # who changed it is another record
            return
        if value is None:
            self._changed_ms.pop((names[0], names[1]), None)
        else:
            self._changed_ms[names[0], names[1]] = at_ms

    def is_known(self, key: Key) -> bool:
        """Whether there is such a subscription now."""
        return key in self._changed_ms

    def is_judged(self, key: Key, received_ms: int) -> bool:
        """Whether who matched an event of that time is known: it has not been changed since."""
        changed_ms = self._changed_ms.get(key)
        return changed_ms is not None and changed_ms + CLOCKS_MS < received_ms


async def subscribed(source: Source) -> Subscribed:
    """All that the topic says now. Raises `Transient`."""
    found = Subscribed()
    for number, (first, end) in (await source.bounds(SUBSCRIPTIONS)).items():  # one partition
        async for batch in source.read(SUBSCRIPTIONS, number, first, end, RECORDS_MAX):
            for record in batch:
                found.apply(record.key, record.value, record.timestamp)
    return found
