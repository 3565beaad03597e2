"""DELETE /api/v1/events/{eventId}: erases an event, in the log first.

The tombstone carries the event's own key, so it follows the event in its partition, and whoever
reads the log meets it behind the event. 204 is answered when it is durable and the view has
followed, or was given the time to: a view that is late follows by itself.
"""

from uuid_utils import uuid7

from contracts.encoding.wire import decode_event, encode_erasure
from contracts.problems import unavailable
from contracts.topics import EVENTS
from query.events import OfEvent
from query.lookup import Lookup
from service.access.verifier import Verifier
from service.http.asgi import Receive, Scope, Send, respond
from service.kafka.eventlog import EventLog
from service.kafka.partition import Unaccepted, Unacknowledged


class DeleteEvent(OfEvent):
    """Handler of DELETE /api/v1/events/{eventId}."""

    def __init__(self, verifier: Verifier, lookup: Lookup, log: EventLog) -> None:
        super().__init__(verifier, lookup)
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, look up, append the tombstone, wait for the view, answer."""
        tenant, event_id, representation = await self._event(scope)
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
