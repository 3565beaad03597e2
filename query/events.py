"""GET /api/v1/events/{eventId}: the representation that POST answered, field for field.

An id that was made a moment ago may not be in ClickHouse yet: then the answer waits, within a
bound, for the view to catch up instead of saying 404.
"""

from contracts.ids import read_id
from contracts.problems import Problem
from query.lookup import Lookup
from service.access.verifier import Verifier
from service.http.asgi import Receive, Scope, Send, respond, single_headers

JSON_TYPE = (b"content-type", b"application/json")


class GetEvent:
    """Handler of GET /api/v1/events/{eventId}."""

    def __init__(self, verifier: Verifier, lookup: Lookup) -> None:
        self._verifier = verifier
        self._lookup = lookup

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, look up, answer."""
        tenant = await self._verifier.tenant(single_headers(scope))
        representation = await self._lookup.find(
            tenant, read_id(scope["path_params"]["eventId"], "event")
        )
        if representation is None:
            raise no_such_event()
        await respond(send, 200, (JSON_TYPE,), representation)


def no_such_event() -> Problem:
    """404, the same for an unknown id, another tenant's and one that was erased."""
    return Problem(404, "There is no such event.")
