"""Looks one event up, with patience for the view, which is a moment behind the log."""

import asyncio
import contextlib
import logging
import time
import uuid

from contracts.ids import made_at_ms
from contracts.problems import unavailable
from query.store import EventStore, TooManyLookups
from service.clickhouse import ClickHouseFailed

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.25


class Lookup:
    """Waits at most `visible_timeout_s`; for an event only if its id was made within `recent_s`.

    That an event is gone `everywhere` says: a store that asks every replica, on a cluster.
    """

    def __init__(
        self,
        store: EventStore,
        recent_s: float,
        visible_timeout_s: float,
        everywhere: EventStore | None = None,
    ) -> None:
        self._store = store
        self._everywhere = everywhere or store
        self._recent_s = recent_s
        self._visible_timeout_s = visible_timeout_s

    async def find(self, tenant: str, event_id: uuid.UUID) -> bytes | None:
        """The event's representation, None if there is none. Raises `Problem` 503.

        One that was erased is not waited for.
        """
        give_up = time.monotonic() + (self._visible_timeout_s if self._is_recent(event_id) else 0)
        pause_s = FIRST_PAUSE_S
        while True:
            failure: Exception | None = None
            try:
                found = await self._store.get(tenant, event_id)
            except (ClickHouseFailed, TooManyLookups) as error:
                found, failure = None, error
            if found is not None or time.monotonic() + pause_s > give_up:
                break
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        if failure is not None:
            log.warning("lookup failed: %s", failure)
            raise unavailable("The event cannot be looked up at the moment. Try again.")
        return found or None

    async def wait_until_gone(self, tenant: str, event_id: uuid.UUID) -> None:
        """Return when the view does not have the event any more, or the time is up."""
        pause_s = FIRST_PAUSE_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._visible_timeout_s):
                while await self._may_be_there(tenant, event_id):
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _may_be_there(self, tenant: str, event_id: uuid.UUID) -> bool:
        try:
            return bool(await self._everywhere.get(tenant, event_id))
        except (ClickHouseFailed, TooManyLookups) as error:
            log.warning("lookup failed: %s", error)
            return True

    def _is_recent(self, event_id: uuid.UUID) -> bool:
        """A derived id carries no time: it is treated as recent."""
        made_ms = made_at_ms(event_id)
        return made_ms is None or abs(time.time() - made_ms / 1000) < self._recent_s
