"""Looks one event up, with patience for the view, which is a moment behind the log.

So the log is asked for what the view may not have yet: before the view while the id is so young that
the view can hardly have it, else when the view does not. It has a head start, no more: where Kafka is away
or slow the view answers when it can, as if there were no log.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections import Counter

from contracts.clickhouse.table import ERASED
from contracts.ids import made_at_ms
from contracts.problems import unavailable
from query.log import LogLookup
from query.store import EventStore, TooManyLookups
from service.clickhouse import ClickHouseFailed

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.25
YOUNG_S = 1.0
"""An id made within this time is looked for in the log first: what came since is little by then."""
HEAD_START_S = 0.05


class Lookup:
    """Waits at most `visible_timeout_s`; for an event only if its id was made within `recent_s`.

    That an event is gone `everywhere` says: a store that asks every replica, on a cluster. `answered`
    counts by source.
    """

    def __init__(
        self,
        store: EventStore,
        recent_s: float,
        visible_timeout_s: float,
        everywhere: EventStore | None = None,
        log_lookup: LogLookup | None = None,
    ) -> None:
        self.answered: Counter[str] = Counter()
        self._store = store
        self._everywhere = everywhere or store
        self._log_lookup = log_lookup
        self._recent_s = recent_s
        self._visible_timeout_s = visible_timeout_s

    async def find(self, tenant: str, event_id: uuid.UUID) -> bytes | None:
        """The event's representation, None if there is none. Raises `Problem` 503.

        One that was erased is not waited for.
        """
        with _Reading(self._log_lookup, tenant, event_id) as reading:
            if self._log_lookup is not None and _is_within(event_id, YOUNG_S):
                await reading.wait(HEAD_START_S)
            if reading.found is None:
                found = await self._wait_for_view(tenant, event_id, reading)
            if reading.found is not None:
                found = reading.found
            self.answered["view" if reading.found is None else "log"] += 1
        return found or None

    async def _wait_for_view(
        self, tenant: str, event_id: uuid.UUID, reading: "_Reading"
    ) -> bytes | None:
        is_recent = made_at_ms(event_id) is None or _is_within(event_id, self._recent_s)
        give_up = time.monotonic() + (self._visible_timeout_s if is_recent else 0)
        pause_s = FIRST_PAUSE_S
        while True:
            failure: Exception | None = None
            try:
                found = await self._store.get(tenant, event_id)
            except (ClickHouseFailed, TooManyLookups) as error:
                found, failure = None, error
            if found is not None or time.monotonic() + pause_s > give_up:
                break
            await reading.wait(pause_s)
            if reading.found is not None:
                return reading.found
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        if failure is not None:
            log.warning("lookup failed: %s", failure)
            raise unavailable("The event cannot be looked up at the moment. Try again.")
        return found

    async def wait_until_gone(self, tenant: str, event_id: uuid.UUID) -> None:
        """Return when the view knows that the event is erased, or the time is up.

        That it has no such row says nothing: an event out of the log may still come.
        """
        pause_s = FIRST_PAUSE_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._visible_timeout_s):
                while await self._may_be_there(tenant, event_id):
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _may_be_there(self, tenant: str, event_id: uuid.UUID) -> bool:
        try:
            return await self._everywhere.get(tenant, event_id) != ERASED
        except (ClickHouseFailed, TooManyLookups) as error:
            log.warning("lookup failed: %s", error)
            return True


class _Reading:
    """A look into the log, begun when it is first waited for; `found` when it is certain."""

    def __init__(self, lookup: LogLookup | None, tenant: str, event_id: uuid.UUID) -> None:
        self._lookup = lookup
        self._asked = tenant, event_id
        self._task: asyncio.Task[bytes | None] | None = None

    def __enter__(self) -> "_Reading":
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()

    @property
    def found(self) -> bytes | None:
        """The representation, `ERASED`, or None."""
        return self._task.result() if self._task is not None and self._task.done() else None

    async def wait(self, at_most_s: float) -> None:
        """Return when it has ended, or the time is up; when it had ended before, then."""
        if self._task is None and self._lookup is not None:
            self._task = asyncio.create_task(self._lookup.find(*self._asked))
        if self._task is None or self._task.done():
            await asyncio.sleep(at_most_s)
        else:
            await asyncio.wait({self._task}, timeout=at_most_s)


def _is_within(event_id: uuid.UUID, seconds: float) -> bool:
    """Whether the id was made so long ago at the most; a derived one does not say."""
    made_ms = made_at_ms(event_id)
    return made_ms is not None and abs(time.time() - made_ms / 1000) < seconds
