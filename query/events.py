"""GET /api/v1/events/{eventId}: the representation that POST answered, field for field.

An id that was made a moment ago may not be in ClickHouse yet: then the answer waits, within a
bound, for the view to catch up instead of saying 404.
"""

import uuid

from contracts.access import Verifier
from contracts.problems import Problem
from query.lookup import Lookup
from service.http import Receive, Scope, Send, respond, single_headers

PATH = "/api/v1/events/{id}"
JSON_TYPE = (b"content-type", b"application/json")


class GetEvent:
    """Handler of GET /api/v1/events/{eventId}."""

    def __init__(self, verifier: Verifier, lookup: Lookup) -> None:
        self._verifier = verifier
        self._lookup = lookup

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, look up, answer."""
        tenant = await self._verifier.tenant(single_headers(scope["headers"]))
        representation = await self._lookup.find(tenant, parse_id(scope["path_params"]["id"]))
        if representation is None:
            raise no_such_event()
        await respond(send, 200, (JSON_TYPE,), representation)


def parse_id(text: str) -> uuid.UUID:
    """An event id as it comes in a path. Raises `Problem` 400."""
    try:
        event_id = uuid.UUID(text)
    except ValueError:
        event_id = None
    if event_id is None or str(event_id) != text.lower():
        raise Problem(400, f"The event id has {len(text):,} characters and is not a UUID.")
    return event_id


def no_such_event() -> Problem:
    """404, the same for an unknown id, another tenant's and one that was erased."""
    return Problem(404, "There is no such event.")
