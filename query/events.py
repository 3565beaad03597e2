"""GET /api/v1/events/{eventId}: the representation that POST answered, field for field.

An id that was made a moment ago may not be in ClickHouse yet: then the answer waits, within a
bound, for the view to catch up instead of saying 404.
"""

import uuid

from contracts.ids import read_id
from contracts.problems import Problem
from query.lookup import Lookup
from service.access.verifier import Verifier
from service.http.asgi import Receive, Scope, Send, respond, single_headers

JSON_TYPE = (b"content-type", b"application/json")


class OfEvent:
    """How every answer about one event begins."""

    def __init__(self, verifier: Verifier, lookup: Lookup) -> None:
        self._verifier = verifier
        self._lookup = lookup

    async def _event(self, scope: Scope) -> tuple[str, uuid.UUID, bytes]:
        """Tenant, id and representation of the event that the path names. Raises `Problem`.

        404 is the same for an unknown id, another tenant's and one that was erased.
        """
        tenant = await self._verifier.tenant(single_headers(scope))
        event_id = read_id(scope["path_params"]["eventId"], "event")
        representation = await self._lookup.find(tenant, event_id)
        if representation is None:
            raise Problem(404, "There is no such event.")
        return tenant, event_id, representation


class GetEvent(OfEvent):
    """Handler of GET /api/v1/events/{eventId}."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, look up, answer."""
        _, _, representation = await self._event(scope)
        await respond(send, 200, (JSON_TYPE,), representation)
