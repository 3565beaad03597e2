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
        if self._log_lookup is None or not _is_within(event_id, self._recent_s):
            found = await self._from_view(tenant, event_id, asyncio.Event())
            self.answered["view"] += 1
        else:
            found = await self._from_either(tenant, event_id, self._log_lookup)
        return found or None

    async def _from_either(
        self, tenant: str, event_id: uuid.UUID, log_lookup: LogLookup
    ) -> bytes | None:
        """What the log says for certain, or the view; whichever is first."""

        async def ask_log() -> bytes | None:
            await missed.wait()
            return await log_lookup.find(tenant, event_id)

        missed = asyncio.Event()
        from_log = asyncio.create_task(ask_log())
        if _is_within(event_id, YOUNG_S):
            missed.set()
            await asyncio.wait({from_log}, timeout=HEAD_START_S)
        from_view: asyncio.Task[bytes | None] | None = None
        try:
            if not from_log.done() or from_log.result() is None:
                from_view = asyncio.create_task(self._from_view(tenant, event_id, missed))
                from_view.add_done_callback(_seen)
                await asyncio.wait({from_log, from_view}, return_when=asyncio.FIRST_COMPLETED)
            if from_view is None or (from_log.done() and from_log.result() is not None):
                self.answered["log"] += 1
                return from_log.result()
            found = await from_view
            self.answered["view"] += 1
            return found
        finally:
            from_log.cancel()
            if from_view is not None:
                from_view.cancel()

    async def _from_view(
        self, tenant: str, event_id: uuid.UUID, missed: asyncio.Event
    ) -> bytes | None:
        """Wait for the view; `missed` is set when it did not have the event at once."""
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
            missed.set()
            await asyncio.sleep(pause_s)
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


def _seen(task: "asyncio.Task[bytes | None]") -> None:
    if not task.cancelled():
        task.exception()  # the log has answered meanwhile


def _is_within(event_id: uuid.UUID, seconds: float) -> bool:
    """Whether the id was made so long ago at the most; a derived one does not say."""
    made_ms = made_at_ms(event_id)
    return made_ms is not None and abs(time.time() - made_ms / 1000) < seconds
