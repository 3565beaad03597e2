"""DELETE /api/v1/events/{eventId}: erases an event, in the log first.

The tombstone carries the event's own key, so it follows the event in its partition, and whoever
reads the log meets it behind the event. 204 is answered when it is durable and the view has
followed, or was given the time to: a view that is late follows by itself.
"""

from uuid_utils import uuid7

from contracts.encoding.wire import decode_event, encode_erasure
from contracts.ids import read_id
from contracts.problems import unavailable
from contracts.topics import EVENTS
from query.events import no_such_event
from query.lookup import Lookup
from service.access.verifier import Verifier
from service.http.asgi import Receive, Scope, Send, respond, single_headers
from service.kafka.eventlog import EventLog
from service.kafka.partition import Unaccepted, Unacknowledged


class DeleteEvent:
    """Handler of DELETE /api/v1/events/{eventId}."""

    def __init__(self, verifier: Verifier, lookup: Lookup, log: EventLog) -> None:
        self._verifier = verifier
        self._lookup = lookup
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, look up, append the tombstone, wait for the view, answer."""
        tenant = await self._verifier.tenant(single_headers(scope))
        event_id = read_id(scope["path_params"]["eventId"], "event")
        representation = await self._lookup.find(tenant, event_id)
        if representation is None:
            raise no_such_event()
        event = decode_event(representation)
        made = uuid7()
        tombstone = encode_erasure(tenant, event, str(made), made.timestamp)
        try:
            await self._log.append(EVENTS, tombstone)  # its queue keeps the deadline
        except Unaccepted as error:
            raise unavailable(f"Nothing was erased: {error}. Try again.") from None
        except Unacknowledged as error:
            raise unavailable(
                f"Whether the event will be erased is unknown: {error}. Try again: a repeat does"
                " no harm."
            ) from None
        await self._lookup.wait_until_gone(tenant, event_id)
        await respond(send, 204, ())
