"""POST /api/v1/events: the hot path, top to bottom.

Answers 201 only when Kafka has the event on all in-sync replicas. Anything else leaves either
nothing in Kafka (4xx) or an unknown that the answer names with the event's id (503).
"""

import time

from uuid_utils import uuid7

from contracts import paths
from contracts.encoding.codec import DraftJson, named, represent
from contracts.encoding.parse import parse_event
from contracts.encoding.recordbatch import Record, hash_of
from contracts.encoding.wire import encode_keyed, record_key
from contracts.ids import PARTITION_AT, PARTITION_MASK, PARTITION_NAMES, derived_id
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
            event_id, representation, record = make(
                self._log, tenant, draft, key, self._event_bytes_max
            )
            if key is not None:
                self._first_bodies.check(event_id, representation)
            appended = self._log.append(EVENTS, record)
            # the next request reuses their memory, still in the cache
            del headers, body, draft, record
            await appended  # its queue keeps the deadline
        except (Unaccepted, Unacknowledged) as error:
            if isinstance(error, Unaccepted):
                self._first_bodies.forget((event_id,))
            raise not_confirmed(error, event_id) from None
        finally:
            budget.give(size)
        location = LOCATION + event_id.encode()
        await respond(send, 201, (JSON_TYPE, (b"location", location)), representation)


def make(
    log: EventLog,
    tenant: str,
    draft: DraftJson,
    idempotency_key: bytes | None,
    bytes_max: int,
    item: int = 0,
) -> tuple[str, bytes, Record]:
    """Id, representation and record of the event that `draft`, the request's `item`-th, becomes now.

    Raises `Problem` 413.
    """
    entity_id = draft.entity_id
    key = record_key(tenant, entity_id)
    key_hash = hash_of(key)
    if idempotency_key is None:
        made = uuid7()
        name = PARTITION_NAMES[log.partition_of(EVENTS, key_hash) & PARTITION_MASK]
        event_id, received_ms = str(made)[:PARTITION_AT] + name, made.timestamp
    else:
        event_id = derived_id(tenant, idempotency_key, item, entity_id)
        received_ms = time.time_ns() // 1_000_000
    event = named(draft, event_id)
    representation = represent(event)
    if len(representation) > bytes_max:
        raise too_large(len(representation), bytes_max)
    record = encode_keyed(key, key_hash, tenant, event, received_ms, representation)
    return event_id, representation, record


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
