"""Who is owed an event: the subscriptions as they are now, where they have been so since before it came.

One that is stopped is owed events as if it were not: it keeps its position. So to stop it, and to go on
there, is no change; to skip is.
"""

import msgspec

from contracts.changes import CHANGE
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
        self.table = Subscriptions(match_stopped=True)
        self._changed_ms: dict[Key, int] = {}
        self._kept_ms: dict[Key, int] = {}

    def apply(self, key: bytes | None, value: bytes | None, at_ms: int) -> None:
        """Take one record of the topic, in its order."""
        try:
            self.table.apply(key, value)
        except UnreadableSubscription:
            return  # the router passes over it too
        tenant, subscription_id, more = [
            *(key or b"").decode("utf-8", "replace").split(":", 2),
            "",
        ][:3]
        name = tenant, subscription_id
        if more.startswith(CHANGE) and value is not None:  # it comes before what it leaves
            kept = name in self._changed_ms and keeps_position(value)
            (self._kept_ms if kept else self._changed_ms)[name] = at_ms
        elif more:
            return
        elif value is None:
            self._changed_ms.pop(name, None)
        elif self._kept_ms.get(name) != at_ms:
            self._changed_ms[name] = at_ms

    def is_known(self, key: Key) -> bool:
        """Whether there is such a subscription now."""
        return self.table.get(*key) is not None

    def is_judged(self, key: Key, received_ms: int) -> bool:
        """Whether who matched an event of that time is known: it has not been changed since."""
        changed_ms = self._changed_ms.get(key)
        return changed_ms is not None and changed_ms + CLOCKS_MS < received_ms


class _Start(msgspec.Struct):
    missed: str = ""


class _Side(msgspec.Struct):
    enabled: bool | None = None
    started: _Start | None = None


class _Change(msgspec.Struct):
    before: dict[str, msgspec.Raw] | None
    after: dict[str, msgspec.Raw] | None


def keeps_position(change: bytes) -> bool:
    """Whether a change does no more than to stop a subscription, or to have it go on where it was."""
    try:
        told = msgspec.json.decode(change, type=_Change)
        if told.before is None or told.after is None:
            return False
        if {*told.before, *told.after} - {"enabled", "started", "paused", "inactive"}:
            return False
        after = msgspec.json.decode(msgspec.json.encode(told.after), type=_Side)
    except msgspec.MsgspecError:
        return False
    goes_on = after.started is not None and after.started.missed == "catch_up"
    return after.enabled is False or "paused" in told.after or goes_on


async def subscribed(source: Source) -> Subscribed:
    """All that the topic says now. Raises `Transient`."""
    found = Subscribed()
    for number, (first, end) in (await source.bounds(SUBSCRIPTIONS)).items():  # one partition
        async for batch in source.read(SUBSCRIPTIONS, number, first, end, RECORDS_MAX):
            for record in batch:
                found.apply(record.key, record.value, record.timestamp)
    return found
