"""POST /api/v1/events: the hot path, top to bottom.

Answers 201 only when Kafka has the event on all in-sync replicas. Anything else leaves either
nothing in Kafka (4xx) or an unknown that the answer names with the event's id (503).
"""

import time

from uuid_utils import uuid7

from contracts import paths
from contracts.encoding.codec import EventJson, named, represent
from contracts.encoding.parse import parse_event
from contracts.encoding.recordbatch import Record
from contracts.encoding.wire import encode
from contracts.ids import derived_id
from contracts.problems import Problem, unavailable
from contracts.topics import EVENTS
from ingest.admission import Admission
from ingest.first_bodies import FirstBodies
from service.access.verifier import Verifier
from service.http.asgi import (
    Receive,
    Scope,
    Send,
    declared_bytes,
    read_body,
    require_json,
    respond,
    single_headers,
    too_large,
)
from service.kafka.eventlog import EventLog
from service.kafka.partition import Unaccepted, Unacknowledged

LOCATION = paths.EVENTS.encode() + b"/"
JSON_TYPE = (b"content-type", b"application/json")


class PostEvent:
    """Handler of POST /api/v1/events."""

    def __init__(
        self,
        verifier: Verifier,
        admission: Admission,
        log: EventLog,
        first_bodies: FirstBodies,
        event_bytes_max: int,
    ) -> None:
        self._verifier = verifier
        self._admission = admission
        self._log = log
        self._first_bodies = first_bodies
        self._event_bytes_max = event_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, admit, read, validate, name, encode, append, answer."""
        headers = single_headers(scope)
        tenant = self._verifier.known(headers) or await self._verifier.tenant(headers)
        require_json(headers)
        size = declared_bytes(headers, self._event_bytes_max)
        if size is None:
            size = self._event_bytes_max
        admission = self._admission
        if refusal := admission.rates.admit(tenant, size):
            await admission.rates.refuse(refusal)
        budget = admission.budget
        budget.require_room(size)
        body = await read_body(receive, self._event_bytes_max, budget.arriving, tenant)
        size = len(body)
        budget.take(size)
        try:
            draft = parse_event(body)
            key = headers.get(b"idempotency-key")
            event_id, received_ms = new_id(tenant, draft.entity_id, key)
            event = named(draft, event_id)
            representation, record = encoded(tenant, event, received_ms, self._event_bytes_max)
            if key is not None:
                self._first_bodies.check(event_id, representation)
            appended = self._log.append(EVENTS, record)
            # the next request reuses their memory, still in the cache
            del headers, body, draft, event, record
            await appended  # its queue keeps the deadline
        except (Unaccepted, Unacknowledged) as error:
            if isinstance(error, Unaccepted):
                self._first_bodies.forget((event_id,))
            raise not_confirmed(error, event_id) from None
        finally:
            budget.give(size)
        location = LOCATION + event_id.encode()
        await respond(send, 201, (JSON_TYPE, (b"location", location)), representation)


def new_id(
    tenant: str, entity_id: str, idempotency_key: bytes | None, item: int = 0
) -> tuple[str, int]:
    """An id for the request's `item`-th event, received now, and that time in ms since 1970."""
    if idempotency_key is not None:
        event_id = derived_id(tenant, idempotency_key, item, entity_id)
        return event_id, time.time_ns() // 1_000_000
    made = uuid7()
    return str(made), made.timestamp


def not_confirmed(error: Exception, event_id: str) -> Problem:
    """503 for an append that failed: with the id when the event may be stored nevertheless."""
    if isinstance(error, Unaccepted):
        return unavailable(f"Nothing was stored: {error}. Try again.", reason="kafka")
    return unavailable(
        f"Whether the event was stored is unknown: {error}. GET its id to find out;"
        " a retry with the same Idempotency-Key counts once.",
        reason="unconfirmed",
        id=event_id,
    )


def encoded(
    tenant: str, event: EventJson, received_ms: int, bytes_max: int
) -> tuple[bytes, Record]:
    """Representation and record of `event`. Raises `Problem` 413."""
    representation = represent(event)
    if len(representation) > bytes_max:
        raise too_large(len(representation), bytes_max)
    return representation, encode(tenant, event, received_ms, representation)
