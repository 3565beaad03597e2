"""GET /api/v1/events/{eventId}: the representation that POST answered, field for field.

An id that was made a moment ago may not be in ClickHouse yet: then the answer waits, within a
bound, for the view to catch up instead of saying 404.
"""

import asyncio
import logging
import time
import uuid

from contracts.access import Verifier
from contracts.ids import made_at_ms
from contracts.problems import Problem, unavailable
from query.store import EventStore, TooManyLookups
from service.clickhouse import ClickHouseFailed
from service.http import Receive, Scope, Send, respond, single_headers

log = logging.getLogger(__name__)

PATH = "/api/v1/events/{id}"
JSON_TYPE = (b"content-type", b"application/json")
FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.25


class GetEvent:
    """Handler of GET /api/v1/events/{eventId}."""

    def __init__(
        self, verifier: Verifier, store: EventStore, recent_s: float, visible_timeout_s: float
    ) -> None:
        self._verifier = verifier
        self._store = store
        self._recent_s = recent_s
        self._visible_timeout_s = visible_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, look up, answer."""
        tenant = await self._verifier.tenant(single_headers(scope["headers"]))
        representation = await self._find(tenant, parse_id(scope["path_params"]["id"]))
        if representation is None:
            raise Problem(404, "There is no such event.")
        await respond(send, 200, (JSON_TYPE,), representation)

    async def _find(self, tenant: str, event_id: uuid.UUID) -> bytes | None:
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
        return found

    def _is_recent(self, event_id: uuid.UUID) -> bool:
        """A derived id carries no time: it is treated as recent."""
        made_ms = made_at_ms(event_id)
        return made_ms is None or abs(time.time() - made_ms / 1000) < self._recent_s


def parse_id(text: str) -> uuid.UUID:
    """An event id as it comes in a path. Raises `Problem` 400."""
    try:
        event_id = uuid.UUID(text)
    except ValueError:
        event_id = None
    if event_id is None or str(event_id) != text.lower():
        raise Problem(400, f"The event id has {len(text):,} characters and is not a UUID.")
    return event_id
